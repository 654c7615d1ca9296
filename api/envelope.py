"""The one shape of every answer, and the one table where an error's class meets an HTTP status (contract §1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import orjson
from aiohttp import web

from api.refusals import (
    BodyTooSlow,
    Forbidden,
    InvalidCountryCode,
    PayloadTooLarge,
    TooManyRequests,
    UnsupportedMediaType,
)
from read_side.errors import Unavailable
from write_side.accounts.tokens import RefreshTokenReused, TokenExpired, TooManyTries, Unauthorized
from write_side.domain.errors import (
    VALIDATION_ERROR,
    DomainError,
    Fault,
    Faults,
    GeocoderOutOfReach,
    ImagesOutOfReach,
    StoreOutOfReach,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

SUCCESS: Final = "Success"
NOTHING: Final[list[object]] = []
RETRY_AFTER_S: Final = 2

STATUS_OF: Final[dict[type[Exception], tuple[int, str | None]]] = {
    Faults: (400, None),
    DomainError: (400, None),
    InvalidCountryCode: (400, "INVALID_COUNTRY_CODE"),
    TokenExpired: (401, "Token Expired"),
    Unauthorized: (401, "Unauthorized"),
    Forbidden: (403, "Forbidden"),
    RefreshTokenReused: (403, "Forbidden"),
    web.HTTPNotFound: (404, "Not Found"),
    web.HTTPMethodNotAllowed: (405, "Method Not Allowed"),
    BodyTooSlow: (408, "REQUEST_TIMEOUT"),
    PayloadTooLarge: (413, "PAYLOAD_TOO_LARGE"),
    UnsupportedMediaType: (415, "UNSUPPORTED_MEDIA_TYPE"),
    TooManyRequests: (429, "TOO_MANY_REQUESTS"),
    TooManyTries: (429, "TOO_MANY_REQUESTS"),
    StoreOutOfReach: (503, "SERVICE_UNAVAILABLE"),
    GeocoderOutOfReach: (503, "SERVICE_UNAVAILABLE"),
    ImagesOutOfReach: (503, "SERVICE_UNAVAILABLE"),
    Unavailable: (503, "SERVICE_UNAVAILABLE"),
}
"""Status and message; a message of None is the error's own code. The first class that fits counts."""


def envelope(status: int, data: object, message: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """`{"status", "data", "message"}` as JSON."""
    body = orjson.dumps({"status": status, "data": data, "message": message})
    return web.Response(body=body, status=status, headers=headers, content_type="application/json")


def refusal(error: Exception) -> web.Response | None:
    """The answer to an error of the table, or None: then it is a fault of ours."""
    for kind, (status, message) in STATUS_OF.items():
        if isinstance(error, kind):
            text = getattr(error, "code", "") if message is None else message
            answer = envelope(status, _data_of(error), text, _headers_of(error, status))
            if isinstance(error, BodyTooSlow):
                # What still comes of it is no next request.
                answer.force_close()
            return answer
    return None


def internal_error() -> web.Response:
    """The answer to a fault of ours: no word about it; the log has it under the request's id."""
    return envelope(500, NOTHING, "Internal Server Error")


def _data_of(error: Exception) -> list[object]:
    if not isinstance(error, Faults):
        return NOTHING
    if any(fault.row is not None for fault in error.faults):
        return [_row_entry(fault) for fault in error.faults]
    # Where a rule is among them each entry says its own code; faults of form alone share the message's.
    is_coded = any(fault.rule != VALIDATION_ERROR for fault in error.faults)
    return [_entry(fault, is_coded=is_coded) for fault in error.faults]


def _entry(fault: Fault, *, is_coded: bool) -> dict[str, str]:
    entry = {"field": fault.field, "message": fault.message}
    return entry | {"code": fault.code} if is_coded else entry


def _row_entry(fault: Fault) -> dict[str, object]:
    """A fault of a CSV file (contract §4)."""
    return {"row": fault.row, "column": fault.field, "code": fault.code, "message": fault.message}


def _headers_of(error: Exception, status: int) -> dict[str, str]:
    match error:
        case web.HTTPMethodNotAllowed():
            return {"Allow": ", ".join(sorted(error.allowed_methods))}
        case TooManyRequests() | TooManyTries() | GeocoderOutOfReach():
            return {"Retry-After": str(error.retry_after_s)}
        case _:
            return {"Retry-After": str(RETRY_AFTER_S)} if status == web.HTTPServiceUnavailable.status_code else {}
