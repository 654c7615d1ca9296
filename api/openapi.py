"""`GET /openapi.json`: the table of calls and the forms of their bodies, as OpenAPI 3.1. Nothing is written twice."""

from __future__ import annotations

import re
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from aiohttp import hdrs
from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from api.auth import Auth
from api.calls import IDEMPOTENCY_KEY, JSON, MIN_POSITION, POSITION
from api.components import (
    FAULTS,
    ROW_FAULTS,
    TEXT,
    VALUES,
    Json,
    components,
    envelope,
    parameters_of,
    refusals,
    response,
)
from api.csv_cells import COLUMNS
from api.described import CODE, NO_CONTROLS
from api.examples import EXAMPLES
from api.multipart import FORM_DATA, Upload
from api.unenveloped import unenveloped_paths
from api.values import SHORT
from write_side.domain.errors import VALIDATION_ERROR, IdempotencyKeyReused

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pydantic.json_schema import JsonSchemaMode

    from api.forms import Body
    from api.route import Route

SCHEMAS: Final = "#/components/schemas/"
TAGS: Final = {"R": "REST", "W": "Webhooks"}


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
    return {
        "openapi": "3.1.0",
        "info": {"title": "EMSP", "version": version("emsp"), "description": "E-mobility service provider, API v2"},
        "paths": paths | unenveloped_paths(),
        "components": components(definitions),
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
            **refusals(*_statuses(route)),
        },
    }
    return operation | ({"requestBody": body} if body else {})


def _path_parameters(route: Route) -> list[Json]:
    names = re.findall(r"{(\w+)}", route.path)
    return [{"name": name, "in": "path", "required": True, "schema": VALUES.get(name, TEXT)} for name in names]


def _query_parameters(route: Route) -> list[Json]:
    if route.query is None:
        return []
    fields = TypeAdapter(route.query).json_schema(schema_generator=Untitled)["properties"]
    return [{"name": name, "in": "query", "required": False, "schema": schema} for name, schema in fields.items()]


def _header_parameters(route: Route) -> list[Json]:
    return parameters_of(
        *([IDEMPOTENCY_KEY] if route.appends else []),
        *([MIN_POSITION] if route.awaits_views else []),
    )


def _body(route: Route, schemas: dict[tuple[str, str], Json]) -> Json:
    match route.body:
        case None:
            return {}
        case Upload() as upload:
            return {"required": True, "content": {FORM_DATA: _form(upload)}}
        case body:
            content = {"schema": schemas[_id(route), "validation"], **_example(body)}
            return {"required": True, "content": {JSON: content}}


def _example(body: type[Body]) -> Json:
    return {"example": EXAMPLES[body]} if body in EXAMPLES else {}


def _form(upload: Upload) -> Json:
    file = {"type": "string", "contentMediaType": "application/octet-stream"}
    files = {"type": "array", "items": file, "minItems": 1, "maxItems": upload.at_most}
    named = f'form-data; name="{upload.key}"; filename="{upload.key}.{upload.types[0].partition("/")[2]}"'
    schema = {
        "type": "object",
        "propertyNames": {"minLength": 1, "maxLength": SHORT, "pattern": NO_CONTROLS},
        "required": [upload.key, *upload.fields],
        "properties": {
            upload.key: file if upload.at_most == 1 else files,
            **{field: VALUES.get(field, TEXT) for field in upload.fields},
        },
    }
    headers = {str(hdrs.CONTENT_DISPOSITION): {"schema": TEXT, "example": named}}
    return {
        "schema": schema,
        "encoding": {upload.key: {"contentType": ", ".join(upload.types), "headers": headers}},
    }


def _codes(route: Route, body: Json, definitions: Json) -> set[str]:
    codes = {VALIDATION_ERROR, *(refusal.rule for refusal in route.refusals), *_codes_in(body, definitions)}
    if route.reads_rows and isinstance(route.body, Upload):
        codes.update(_codes_in([column.type.json_schema() for column in COLUMNS], {}))
    if route.appends:
        codes.add(IdempotencyKeyReused.rule)
    if Auth.MACHINE in route.auth:
        codes.add("INVALID_COUNTRY_CODE")
    return codes


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
    yield from (401, 403, 429) if route.auth else ()
    yield from (408, 413, 415) if route.body is not None else ()
    yield from (500, 503)


def _accepted(route: Route, data: Json) -> Json:
    headers = [*([POSITION] if route.appends else []), *route.headers]
    return response("done", envelope(200, {"const": route.message}, data), headers)


def _faulty(codes: list[str], faults: Json) -> Json:
    pattern = f"^({'|'.join(codes)})(:|$)"
    text = f"one of {', '.join(codes)}; some with `:` and what they are about"
    return response(text, envelope(400, {"type": "string", "pattern": pattern}, faults)) | {"x-codes": codes}
