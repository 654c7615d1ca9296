"""Around every request: its id, and whatever goes wrong in the envelope."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import structlog
from aiohttp import hdrs, web

from api.auth import challenge
from api.envelope import envelope, internal_error, refusal
from api.services import SERVICES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

REQUEST_ID: Final = web.RequestKey("request_id", str)
UNAUTHORIZED: Final = 401
SERVER: Final = "emsp"
REQUEST_ID_HEADER: Final = "X-Request-ID"
SANE_ID: Final = re.compile(r"[!-~]{1,128}", re.ASCII)

log = structlog.get_logger(__name__)


@web.middleware
async def request_id(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The caller's X-Request-ID where it is sane, else one of ours: in every log line."""
    given = request.headers.get(REQUEST_ID_HEADER, "")
    request[REQUEST_ID] = given if SANE_ID.fullmatch(given) else request.app[SERVICES].new_request_id()
    # Until the next request of this connection, whose id takes its place.
    structlog.contextvars.bind_contextvars(request_id=request[REQUEST_ID])
    return await handler(request)


async def name_the_request(request: web.Request, response: web.StreamResponse) -> None:
    """X-Request-ID goes out with the head of every answer, of one that a handler streams too; our versions do not."""
    response.headers[hdrs.SERVER] = SERVER
    response.headers[REQUEST_ID_HEADER] = request[REQUEST_ID]


@web.middleware
async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Errors become envelopes; what is in no table is a fault of ours: logged with its trace, told without."""
    try:
        return await handler(request)
    except Exception as error:
        if request.writer.output_size > 0:
            # Its head is out: that it is not whole can only be told by ending the connection.
            log.exception("answer breaks off", method=request.method, path=request.path)
            raise ConnectionResetError from error
        if isinstance(error, web.HTTPException):
            return refusal(error) or envelope(error.status, [], error.reason)
        answer = refusal(error)
        if answer is None:
            log.exception("request failed", method=request.method, path=request.path)
            return internal_error()
        if answer.status == UNAUTHORIZED:
            answer.headers[hdrs.WWW_AUTHENTICATE] = challenge(request)
        return answer
