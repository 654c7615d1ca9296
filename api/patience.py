"""How long a body may take to come: who sends a byte now and then would hold a connection for ever."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aiohttp import web

from api.refusals import BodyTooSlow

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiohttp import StreamReader


@dataclass(frozen=True, slots=True)
class Patience:
    """wait_s: how long a body is waited for; bytes_per_s: so many that come win a second of it back."""

    wait_s: float = 20.0
    bytes_per_s: int = 8_192

    async def chunks(self, content: StreamReader) -> AsyncIterator[bytes]:
        """The body as it comes. Only waiting counts, not what is done with a chunk.

        raises: BodyTooSlow; what aiohttp raises when the body breaks off
        """
        loop = asyncio.get_running_loop()
        left_s = self.wait_s
        while not content.at_eof():
            began = loop.time()
            chunk = content.read_nowait()
            if not chunk:
                try:
                    async with asyncio.timeout(left_s):
                        chunk = await content.readany()
                except TimeoutError:
                    raise BodyTooSlow from None
            left_s = min(self.wait_s, left_s - (loop.time() - began) + len(chunk) / self.bytes_per_s)
            if chunk:
                yield chunk


PATIENCE: Final = web.AppKey("patience", Patience)
"""Where an application keeps its own."""
