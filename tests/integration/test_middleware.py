"""What goes wrong after an answer's head is out."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from api.middleware import errors, name_the_request, request_id
from api.serving import Manners, serving


async def test_an_answer_that_breaks_off_is_not_made_whole_by_another(capsys: pytest.CaptureFixture[str]) -> None:
    async def half(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"the first half")
        raise KeyError("the second half")

    app = web.Application(middlewares=[request_id, errors])
    app.on_response_prepare.append(name_the_request)
    app.router.add_get("/", half)
    async with serving(app, "127.0.0.1", 0, Manners(10, 10, new_request_id=lambda: "ours")) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nX-Request-ID: half-1\r\n\r\n")
        async with asyncio.timeout(10):
            answer = await reader.read()
        writer.close()
        await writer.wait_closed()
    assert answer.count(b"HTTP/1.1") == 1
    assert b"X-Request-ID: half-1" in answer
    assert answer.endswith(b"\r\n\r\ne\r\nthe first half\r\n")
    log = capsys.readouterr().out
    assert "half-1" in log
    assert "the second half" in log
