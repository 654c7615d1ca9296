"""Answers over HTTP as clients of each kind get them: the same JSON, and what is no JSON as it is."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, Final

import brotli
import orjson
import pytest
from aiohttp import ClientResponse, ClientSession, web
from aiohttp.test_utils import TestServer

from api.compression import JsonParts, compressing

SMALL: Final = orjson.dumps({"status": 200, "data": ["x" * 900]})
PAGE: Final = orjson.dumps({"data": [{"id": number, "name": "Harbor Point"} for number in range(1_000)]})
LARGE: Final = orjson.dumps({"data": [{"id": number, "name": f"Harbor {number * 7919}"} for number in range(200_000)]})
PARTS: Final = [b"", LARGE[:1], *(LARGE[at : at + 300_000] for at in range(1, len(LARGE), 300_000)), b""]
GRAPHQL: Final = "application/graphql-response+json; charset=utf-8"
DECODED: Final[dict[str | None, Any]] = {None: bytes, "br": brotli.decompress, "gzip": gzip.decompress}


def answers() -> dict[str, web.Response]:
    return {
        "small": web.Response(body=SMALL, content_type="application/json"),
        "page": web.Response(body=PAGE, headers={"Content-Type": GRAPHQL, "Vary": "Accept", "ETag": '"one"'}),
        "large": web.Response(body=LARGE, content_type="application/json"),
        "parts": web.Response(body=JsonParts(PARTS, GRAPHQL), headers={"Content-Type": GRAPHQL}),
        "image": web.Response(body=PAGE, content_type="image/svg+xml"),
        "encoded": web.Response(
            body=gzip.compress(PAGE), content_type="application/json", headers={"Content-Encoding": "gzip"}
        ),
        "nothing": web.Response(status=304, headers={"ETag": '"one"'}),
    }


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[TestServer]:
    async def answer(request: web.Request) -> web.Response:
        return answers()[request.match_info["name"]]

    app = web.Application()
    app.router.add_get("/{name}", answer)
    compressing(app)
    server = TestServer(app)
    async with server:
        yield server


async def got(server: TestServer, name: str, accepted: str | None, method: str = "GET") -> tuple[ClientResponse, bytes]:
    headers = {} if accepted is None else {"Accept-Encoding": accepted}
    async with (
        ClientSession(auto_decompress=False) as session,
        session.request(
            method, server.make_url(f"/{name}"), headers=headers, skip_auto_headers=["Accept-Encoding"]
        ) as answer,
    ):
        return answer, await answer.read()


@pytest.mark.parametrize(("name", "body"), [("page", PAGE), ("large", LARGE), ("parts", LARGE)])
@pytest.mark.parametrize("coding", ["br", "gzip", None])
async def test_every_client_reads_the_same(server: TestServer, name: str, body: bytes, coding: str | None) -> None:
    answer, sent = await got(server, name, coding)
    assert answer.headers.get("Content-Encoding") == coding
    assert DECODED[coding](sent) == body
    assert "Accept-Encoding" in answer.headers.getall("Vary")
    assert answer.headers["Content-Type"].startswith(("application/json", GRAPHQL))
    if coding is not None:
        assert len(sent) < len(body) / 4
    if name != "parts":
        assert answer.headers["Content-Length"] == str(len(sent))


async def test_a_small_answer_goes_as_it_is_and_says_that_others_may_not(server: TestServer) -> None:
    answer, sent = await got(server, "small", "br, gzip")
    assert sent == SMALL
    assert "Content-Encoding" not in answer.headers
    assert answer.headers.getall("Vary") == ["Accept-Encoding"]


@pytest.mark.parametrize("name", ["image", "nothing"])
async def test_what_is_no_json_is_left_alone(server: TestServer, name: str) -> None:
    answer, sent = await got(server, name, "br, gzip")
    assert "Content-Encoding" not in answer.headers
    assert "Vary" not in answer.headers
    assert sent == (PAGE if name == "image" else b"")


async def test_what_is_encoded_is_not_encoded_again(server: TestServer) -> None:
    answer, sent = await got(server, "encoded", "br")
    assert answer.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(sent) == PAGE


async def test_other_bytes_of_the_same_have_a_weak_etag(server: TestServer) -> None:
    compressed, _ = await got(server, "page", "gzip")
    plain, _ = await got(server, "page", None)
    assert (compressed.headers["ETag"], plain.headers["ETag"]) == ('W/"one"', '"one"')
    assert compressed.headers.getall("Vary") == ["Accept", "Accept-Encoding"]


async def test_a_head_says_what_a_get_would(server: TestServer) -> None:
    asked, body = await got(server, "page", "br", "HEAD")
    answered, sent = await got(server, "page", "br")
    assert body == b""
    assert asked.headers["Content-Length"] == answered.headers["Content-Length"] == str(len(sent))


@pytest.mark.parametrize("name", ["large", "parts"])
async def test_compressing_leaves_others_their_turns(server: TestServer, name: str) -> None:
    await got(server, name, None)
    counting = asyncio.create_task(turns())
    _, sent = await got(server, name, "gzip")
    counting.cancel()
    plain = asyncio.create_task(turns())
    await got(server, name, None)
    plain.cancel()
    assert gzip.decompress(sent) == LARGE
    # The loop turned while threads compressed: more often than where nothing was compressed.
    assert await counting > await plain


async def turns() -> int:
    """Until cancelled: how often the loop went round."""
    count = 0
    with suppress(asyncio.CancelledError):
        while True:
            await asyncio.sleep(0)
            count += 1
    return count
