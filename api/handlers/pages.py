"""`GET /openapi.json`: the description of the API, for programs (contract §7)."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

import orjson
from aiohttp import web

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler

DESCRIPTION: Final = "/openapi.json"
REVALIDATED: Final = "public, no-cache"


def description(document: dict[str, Any]) -> Handler:
    """Answers the document; 304 to who has it already."""
    body = orjson.dumps(document)
    tag = sha256(body).hexdigest()

    async def openapi(request: web.Request) -> web.Response:
        is_known = any(known.value in {tag, "*"} for known in request.if_none_match or ())
        answer = web.Response(status=304) if is_known else web.json_response(body=body)
        answer.etag = tag
        answer.headers["Cache-Control"] = REVALIDATED
        return answer

    return openapi
