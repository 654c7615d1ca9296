"""The pages in a real browser: they work, ask no other host for anything, and break no rule of their own policy."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.browser import Page, a_page, browser_path
from tests.support.client import Cpo, a_location, an_evse
from tests.support.until import until
from tests.support.world import SECRET, Service, until_drawn


@pytest.fixture
async def page(emsp: Service, tmp_path: Path) -> AsyncIterator[Page]:
    """A tab of a browser without a window. Whatever a test does in it, this must hold at its end."""
    binary = browser_path()
    if binary is None:
        pytest.skip("THE PAGES ARE NOT TESTED IN A BROWSER: there is no chromium on the PATH")
    async with a_page(binary, tmp_path) as page:
        yield page
        assert [url for url in page.requests if not url.startswith((f"{emsp.base_url}/", "data:"))] == []
        assert page.complaints == []


@pytest.fixture
async def location(emsp: Service, cpo: Cpo) -> str:
    """The name of a location that the views show."""
    name = f"Mall of {cpo.party_id}"
    reply = await emsp.client.push_locations(cpo, [a_location(name, an_evse("1"))])
    assert reply.status == 200, reply.body
    await until_drawn(emsp)
    return name


async def test_the_documentation_shows_every_call_and_tries_one_out(emsp: Service, page: Page, location: str) -> None:
    document = (await emsp.client.call("GET", "/openapi.json")).body
    ids = [operation["operationId"] for item in document["paths"].values() for operation in item.values()]
    await page.visit(f"{emsp.base_url}/docs")
    await page.until(f"document.querySelectorAll('.opblock').length === {len(ids)}")

    await page.click(".auth-wrapper .authorize")
    for name, text in (("username", "app"), ("password", SECRET)):
        await page.focus(f".auth-container input[name={name}]")
        await page.write(text)
    await page.click(".auth-container .authorize")
    await page.click(".btn-done")

    await page.click("#operations-REST-filters .opblock-summary-control")
    await page.click("#operations-REST-filters .try-out__btn")
    await page.click("#operations-REST-filters .execute")
    answer = "document.querySelector('#operations-REST-filters .live-responses-table')?.innerText"
    await page.until(f"{answer}?.includes('\"total_locations\"')")
    shown = await page.evaluate(answer)
    assert "200" in shown
    assert "x-request-id" in shown


async def test_graphiql_knows_the_schema_and_runs_a_query_with_an_entered_header(
    emsp: Service, page: Page, location: str
) -> None:
    await page.visit(f"{emsp.base_url}/ocpi/cpo/graphql")
    await page.click("[aria-label='Show Documentation Explorer']")
    await page.click(".graphiql-doc-explorer-content .graphiql-doc-explorer-type-name")
    await page.until("document.querySelector('.graphiql-doc-explorer')?.innerText.includes('find_ev_filter_locations')")

    await page.click("[aria-label='Open settings dialog']")
    await page.click(".graphiql-dialog button[aria-label='Close'], .graphiql-dialog-close")

    headers = json.dumps({"Authorization": emsp.client.basic})
    query = '{ find_ev_filter_locations(city: "Makati") { name city } }'
    for label, text in (("Headers", headers), ("Query Editor", query)):
        await page.focus(f"[aria-label='{label}'] .graphiql-editor:not(.hidden) textarea")
        await page.write(text)
    await page.click(".graphiql-execute-button")
    await page.until(f"document.querySelector('.result-window')?.innerText.includes({location!r})")
    for storage in ("localStorage", "sessionStorage"):
        assert not await page.evaluate(f"JSON.stringify({storage}).includes({emsp.client.basic!r})"), storage


async def test_a_page_can_ask_no_other_host_and_run_no_script_of_its_own(emsp: Service, page: Page) -> None:
    await page.visit(f"{emsp.base_url}/docs")
    await page.until("document.querySelector('.opblock')")
    elsewhere = "http://elsewhere.example/"
    assert await page.evaluate(f"fetch({elsewhere!r}).then(() => 'sent', () => 'refused')") == "refused"
    script = "const s = document.createElement('script'); s.textContent = 'window.ran = true'; document.body.append(s)"
    assert await page.evaluate(f"(() => {{ {script}; return window.ran ?? false }})()") is False
    # What the fixture looks for at the end of every test is seen, so it would fail one whose page had tried so.
    await until(lambda: all(any(one in told for told in page.complaints) for one in ("connect-src", "script-src")))
    assert elsewhere not in page.requests
    page.complaints.clear()
