"""The API's description, and pages for people: the documentation and GraphiQL, from files of our own (contract §7)."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson
from aiohttp import web

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler

DESCRIPTION: Final = "/openapi.json"
DOCS: Final = "/docs"
STATIC: Final = "/static/{path:.+}"

FOLDER: Final = Path(__file__).parents[1] / "static"
TYPES: Final = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}
VENDORED: Final = "vendored/"

REVALIDATED: Final = "public, no-cache"
FOR_EVER: Final = "public, max-age=31536000, immutable"
"""For files whose path has their version."""

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'{styles}; img-src 'self' data:; font-src data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""No host but ours, no script within a page, no page around it."""

NONCE: Final = "{nonce}"


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


def page_routes(document: dict[str, Any]) -> list[web.RouteDef]:
    """The description as a document and as a page, and the files that the pages need."""
    return [web.get(DESCRIPTION, description(document)), web.get(DOCS, docs), web.get(STATIC, static())]


async def docs(_request: web.Request) -> web.FileResponse:
    """The documentation, where calls can be tried."""
    return _file(FOLDER / "docs.html", REVALIDATED)


def graphiql(nonce: str) -> web.Response:
    """The page that the GraphQL path answers browsers. nonce: a random text; its dialogs make a style with it."""
    headers = {"Cache-Control": "no-store", "Vary": "Accept", **_guarded(f" 'nonce-{nonce}'")}
    page = (FOLDER / "graphiql.html").read_text().replace(NONCE, nonce)
    return web.Response(text=page, content_type="text/html", headers=headers)


def static() -> Handler:
    """Answers the files of the pages that this version has, and no others."""
    files = {path.relative_to(FOLDER).as_posix(): path for path in FOLDER.rglob("*") if path.suffix in TYPES}

    async def static_file(request: web.Request) -> web.FileResponse:
        path = request.match_info["path"]
        if path not in files:
            raise web.HTTPNotFound
        return _file(files[path], FOR_EVER if path.startswith(VENDORED) else REVALIDATED)

    return static_file


def _file(path: Path, caching: str) -> web.FileResponse:
    content_type = f"{TYPES[path.suffix]}; charset=utf-8"
    return web.FileResponse(path, headers={"Content-Type": content_type, "Cache-Control": caching, **_guarded()})


def _guarded(styles: str = "") -> dict[str, str]:
    return {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": POLICY.format(styles=styles)}
