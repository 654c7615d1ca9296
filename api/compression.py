"""JSON answers as small as their client can read them: br or gzip, as Accept-Encoding asks (RFC 9110 §12.5.3).

Images and files are compressed already or served by name; small answers fit into a packet. What takes longer than a
millisecond is compressed in a thread, which the compressors leave the interpreter's lock for.
"""

from __future__ import annotations

import asyncio
import re
import zlib
from typing import TYPE_CHECKING, Any, Final

import brotli
from aiohttp import ETag, hdrs, web
from aiohttp.payload import AsyncIterablePayload

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

COMPRESSED_TYPES: Final = frozenset({"application/json", "application/graphql-response+json"})
SMALLEST: Final = 1024
"""Bytes; what is smaller goes out in one packet anyway."""

INLINE: Final = 64 * 1024
"""Bytes that are compressed in some 0.2 ms: a thread would take as long to begin."""

BR: Final = "br"
GZIP: Final = "gzip"
IDENTITY: Final = "identity"
PREFERRED: Final = (BR, GZIP, IDENTITY)
"""Of codings that a client likes as much. br at 3 makes JSON smaller than gzip at 6, in a third of the time."""

BR_QUALITY: Final = 3
GZIP_LEVEL: Final = 3
GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS
"""zlib's way to say gzip."""

QUALITY: Final = re.compile(r"\s*q\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*", re.IGNORECASE)


class JsonParts(AsyncIterablePayload):
    """A large body in parts, as the connection takes them: joining tens of megabytes would hold the loop."""

    def __init__(self, parts: Sequence[bytes], content_type: str) -> None:
        super().__init__(_one_by_one(parts), content_type=content_type)
        self.parts = parts


async def _one_by_one(parts: Iterable[bytes]) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


def compressing(app: web.Application) -> None:
    """Compress the JSON answers of that application, its refusals too."""
    app.middlewares.insert(0, _compress)


@web.middleware
async def _compress(request: web.Request, handler: Handler) -> web.StreamResponse:
    answer = await handler(request)
    if not isinstance(answer, web.Response) or answer.content_type not in COMPRESSED_TYPES:
        return answer
    answer.headers.add(hdrs.VARY, hdrs.ACCEPT_ENCODING)
    body: Any = answer.body
    if hdrs.CONTENT_ENCODING in answer.headers or (isinstance(body, bytes) and len(body) < SMALLEST):
        return answer
    coding = negotiated(request.headers.getall(hdrs.ACCEPT_ENCODING, []))
    if coding == IDENTITY or not isinstance(body, bytes | JsonParts):
        return answer
    content_type = answer.headers[hdrs.CONTENT_TYPE]
    if isinstance(body, JsonParts):
        answer.body = AsyncIterablePayload(_in_turn(body.parts, _compressor(coding)), content_type=content_type)
    elif len(body) <= INLINE:
        answer.body = _at_once(body, coding)
    else:
        answer.body = await asyncio.to_thread(_at_once, body, coding)
    answer.headers[hdrs.CONTENT_TYPE] = content_type
    answer.headers[hdrs.CONTENT_ENCODING] = coding
    if answer.etag is not None:
        # The same to a reader, but not the same bytes.
        answer.etag = ETag(answer.etag.value, is_weak=True)
    return answer


def negotiated(accepted: Sequence[str]) -> str:
    """The coding of an answer: what the client likes most of PREFERRED. accepted: values of Accept-Encoding.

    A client that wants none of them, not even `identity`, gets that: it is better than nothing.
    """
    if not accepted:
        return IDENTITY
    asked = [_asked(part) for part in ",".join(accepted).lower().split(",") if part.strip()]
    likings = dict(asked)
    rest = likings.get("*", 0.0)
    liked = {BR: likings.get(BR, rest), GZIP: likings.get(GZIP, likings.get("x-gzip", rest))}
    # Not to be named is no refusal of what is sent as it is (RFC 9110 §12.5.3), but liked less than what is.
    liked[IDENTITY] = likings.get(IDENTITY, rest if "*" in likings else 0.0)
    best = max(PREFERRED, key=lambda coding: liked[coding])
    return best if liked[best] > 0 else IDENTITY


def _asked(part: str) -> tuple[str, float]:
    """A coding and how much it is liked: [0, 1]; 0 for what can't be understood."""
    coding, _, parameter = part.partition(";")
    if not parameter:
        return coding.strip(), 1.0
    quality = QUALITY.fullmatch(parameter)
    return coding.strip(), float(quality[1]) if quality else 0.0


def _at_once(body: bytes, coding: str) -> bytes:
    if coding == BR:
        compressed: bytes = brotli.compress(body, quality=BR_QUALITY)
        return compressed
    return zlib.compress(body, GZIP_LEVEL, wbits=GZIP_WINDOW)


class _Brotli:
    """brotli's compressor under zlib's names."""

    def __init__(self) -> None:
        made = brotli.Compressor(quality=BR_QUALITY)
        self.compress: Callable[[bytes], bytes] = made.process
        self.flush: Callable[[], bytes] = made.finish


def _compressor(coding: str) -> Any:  # noqa: ANN401 - zlib's has no public type
    return _Brotli() if coding == BR else zlib.compressobj(GZIP_LEVEL, wbits=GZIP_WINDOW)


async def _in_turn(parts: Iterable[bytes], compressor: Any) -> AsyncIterator[bytes]:  # noqa: ANN401 - as above
    for part in parts:
        compressed = (
            await asyncio.to_thread(compressor.compress, part) if len(part) > INLINE else compressor.compress(part)
        )
        if compressed:
            yield compressed
    yield await asyncio.to_thread(compressor.flush)
