from __future__ import annotations

import re
from pathlib import Path

import aiohttp
import pytest
from yarl import URL

from tests.support.world import Service

GRAPHQL = "/ocpi/cpo/graphql"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


async def test_the_description_is_served_and_kept_by_who_has_it(emsp: Service) -> None:
    url = f"{emsp.base_url}/openapi.json"
    async with emsp.client.session.get(url) as response:
        document = await response.json()
        # Weak where it goes out compressed: the same document, other bytes.
        tag = response.headers["ETag"]
        assert (response.status, response.content_type) == (200, "application/json")
        assert document["openapi"].startswith("3.1")
    for known, status in ((tag, 304), (f'"x", {tag}', 304), ('"x"', 200)):
        async with emsp.client.session.get(url, headers={"If-None-Match": known}) as response:
            assert (response.status, response.headers["ETag"].removeprefix("W/")) == (status, tag.removeprefix("W/"))
            assert bool(await response.read()) is (status == 200)


async def test_the_service_has_the_calls_that_it_describes_and_no_other(emsp: Service) -> None:
    document = (await emsp.client.call("GET", "/openapi.json")).body
    described = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    served = {
        (route.method, route.resource.canonical)
        for route in emsp.app.router.routes()
        if route.resource is not None and route.method != "HEAD"
    }
    pages = {("GET", "/openapi.json"), ("GET", "/docs"), ("GET", "/static/{path}")}
    # All methods of the GraphQL path are its handler's, which takes two.
    assert served - {("*", GRAPHQL)} - pages == described - {("GET", GRAPHQL), ("POST", GRAPHQL)}
    assert {("*", GRAPHQL), *pages} <= served


async def got(emsp: Service, path: str, **headers: str) -> aiohttp.ClientResponse:
    """The whole answer to a GET of exactly that path."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with emsp.client.session.get(URL(emsp.base_url + path, encoded=True), headers=named) as response:
        await response.read()
        return response


def files_of(html: str) -> list[str]:
    """What a page loads."""
    return [path for path in re.findall(r'(?:src|href)="([^"]+)"', html) if not path.startswith("data:")]


@pytest.mark.parametrize(
    ("path", "accept", "caching"), [("/docs", "*/*", "public, no-cache"), (GRAPHQL, BROWSER, "no-store")]
)
async def test_a_page_and_its_files_are_ours_typed_and_guarded(
    emsp: Service, path: str, accept: str, caching: str
) -> None:
    page = await got(emsp, path, Accept=accept)
    assert (page.status, page.content_type, page.charset) == (200, "text/html", "utf-8")
    assert page.headers["Cache-Control"] == caching
    files = files_of(await page.text())
    assert len(files) >= 4
    for one in files:
        assert one.startswith("/"), one
        answer = await got(emsp, one)
        assert answer.status == 200, one
        if one == "/openapi.json":
            continue
        assert answer.content_type == {".js": "text/javascript", ".css": "text/css"}[Path(one).suffix]
        assert ("immutable" in answer.headers["Cache-Control"]) is ("/vendored/" in one)
        for guarded in (page, answer):
            assert guarded.headers["X-Content-Type-Options"] == "nosniff"
            assert "unsafe" not in guarded.headers["Content-Security-Policy"]
            assert "default-src 'none'" in guarded.headers["Content-Security-Policy"]
            assert guarded.headers["X-Request-ID"]
        again = await got(emsp, one, If_None_Match=answer.headers["ETag"])
        assert again.status == 304


async def test_graphiql_may_add_styles_by_a_number_that_no_other_page_has(emsp: Service) -> None:
    numbers = set()
    for _ in range(2):
        page = await got(emsp, GRAPHQL, Accept=BROWSER)
        (number,) = re.findall(r"style-src 'self' 'nonce-([\w-]{30,})'", page.headers["Content-Security-Policy"])
        assert f'content="{number}"' in await page.text()
        numbers.add(number)
    assert len(numbers) == 2


@pytest.mark.parametrize(
    "path",
    [
        "/static/",
        "/static/docs",
        "/static/vendored",
        "/static/vendored/SHA256SUMS",
        "/static/../app.py",
        "/static/..%2fapp.py",
        "/static/%2e%2e/app.py",
        "/static/vendored/../../settings.py",
        "/static//etc/passwd",
        "/static/docs.js%00",
        "/static/docs.js/",
        "/docs/",
    ],
)
async def test_no_other_file_is_served(emsp: Service, path: str) -> None:
    answer = await got(emsp, path)
    assert answer.status == 404
    assert await answer.json() == {"status": 404, "data": [], "message": "Not Found"}


@pytest.mark.parametrize(
    ("query", "accept", "status", "content_type"),
    [
        ("", BROWSER, 200, "text/html"),
        ("", "text/html", 200, "text/html"),
        ("", "application/json;q=0.5, text/html", 200, "text/html"),
        ("", "application/json, text/html", 400, "application/json"),
        ("", "text/html;q=0, application/json;q=0.1", 400, "application/json"),
        ("", "text/html;q=0", 406, "application/json"),
        ("", "*/*", 400, "application/json"),
        ("?query={__typename}", BROWSER, 200, "application/json"),
        ("?query=", BROWSER, 400, "application/json"),
        ("?variables={}", "text/html", 200, "text/html"),
    ],
)
async def test_the_graphql_path_has_a_page_for_browsers_and_answers_for_clients(
    emsp: Service, query: str, accept: str, status: int, content_type: str
) -> None:
    answer = await got(emsp, GRAPHQL + query, Accept=accept)
    assert (answer.status, answer.content_type) == (status, content_type)
    assert "Accept" in answer.headers["Vary"]


async def test_a_browser_that_posts_gets_no_page(emsp: Service) -> None:
    async with emsp.client.session.post(emsp.base_url + GRAPHQL, headers={"Accept": "text/html"}) as response:
        assert (response.status, response.content_type) == (406, "application/json")
