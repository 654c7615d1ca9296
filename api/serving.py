"""Serving an application on a port, and ending without cutting off what is under way."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import structlog
from aiohttp import hdrs, web

from api.protocol import EnvelopeRunner

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

LOOK_S: Final = 0.02
"""How often connections are looked at while the last requests end."""

CANCEL_S: Final = 1.0
"""What is cancelled at last has so long to tidy up."""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Ending:
    """Whether this process is about to end: then it is not ready, and takes no new requests."""

    has_begun: bool = False

    async def fault(self) -> str | None:
        """For `/readyz`."""
        return "stopping" if self.has_begun else None


@dataclass(frozen=True, slots=True)
class Manners:
    """How connections are treated.

    idle_s: one without a whole request head for so long is closed; shutdown_s: how long requests that are under way
    may take to end; new_request_id: for what is too malformed to be a request.
    """

    idle_s: float
    shutdown_s: float
    new_request_id: Callable[[], str]
    ending: Ending = field(default_factory=Ending)


@asynccontextmanager
async def serving(app: web.Application, host: str, port: int, manners: Manners) -> AsyncIterator[int]:
    """The application answers there meanwhile; yields its port. Requests under way end before this does."""

    async def say_goodbye(_request: web.Request, response: web.StreamResponse) -> None:
        if manners.ending.has_begun:
            response.force_close()
            response.headers[hdrs.CONNECTION] = "close"

    app.on_response_prepare.append(say_goodbye)
    runner = EnvelopeRunner(app, idle_s=manners.idle_s, cancel_s=CANCEL_S, new_request_id=manners.new_request_id)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield runner.addresses[0][1]
    finally:
        manners.ending.has_begun = True
        await _drain(runner, manners.shutdown_s)
        await runner.cleanup()


async def _drain(runner: EnvelopeRunner, at_most_s: float) -> None:
    """No new connections; idle ones are closed; the others are closed when their request is answered.

    aiohttp's own clean-up stops reading at once, so that a body that is on its way never arrives.
    """
    for site in runner.sites:
        await site.stop()
    with suppress(TimeoutError):
        async with asyncio.timeout(at_most_s):
            while runner.close_idle():  # noqa: ASYNC110 - aiohttp tells nobody when a request is answered
                await asyncio.sleep(LOOK_S)
    if cut_off := runner.close_idle():
        log.warning("requests cut off", requests=cut_off, after_s=at_most_s)
