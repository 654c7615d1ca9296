"""`GET /openapi.json`: the table of calls and the forms of their bodies, as OpenAPI 3.1. Nothing is written twice."""

from __future__ import annotations

import re
from http import HTTPStatus
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from aiohttp import hdrs
from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from api.auth import Auth
from api.calls import IDEMPOTENCY_KEY, IGNORED, JSON, MAX_KEY_LENGTH, MIN_POSITION, POSITION, POSITION_DIGITS
from api.csv_cells import COLUMNS
from api.described import CODE, NO_CONTROLS, PRINTABLE
from api.envelope import STATUS_OF
from api.handlers.images import IMAGE, TYPES
from api.middleware import REQUEST_ID_HEADER
from api.multipart import FORM_DATA, Upload
from api.values import MAX_INT, SHORT
from write_side.domain.errors import VALIDATION_ERROR, IdempotencyKeyReused

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pydantic.json_schema import JsonSchemaMode

    from api.routes import Route

    Json = dict[str, Any]

SCHEMAS: Final = "#/components/schemas/"
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
    str(hdrs.CACHE_CONTROL): {"schema": TEXT, "description": "no-store"},
    str(hdrs.WWW_AUTHENTICATE): {"schema": TEXT, "description": "the scheme that the call takes"},
    str(hdrs.ALLOW): {"schema": TEXT, "description": "the methods that the path takes"},
    str(hdrs.RETRY_AFTER): {"schema": POSITIVE, "description": "seconds until it is worth another try"},
}
TAGS: Final = {"R": "REST", "W": "Webhooks"}

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

PATH_PARAMETERS: Final[dict[str, Json]] = {
    "location_id": {"type": "integer", "minimum": 1, "maximum": MAX_INT},
    "photo_id": {"type": "integer", "minimum": 1, "maximum": MAX_INT},
}
"""Those that are not just text."""

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


class Untitled(GenerateJsonSchema):
    """Fields have names; a title beside each says nothing more."""

    def field_title_should_be_set(self, schema: object) -> bool:  # noqa: ARG002 - pydantic's
        """Never."""
        return False


def document(routes: Iterable[Route]) -> Json:
    """The API as OpenAPI 3.1."""
    routes = tuple(routes)
    schemas, definitions = _schemas(routes)
    paths: Json = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schemas, definitions)
    paths[IMAGE] = {"get": _image()}
    return {
        "openapi": "3.1.0",
        "info": {"title": "EMSP", "version": version("emsp"), "description": "E-mobility service provider, API v2"},
        "paths": paths,
        "components": {
            "schemas": definitions,
            "responses": {_name(status): _refused(status, texts) for status, texts in _messages().items()},
            "headers": {name: one | {"required": name not in OPTIONAL} for name, one in HEADERS.items()},
            "parameters": {
                name: {"name": name, "in": "header", "required": False, **one} for name, one in PARAMETERS.items()
            },
            "securitySchemes": {scheme.value: one for scheme, one in SCHEMES.items()},
        },
    }


def _image() -> Json:
    """The one answer of the contract that is no JSON."""
    return {
        "operationId": "image",
        "summary": "A stored image, to everybody",
        "description": "Never changes under its name: it may be kept for a year.",
        "tags": [TAGS["R"]],
        "security": [],
        "parameters": [{"name": "name", "in": "path", "required": True, "schema": TEXT}],
        "responses": {
            "200": {"description": "the image", "content": {kind: {} for kind in sorted({*TYPES.values()})}},
            "304": {"description": "the image is the one that If-None-Match names"},
            **{str(status): {"$ref": f"#/components/responses/{_name(status)}"} for status in (404, 500, 503)},
        },
    }


def _schemas(routes: tuple[Route, ...]) -> tuple[dict[tuple[str, str], Json], Json]:
    """The schema of each call's answer and body, by its name, and what they refer to."""
    wanted: list[tuple[str, JsonSchemaMode, TypeAdapter[Any]]] = []
    for route in routes:
        wanted.append((_id(route), "serialization", TypeAdapter(route.answer)))
        if isinstance(route.body, type):
            wanted.append((_id(route), "validation", TypeAdapter(route.body)))
    schemas, definitions = TypeAdapter.json_schemas(wanted, ref_template=SCHEMAS + "{model}", schema_generator=Untitled)
    return {(name, str(mode)): schema for (name, mode), schema in schemas.items()}, definitions.get("$defs", {})


def _id(route: Route) -> str:
    return route.handler.__name__


def _operation(route: Route, schemas: dict[tuple[str, str], Json], definitions: Json) -> Json:
    body = _body(route, schemas)
    operation: Json = {
        "operationId": _id(route),
        "summary": route.summary,
        "description": f"{route.row} of the contract.",
        "tags": [TAGS[route.row[0]]],
        "security": [{scheme.value: []} for scheme in route.auth],
        "parameters": [*_path_parameters(route), *_query_parameters(route), *_header_parameters(route)],
        "responses": {
            "200": _accepted(route, schemas[_id(route), "serialization"]),
            "400": _faulty(sorted(_codes(route, body, definitions)), ROW_FAULTS if route.reads_rows else FAULTS),
            **{str(status): {"$ref": f"#/components/responses/{_name(status)}"} for status in _statuses(route)},
        },
    }
    return operation | ({"requestBody": body} if body else {})


def _path_parameters(route: Route) -> list[Json]:
    names = re.findall(r"{(\w+)}", route.path)
    return [{"name": name, "in": "path", "required": True, "schema": PATH_PARAMETERS.get(name, TEXT)} for name in names]


def _query_parameters(route: Route) -> list[Json]:
    if route.query is None:
        return []
    fields = TypeAdapter(route.query).json_schema(schema_generator=Untitled)["properties"]
    return [{"name": name, "in": "query", "required": False, "schema": schema} for name, schema in fields.items()]


def _header_parameters(route: Route) -> list[Json]:
    names = [REQUEST_ID_HEADER]
    names += [IDEMPOTENCY_KEY] if route.appends else []
    names += [MIN_POSITION] if route.awaits_views else []
    return [{"$ref": f"#/components/parameters/{name}"} for name in names]


def _body(route: Route, schemas: dict[tuple[str, str], Json]) -> Json:
    match route.body:
        case None:
            return {}
        case Upload(key, at_most, fields):
            file = {"type": "string", "contentMediaType": "application/octet-stream"}
            properties = {key: file if at_most == 1 else {"type": "array", "items": file, "maxItems": at_most}}
            schema = {
                "type": "object",
                "propertyNames": {"minLength": 1, "maxLength": SHORT, "pattern": NO_CONTROLS},
                "required": [key, *fields],
                "properties": properties | dict.fromkeys(fields, TEXT),
            }
            return {"required": True, "content": {FORM_DATA: {"schema": schema}}}
    return {"required": True, "content": {JSON: {"schema": schemas[_id(route), "validation"]}}}


def _codes(route: Route, body: Json, definitions: Json) -> Iterator[str]:
    yield VALIDATION_ERROR
    yield from (refusal.rule for refusal in route.refusals)
    yield from _codes_in(body, definitions)
    if route.reads_rows and isinstance(route.body, Upload):
        yield from _codes_in([column.type.json_schema() for column in COLUMNS], {})
    if route.appends:
        yield IdempotencyKeyReused.rule
    if Auth.MACHINE in route.auth:
        yield "INVALID_COUNTRY_CODE"


def _codes_in(schema: object, definitions: Json) -> Iterator[str]:
    """The rules that the forms of a body name, through all its references."""
    match schema:
        case {"$ref": str(reference)}:
            yield from _codes_in(definitions[reference.removeprefix(SCHEMAS)], definitions)
        case dict():
            yield from [schema[CODE]] if CODE in schema else []
            for inner in schema.values():
                yield from _codes_in(inner, definitions)
        case list():
            for inner in schema:
                yield from _codes_in(inner, definitions)


def _statuses(route: Route) -> Iterator[int]:
    """The answers of the error table that a call may have, beside 400."""
    yield from (401, 403) if route.auth else ()
    yield from (408, 413, 415) if route.body is not None else ()
    yield from (429,) if route.auth else ()
    yield from (500, 503)


def _accepted(route: Route, data: Json) -> Json:
    headers = [REQUEST_ID_HEADER, *([POSITION] if route.appends else []), *route.headers]
    return _response("done", _envelope(200, {"const": route.message}, data), headers)


def _faulty(codes: list[str], faults: Json) -> Json:
    pattern = f"^({'|'.join(codes)})(:|$)"
    text = f"one of {', '.join(codes)}; some with `:` and what they are about"
    answer = _response(text, _envelope(400, {"type": "string", "pattern": pattern}, faults), [REQUEST_ID_HEADER])
    return answer | {"x-codes": codes}


def _refused(status: int, messages: list[str]) -> Json:
    headers = [REQUEST_ID_HEADER, *HEADERS_OF.get(status, ())]
    return _response(HTTPStatus(status).phrase, _envelope(status, {"enum": messages}, NOTHING), headers)


def _messages() -> dict[int, list[str]]:
    """Every refusal but 400, and what it says: the table of errors, and a fault of ours."""
    told: dict[int, list[str]] = {500: ["Internal Server Error"]}
    for status, message in STATUS_OF.values():
        if status != HTTPStatus.BAD_REQUEST and message not in told.setdefault(status, []):
            told[status].append(str(message))
    return dict(sorted(told.items()))


def _name(status: int) -> str:
    return HTTPStatus(status).phrase.title().replace(" ", "")


def _envelope(status: int, message: Json, data: Json) -> Json:
    properties = {"status": {"const": status}, "data": data, "message": message}
    return {"type": "object", "required": [*properties], "properties": properties}


def _response(description: str, schema: Json, headers: list[str]) -> Json:
    return {
        "description": description,
        "content": {JSON: {"schema": schema}},
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in headers},
    }
