"""The calls whose answers have no envelope, as the API's description tells of them: GraphQL, images, health."""

from __future__ import annotations

from typing import Final

from aiohttp import hdrs

from api.auth import Auth
from api.calls import JSON, MIN_POSITION
from api.components import HEADERS_OF, TEXT, Json, headers_of, parameters_of, refusals
from api.handlers import graphql
from api.handlers.images import IMAGE, NAME, TYPES

OBJECT: Final[Json] = {"type": ["object", "null"]}
QUERY: Final[Json] = {"type": "string", "minLength": 1}

REQUEST: Final[Json] = {
    "type": "object",
    "required": ["query"],
    "properties": {
        "query": QUERY,
        "operationName": {"type": ["string", "null"]},
        "variables": OBJECT,
        "extensions": OBJECT,
    },
}
EXAMPLE: Final[Json] = {"query": "{ find_ev_locations(limit: 1) { id name city evses { uid status } } }"}
ERROR: Final[Json] = {
    "type": "object",
    "required": ["message", "extensions"],
    "properties": {
        "message": TEXT,
        "locations": {"type": "array"},
        "path": {"type": "array"},
        "extensions": {
            "type": "object",
            "required": ["code", "status"],
            "properties": {"code": {"enum": [*graphql.STATUS_OF]}, "status": {"type": "integer"}},
        },
    },
}
ANSWER: Final[Json] = {
    "type": "object",
    "anyOf": [{"required": ["data"]}, {"required": ["errors"]}],
    "properties": {"data": OBJECT, "errors": {"type": "array", "minItems": 1, "items": ERROR}, "extensions": OBJECT},
}
WHY: Final = {
    400: "no GraphQL request that could be run",
    405: "a mutation by GET",
    406: "the answer can't be of the media type that is asked for",
    408: "the body comes too slowly",
    413: "the body is too large",
    415: "the body is no JSON",
    429: "too many requests",
    503: "the views are out of reach, or not yet at the position that is named",
}


def unenveloped_paths() -> Json:
    """Their paths."""
    return {
        graphql.PATH: {"post": _graphql_by_post(), "get": _graphql_by_get()},
        IMAGE: {"get": _image()},
        "/healthz": {"get": _health("healthz", "Whether the process is up", {"200": _told("text/plain", TEXT)})},
        "/readyz": {
            "get": _health(
                "readyz",
                "Whether it can do its work, or what is wrong",
                {status: _told(JSON, _readiness(is_ready=status == "200")) for status in ("200", "503")},
            )
        },
    }


def _graphql_by_post() -> Json:
    body = {"required": True, "content": {JSON: {"schema": REQUEST, "example": EXAMPLE}}}
    return _graphql("graphql", "Ask in GraphQL", [400, 406, 408, 413, 415, 429, 503]) | {"requestBody": body}


def _graphql_by_get() -> Json:
    operation = _graphql(
        "graphql_by_get", "Ask in GraphQL; a browser without a query gets GraphiQL", [400, 405, 406, 429, 503]
    )
    operation["parameters"] += [
        {"name": "query", "in": "query", "required": True, "schema": QUERY},
        {"name": "operationName", "in": "query", "schema": TEXT},
        *({"name": name, "in": "query", "content": {JSON: {"schema": OBJECT}}} for name in ("variables", "extensions")),
    ]
    operation["responses"]["200"]["content"][graphql.HTML] = {"schema": TEXT}
    return operation


def _graphql(name: str, summary: str, statuses: list[int]) -> Json:
    answers = {str(status): _answered(WHY[status], *HEADERS_OF.get(status, ())) for status in statuses}
    return {
        "operationId": name,
        "summary": summary,
        "description": "Contract §5. Introspection needs no token; fields that do say so in `errors`.",
        "tags": ["GraphQL"],
        "security": [{Auth.CLIENT.value: []}, {Auth.USER.value: []}, {}],
        "parameters": parameters_of(MIN_POSITION),
        "responses": {"200": _answered("run"), **dict(sorted((answers | refusals(500)).items()))},
    }


def _answered(description: str, *headers: str) -> Json:
    content = {JSON: {"schema": ANSWER}, graphql.GRAPHQL_RESPONSE: {"schema": ANSWER}}
    return {"description": description, "content": content, "headers": headers_of(*headers)}


def _image() -> Json:
    content: Json = {media_type: {} for media_type in dict.fromkeys(TYPES.values())}
    headers = headers_of(hdrs.CACHE_CONTROL, hdrs.ETAG)
    return {
        "operationId": "image",
        "summary": "A logo or a photo",
        "description": "Contract §2. For everybody who knows the name.",
        "tags": ["Images"],
        "security": [],
        "parameters": [
            {
                "name": "name",
                "in": "path",
                "required": True,
                "schema": {"type": "string", "pattern": f"^{NAME.pattern}$"},
            },
            *parameters_of(),
        ],
        "responses": {
            "200": {"description": "the image", "content": content, "headers": headers},
            "304": {"description": "the image that the client has", "headers": headers},
            **refusals(404, 500, 503),
        },
    }


def _health(name: str, summary: str, answers: Json) -> Json:
    return {
        "operationId": name,
        "summary": summary,
        "tags": ["Health"],
        "security": [],
        "parameters": parameters_of(),
        "responses": answers | refusals(500),
    }


def _told(media_type: str, schema: Json) -> Json:
    return {"description": "what is so", "content": {media_type: {"schema": schema}}, "headers": headers_of()}


def _readiness(*, is_ready: bool) -> Json:
    faults = {"type": "object", "additionalProperties": TEXT} | (
        {"maxProperties": 0} if is_ready else {"minProperties": 1}
    )
    return {
        "type": "object",
        "required": ["ready", "faults", "notes"],
        "properties": {
            "ready": {"const": is_ready},
            "faults": faults,
            "notes": {"type": "object", "additionalProperties": TEXT},
        },
    }
