"""What aiohttp's parser refuses before there is a request: told in the envelope, logged without what it held."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog
from aiohttp import http_exceptions, web

from api.envelope import internal_error, refusal
from write_side.domain.errors import Fault, Faults

if TYPE_CHECKING:
    from aiohttp.web_protocol import RequestHandler as Protocol
else:
    Protocol = web.RequestHandler

INTERNAL_SERVER_ERROR: Final = 500

log = structlog.get_logger(__name__)


class EnvelopeRunner(web.AppRunner):
    """An `AppRunner` whose refusals of malformed HTTP have the envelope (contract §1: every answer)."""

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        return _Server(made.request_handler, request_factory=made.request_factory, **self._kwargs)


class _Server(web.Server):
    def __call__(self) -> Protocol:
        return _Protocol(self, loop=self._loop, **self._kwargs)


class _Protocol(Protocol):
    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = INTERNAL_SERVER_ERROR,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - it quotes the request, and a token may be in it
    ) -> web.StreamResponse:
        if request.writer.output_size > 0:
            raise ConnectionError("the answer is under way already")
        if status == INTERNAL_SERVER_ERROR:
            log.error("request failed outside the application", exc_info=exc)
            answer = internal_error()
        else:
            log.info("malformed request", kind=type(exc).__name__)
            answer = refusal(Faults([Fault("", _told(exc))])) or internal_error()
        answer.force_close()
        return answer


def _told(wrong: BaseException | None) -> str:
    if isinstance(wrong, http_exceptions.LineTooLong):
        return "the request line or a header is too long"
    return "malformed HTTP request"
