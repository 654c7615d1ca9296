"""GraphQL over HTTP: what a request's media types, methods and bodies mean, and which status an answer has.

Follows the GraphQL-over-HTTP specification: a client that accepts `application/graphql-response+json` hears by the
status whether its request was run; one that accepts `application/json` hears 200 for every request that is GraphQL.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import orjson
from aiohttp import StreamReader, web

from api.calls import min_position
from api.compression import JsonParts
from api.handlers.pages import graphiql
from api.patience import Patience
from api.refusals import BodyTooSlow, TooManyRequests
from api.services import SERVICES
from read_side.engine import Answer, GraphQLService
from read_side.errors import Unavailable
from read_side.faults import fault_of
from read_side.guards import Guarded, NotAQuery
from read_side.scope import Viewer
from write_side.domain.errors import Faults, StoreOutOfReach

PATH: Final = "/ocpi/cpo/graphql"

GRAPHQL: Final = web.AppKey("graphql", GraphQLService)
"""Where the application keeps what answers."""

JSON: Final = "application/json"
HTML: Final = "text/html"
GRAPHQL_RESPONSE: Final = "application/graphql-response+json"

STATUS_OF: Final = {
    "UNAUTHENTICATED": 401,
    "FORBIDDEN": 403,
    "BAD_USER_INPUT": 400,
    "NOT_FOUND": 404,
    "UNAVAILABLE": 503,
    "INTERNAL": 500,
}
"""What HTTP calls the codes of GraphQL errors: `extensions.status` (contract §5)."""

ALLOWED: Final = "GET, POST"
RETRY_AFTER_S: Final = "1"
LARGE_BYTES: Final = 1024 * 1024

ViewerOf: TypeAlias = Callable[[web.Request], Awaitable[Viewer]]


class NotServed(Exception):
    """The request is no GraphQL request that could be run. status: HTTP's."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        self.status = status
        self.message = message
        self.headers = dict(headers or {})
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class GraphQLRequest:
    """The parameters of a GraphQL request, of their right types."""

    query: str
    operation_name: str | None
    variables: dict[str, Any] | None


def graphql_routes(
    service: GraphQLService, viewer_of: ViewerOf, *, limit_bytes: int = 256 * 1024, patience: Patience | None = None
) -> list[web.RouteDef]:
    """`GET` and `POST` of the one GraphQL path; other methods there are answered too, with 405.

    viewer_of: who calls, by the Authorization header; says of a bad one so in `Viewer.rejected`, may raise
        StoreOutOfReach, since sessions live there, and TooManyRequests
    limit_bytes: largest body, after decompression; patience: how long it may take to come
    """

    async def graphql(request: web.Request) -> web.StreamResponse:
        if _is_browser(request):
            return graphiql(request.app[SERVICES].new_request_id())
        media_type = JSON
        try:
            media_type = _negotiated(request.headers.getall("Accept", []))
            asked = await _asked(request, limit_bytes, patience or Patience())
            answer = await service.execute(
                asked.query,
                asked.variables,
                asked.operation_name,
                caller=await viewer_of(request),
                min_position=_min_position(request),
            )
            _check_safe(request, answer)
        except NotServed as refused:
            return _refusal(refused, media_type)
        except TooManyRequests as refused:
            retry_after = {"Retry-After": str(refused.retry_after_s)}
            return _refusal(NotServed(429, "TOO_MANY_REQUESTS", retry_after), media_type)
        except StoreOutOfReach:
            answer = Answer(None, (fault_of(Unavailable()),))
        return _response(answer, media_type)

    return [web.route("*", PATH, graphql)]


def _is_browser(request: web.Request) -> bool:
    """Whether the request is for a page: a GET without a query, by a client that rather has HTML than JSON."""
    if request.method not in {"GET", "HEAD"} or "query" in request.query:
        return False
    ranges = [_media_range(part) for part in ",".join(request.headers.getall("Accept", [])).split(",")]
    best = max(ranges, key=lambda one: one[1])
    return best[0] == HTML and best[1] > 0


def _check_safe(request: web.Request, answer: Answer) -> None:
    """A mutation by GET is the wrong method, whether or not there is such a mutation."""
    if request.method == "GET" and isinstance(answer.refused, NotAQuery):
        raise NotServed(405, answer.refused.message, {"Allow": "POST"})


def _negotiated(accept: list[str]) -> str:
    """The media type of the answer. raises: NotServed for a client that takes neither."""
    ranges = [_media_range(part) for part in ",".join(accept).split(",") if part.strip()]
    if not ranges:
        return JSON
    for wanted, quality in sorted(ranges, key=lambda one: -one[1]):
        if quality > 0:
            if wanted in {JSON, GRAPHQL_RESPONSE}:
                return wanted
            if wanted in {"*/*", "application/*"}:
                return JSON
    raise NotServed(406, f"This service answers {GRAPHQL_RESPONSE} or {JSON}.")


def _media_range(part: str) -> tuple[str, float]:
    """Type and quality: [0, 1]. One with a charset that we don't speak is not wanted."""
    wanted, *parameters = (piece.strip().lower() for piece in part.split(";"))
    quality = 1.0
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            quality = _quality(value.strip())
        elif name.strip() == "charset" and value.strip(' "') not in {"utf-8", "utf8"}:
            return wanted, 0.0
    return wanted, quality


def _quality(text: str) -> float:
    return float(text) if re.fullmatch(r"[01](\.[0-9]{0,3})?", text) else 0.0


async def _asked(request: web.Request, limit_bytes: int, patience: Patience) -> GraphQLRequest:
    """raises: NotServed."""
    if request.method == "POST":
        _check_content_type(request)
        body = _decoded(await _body(request, limit_bytes, patience), "The body")
        return _understood(body)
    if request.method == "GET":
        query = request.query
        parameters: dict[str, Any] = {name: query[name] for name in ("query", "operationName") if name in query}
        for name in ("variables", "extensions"):
            if query.get(name):
                parameters[name] = _decoded(query[name].encode("utf-8", "surrogatepass"), name)
        return _understood(parameters)
    raise NotServed(405, "Method Not Allowed", {"Allow": ALLOWED})


def _check_content_type(request: web.Request) -> None:
    if request.content_type != JSON or (request.charset or "utf-8").lower() not in {"utf-8", "utf8"}:
        raise NotServed(415, f"UNSUPPORTED_MEDIA_TYPE: send {JSON} in UTF-8.", {"Accept": JSON})


async def _body(request: web.Request, limit_bytes: int, patience: Patience) -> bytes:
    """The body, never more of it in memory than the limit and a chunk, whatever its headers promise."""
    if (request.content_length or 0) > limit_bytes:
        raise NotServed(413, "PAYLOAD_TOO_LARGE")
    try:
        if request.content.is_eof():
            # Nearly always: who has sent all of it need not be waited for.
            body = request.content.read_nowait()
        else:
            body = await _waited_for(request.content, limit_bytes, patience)
    except BodyTooSlow:
        raise NotServed(408, "REQUEST_TIMEOUT") from None
    except web.RequestPayloadError:
        raise NotServed(400, "The body can't be read.") from None
    if len(body) > limit_bytes:
        raise NotServed(413, "PAYLOAD_TOO_LARGE")
    return body


async def _waited_for(content: StreamReader, limit_bytes: int, patience: Patience) -> bytes:
    """All of it, or where that is more than the limit, the beginning."""
    body = bytearray()
    async for chunk in patience.chunks(content):
        body += chunk
        if len(body) > limit_bytes:
            break
    return bytes(body)


def _decoded(text: bytes, what: str) -> Any:  # noqa: ANN401 - decoded JSON
    try:
        return orjson.loads(text)
    except ValueError:
        raise NotServed(400, f"{what} is no JSON.") from None


def _understood(parameters: Any) -> GraphQLRequest:  # noqa: ANN401 - decoded JSON
    if not isinstance(parameters, dict):
        raise NotServed(400, "The body must be a JSON object.")
    query = parameters.get("query")
    if not isinstance(query, str) or not query:
        raise NotServed(400, "query: must be a text that is not empty")
    operation_name = parameters.get("operationName")
    if not isinstance(operation_name, str | None):
        raise NotServed(400, "operationName: must be a text")
    for name in ("variables", "extensions"):
        if not isinstance(parameters.get(name), dict | None):
            raise NotServed(400, f"{name}: must be a JSON object")
    return GraphQLRequest(query, operation_name, parameters.get("variables"))


def _min_position(request: web.Request) -> int | None:
    try:
        return min_position(request)
    except Faults as wrong:
        (fault,) = wrong.faults
        raise NotServed(400, f"{fault.field}: {fault.message}") from None


def _response(answer: Answer, media_type: str) -> web.Response:
    errors = [
        error | {"extensions": {**error["extensions"], "status": STATUS_OF[error["extensions"]["code"]]}}
        for error in answer.errors
    ]
    parts: list[bytes] = []
    if answer.parts is not None:
        parts += (b',"data":', *answer.parts)
    if errors:
        parts += (b',"errors":', orjson.dumps(errors))
    if answer.extensions:
        parts += (b',"extensions":', orjson.dumps(answer.extensions))
    parts[0] = parts[0].replace(b",", b"{", 1)
    parts.append(b"}")
    return _json(parts, _status(answer, media_type), media_type)


def _status(answer: Answer, media_type: str) -> int:
    """200 where something was run, and for every GraphQL request of an `application/json` client but for trouble."""
    if answer.parts is not None:
        return 200
    status = STATUS_OF[answer.errors[0]["extensions"]["code"]]
    if media_type == JSON and status < 500 and not isinstance(answer.refused, Guarded):
        return 200
    return status


def _refusal(refused: NotServed, media_type: str) -> web.Response:
    error = {"message": refused.message, "extensions": {"code": "BAD_USER_INPUT", "status": refused.status}}
    return _json([orjson.dumps({"errors": [error]})], refused.status, media_type, refused.headers)


def _json(
    parts: Sequence[bytes], status: int, media_type: str, headers: Mapping[str, str] | None = None
) -> web.Response:
    content_type = f"{media_type}; charset=utf-8"
    is_large = sum(map(len, parts)) > LARGE_BYTES
    body = JsonParts(parts, content_type) if is_large else b"".join(parts)
    answer = web.Response(body=body, status=status, headers=headers)
    answer.headers["Content-Type"] = content_type
    answer.headers["Cache-Control"] = "no-store"
    answer.headers["Vary"] = "Accept"
    if status == 503:
        answer.headers["Retry-After"] = RETRY_AFTER_S
    if status == 408:
        # What still comes of the body is no next request.
        answer.force_close()
    return answer
