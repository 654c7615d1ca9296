"""aiohttp's connections with manners of ours.

What its parser refuses before there is a request is told in the envelope, and logged without what it held; and it is
known which connections are idle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog
from aiohttp import hdrs, http_exceptions, web

from api.envelope import internal_error, refusal
from api.middleware import REQUEST_ID_HEADER, SERVER
from write_side.domain.errors import Fault, Faults

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp.web_protocol import RequestHandler as Protocol
else:
    Protocol = web.RequestHandler

INTERNAL_SERVER_ERROR: Final = 500
LINGER_S: Final = 10.0
"""So long the rest of a body is read and dropped after its refusal: a sender that is cut off may miss the answer."""

log = structlog.get_logger(__name__)


class EnvelopeRunner(web.AppRunner):
    """An `AppRunner` whose refusals of malformed HTTP have the envelope (contract §1: every answer).

    idle_s: a connection without a whole request head for so long is closed; cancel_s: at the end, how long what is
    cancelled may take to tidy up; new_request_id: for what is too malformed to be a request
    """

    def __init__(
        self, app: web.Application, *, idle_s: float, cancel_s: float, new_request_id: Callable[[], str]
    ) -> None:
        super().__init__(
            app,
            access_log=None,
            keepalive_timeout=idle_s,
            lingering_time=min(idle_s, LINGER_S),
            shutdown_timeout=cancel_s,
            handler_cancellation=False,
        )
        self._new_request_id = new_request_id

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        server = _Server(made.request_handler, request_factory=made.request_factory, **self._kwargs)
        server.new_request_id = self._new_request_id
        return server

    def close_idle(self) -> int:
        """Close the connections that wait for a request. Answers how many are answering one."""
        busy = 0
        for connection in self.server.connections if self.server else ():
            if isinstance(connection, _Protocol) and connection.is_busy:
                busy += 1
            else:
                connection.force_close()
        return busy


class _Server(web.Server):
    new_request_id: Callable[[], str]

    def __call__(self) -> Protocol:
        protocol = _Protocol(self, loop=self._loop, **self._kwargs)
        protocol.new_request_id = self.new_request_id
        return protocol


class _Protocol(Protocol):
    __slots__ = ("new_request_id",)

    new_request_id: Callable[[], str]

    @property
    def is_busy(self) -> bool:
        """Whether a request is being answered, or has come."""
        return self._request_in_progress or bool(self._messages)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = INTERNAL_SERVER_ERROR,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - it quotes the request, and a token may be in it
    ) -> web.StreamResponse:
        if request.writer.output_size > 0:
            raise ConnectionError("the answer is under way already")
        request_id = self.new_request_id()
        if status == INTERNAL_SERVER_ERROR:
            log.error("request failed outside the application", exc_info=exc, request_id=request_id)
            answer = internal_error()
        else:
            log.info("malformed request", kind=type(exc).__name__, request_id=request_id)
            answer = refusal(Faults([Fault("", _told(exc))])) or internal_error()
        answer.headers.update({REQUEST_ID_HEADER: request_id, hdrs.SERVER: SERVER})
        answer.force_close()
        return answer


def _told(wrong: BaseException | None) -> str:
    if isinstance(wrong, http_exceptions.LineTooLong):
        return "the request line or a header is too long"
    return "malformed HTTP request"
