"""What every call has in common: its body within limits, its idempotency key, its answer."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Final

from aiohttp import hdrs, web

from api.envelope import SUCCESS, envelope
from api.middleware import REQUEST_ID
from api.patience import PATIENCE
from api.refusals import PayloadTooLarge, UnsupportedMediaType
from api.services import SERVICES
from write_side.commands.dispatch import dispatch
from write_side.domain.errors import Fault, Faults
from write_side.ports import IdempotencyKey, Origin

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from api.multipart import Form
    from write_side.commands.wishes import Command

JSON: Final = "application/json"
IDEMPOTENCY_KEY: Final = "Idempotency-Key"
MAX_KEY_LENGTH: Final = 255
POSITION: Final = "Emsp-Position"
MIN_POSITION: Final = "Emsp-Min-Position"
POSITION_DIGITS: Final = 18
POSITIVE: Final = re.compile(rf"0*[1-9][0-9]{{0,{POSITION_DIGITS - 1}}}", re.ASCII)
IGNORED: Final = "Emsp-Ignored"
MAX_IGNORED_LENGTH: Final = 4_000
NO_ENCODINGS: Final = frozenset({"", "identity"})


async def json_body(request: web.Request) -> bytes:
    """The raw body of a JSON call. raises: UnsupportedMediaType, PayloadTooLarge."""
    charset = (request.charset or "utf-8").lower()
    encoding = request.headers.get(hdrs.CONTENT_ENCODING, "").lower()
    # A compressed body could be a bomb, and no client of the contract sends one.
    if request.content_type.lower() != JSON or charset not in {"utf-8", "utf8"} or encoding not in NO_ENCODINGS:
        raise UnsupportedMediaType
    return await limited_body(request, request.app[SERVICES].body_json_bytes)


async def limited_body(request: web.Request, limit_bytes: int) -> bytes:
    """The raw body, read no further than the limit. raises: as `limited_chunks`."""
    body = bytearray()
    async for chunk in limited_chunks(request, limit_bytes):
        body += chunk
    return bytes(body)


async def limited_chunks(request: web.Request, limit_bytes: int) -> AsyncIterator[bytes]:
    """The body as it comes, no further than the limit.

    raises: PayloadTooLarge, BodyTooSlow; Faults where it breaks off
    """
    if (request.content_length or 0) > limit_bytes:
        raise PayloadTooLarge
    left_bytes = limit_bytes
    try:
        async for chunk in request.app[PATIENCE].chunks(request.content):
            left_bytes -= len(chunk)
            if left_bytes < 0:
                raise PayloadTooLarge
            yield chunk
    except (ConnectionResetError, web.RequestPayloadError):
        raise Faults([Fault("", "the body breaks off")]) from None


def min_position(request: web.Request) -> int | None:
    """The position that the views must have reached for this caller; None where none is named.

    raises: Faults  it is no positive integer
    """
    given = request.headers.getall(MIN_POSITION, [])
    if not given:
        return None
    text = given[0].strip()
    if len(given) > 1 or not POSITIVE.fullmatch(text):
        raise Faults([Fault(MIN_POSITION, "must be a positive integer")])
    return int(text)


async def answer(request: web.Request, command: Command, *, actor: str, body: bytes | Form) -> web.Response:
    """Dispatch the command of a call and answer it. actor: who calls (`cpo:PH/ABC`); body: for the idempotency key."""
    origin = Origin(request[REQUEST_ID], actor, _key_of(request, actor, body))
    accepted = await dispatch(command, origin, request.app[SERVICES].world)
    headers = {POSITION: str(accepted.position)}
    if accepted.ignored:
        headers[IGNORED] = _shortened(", ".join(accepted.ignored))
    return envelope(200, accepted.data, SUCCESS, headers)


def _shortened(text: str) -> str:
    return text if len(text) <= MAX_IGNORED_LENGTH else text[:MAX_IGNORED_LENGTH].rpartition(", ")[0] + ", ..."


def _key_of(request: web.Request, actor: str, body: bytes | Form) -> IdempotencyKey | None:
    key = request.headers.get(IDEMPOTENCY_KEY)
    if key is None:
        return None
    if not 1 <= len(key) <= MAX_KEY_LENGTH or not key.isprintable():
        raise Faults([Fault(IDEMPOTENCY_KEY, f"expected 1 to {MAX_KEY_LENGTH} printable characters")])
    scope = f"{actor} {request.method} {request.rel_url.raw_path}"
    fingerprint = hashlib.sha256(body).digest() if isinstance(body, bytes) else body.fingerprint
    return IdempotencyKey(scope, key, fingerprint)
