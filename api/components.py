"""What the descriptions of several calls share: headers, schemes of authorization, refusals (contract §1)."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, Final

from aiohttp import hdrs

from api.auth import Auth
from api.calls import IDEMPOTENCY_KEY, IGNORED, JSON, MAX_KEY_LENGTH, MIN_POSITION, POSITION, POSITION_DIGITS
from api.described import PRINTABLE
from api.envelope import STATUS_OF
from api.middleware import REQUEST_ID_HEADER
from api.values import MAX_INT

Json = dict[str, Any]

TEXT: Final = {"type": "string"}
POSITIVE: Final = {"type": "integer", "minimum": 1}

SCHEMES: Final[dict[Auth, Json]] = {
    Auth.CLIENT: {"type": "http", "scheme": "basic", "description": "an application that is known: client and secret"},
    Auth.USER: {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "the access token of a CPO's user, by login",
    },
    Auth.REFRESH: {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "the refresh token of a CPO's user, by login",
    },
    Auth.MACHINE: {"type": "http", "scheme": "bearer", "description": "a CPO's Token C, by mail after registration"},
}

HEADERS: Final[dict[str, Json]] = {
    REQUEST_ID_HEADER: {"schema": TEXT, "description": "the request's id, in the log too; yours where you sent one"},
    POSITION: {"schema": POSITIVE, "description": f"of the last event; a later query names it in {MIN_POSITION}"},
    IGNORED: {"schema": TEXT, "description": "fields that differ from the known location's and were not changed"},
    str(hdrs.CACHE_CONTROL): {"schema": TEXT, "description": "who may keep the answer, and how long"},
    str(hdrs.ETAG): {"schema": TEXT, "description": "changes with the content"},
    str(hdrs.WWW_AUTHENTICATE): {"schema": TEXT, "description": "the scheme that the call takes"},
    str(hdrs.ALLOW): {"schema": TEXT, "description": "the methods that the path takes"},
    str(hdrs.RETRY_AFTER): {"schema": POSITIVE, "description": "seconds until it is worth another try"},
}
OPTIONAL: Final = frozenset({IGNORED})
"""Headers that an answer may lack."""

HEADERS_OF: Final = {
    401: (str(hdrs.WWW_AUTHENTICATE),),
    405: (str(hdrs.ALLOW),),
    429: (str(hdrs.RETRY_AFTER),),
    503: (str(hdrs.RETRY_AFTER),),
}

PARAMETERS: Final[dict[str, Json]] = {
    REQUEST_ID_HEADER: {"schema": TEXT, "description": "an id of yours for this request"},
    IDEMPOTENCY_KEY: {
        "schema": {"type": "string", "minLength": 1, "maxLength": MAX_KEY_LENGTH, "pattern": PRINTABLE},
        "description": "the same key and body answer what they answered the first time, and change nothing",
    },
    MIN_POSITION: {
        "schema": POSITIVE | {"maximum": 10**POSITION_DIGITS - 1},
        "description": f"wait until the views have reached the {POSITION} of a command",
    },
}

VALUES: Final[dict[str, Json]] = {
    "location_id": {"type": "integer", "minimum": 1, "maximum": MAX_INT},
    "photo_id": {"type": "integer", "minimum": 1, "maximum": MAX_INT},
}
"""Those that are not just text, in a path or a form."""

FAULTS: Final[Json] = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["field", "message"],
        "properties": {"field": TEXT, "message": TEXT, "code": TEXT},
    },
}
ROW_FAULTS: Final[Json] = {
    "type": "array",
    "items": {
        "anyOf": [
            FAULTS["items"],
            {
                "type": "object",
                "required": ["row", "column", "code", "message"],
                "properties": {"row": POSITIVE, "column": TEXT, "code": TEXT, "message": TEXT},
            },
        ]
    },
}
"""Of a file: what is wrong with its rows, or with its form (contract §4)."""

NOTHING: Final[Json] = {"type": "array", "maxItems": 0}


def components(schemas: Json) -> Json:
    """All that the calls refer to. schemas: of bodies and answers."""
    return {
        "schemas": schemas,
        "responses": {name_of(status): _refusal(status, texts) for status, texts in _messages().items()},
        "headers": {name: one | {"required": name not in OPTIONAL} for name, one in HEADERS.items()},
        "parameters": {
            name: {"name": name, "in": "header", "required": False, **one} for name, one in PARAMETERS.items()
        },
        "securitySchemes": {scheme.value: one for scheme, one in SCHEMES.items()},
    }


def refusals(*statuses: int) -> Json:
    """These answers of the error table, by status."""
    return {str(status): {"$ref": f"#/components/responses/{name_of(status)}"} for status in sorted(statuses)}


def _refusal(status: int, messages: list[str]) -> Json:
    schema = envelope(status, {"enum": messages}, NOTHING)
    return response(HTTPStatus(status).phrase, schema, HEADERS_OF.get(status, ()))


def _messages() -> dict[int, list[str]]:
    """Every refusal but 400, and what it says: the table of errors, and a fault of ours."""
    told: dict[int, list[str]] = {500: ["Internal Server Error"]}
    for status, message in STATUS_OF.values():
        if status != HTTPStatus.BAD_REQUEST and message not in told.setdefault(status, []):
            told[status].append(str(message))
    return dict(sorted(told.items()))


def name_of(status: int) -> str:
    """What the document calls the answer of that status."""
    return HTTPStatus(status).phrase.title().replace(" ", "")


def envelope(status: int, message: Json, data: Json) -> Json:
    """The schema of an answer. message, data: theirs."""
    properties = {"status": {"const": status}, "data": data, "message": message}
    return {"type": "object", "required": [*properties], "properties": properties}


def response(description: str, schema: Json, headers: Iterable[str] = ()) -> Json:
    """An answer of that schema, with X-Request-ID and those headers."""
    return {"description": description, "content": {JSON: {"schema": schema}}, "headers": headers_of(*headers)}


def headers_of(*names: str) -> Json:
    """X-Request-ID and these, as an answer refers to them."""
    return {str(name): {"$ref": f"#/components/headers/{name}"} for name in (REQUEST_ID_HEADER, *names)}


def parameters_of(*names: str) -> list[Json]:
    """X-Request-ID and these headers, as a call refers to them."""
    return [{"$ref": f"#/components/parameters/{name}"} for name in (REQUEST_ID_HEADER, *names)]
