"""Which pages of other origins may call (the Fetch standard's CORS protocol).

Nothing of ours rests on cookies, so no answer allows credentials: a page has to have a token of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiohttp import hdrs, web

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

ANY: Final = "*"
ALLOWED_HEADERS: Final = "Authorization, Content-Type, Emsp-Min-Position, Idempotency-Key, X-Request-ID"
EXPOSED_HEADERS: Final = "Emsp-Position, Emsp-Ignored, X-Request-ID, Retry-After"
REMEMBERED_S: Final = "600"
CALLED: Final = ("GET", "PATCH", "POST")
"""The methods of the contract's calls."""


def let_in(app: web.Application, origins: Collection[str]) -> None:
    """Pages of these origins may call the application, `*`: of all; without any it says nothing of CORS."""
    if not origins:
        return

    @web.middleware
    async def preflight(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not (_is_preflight(request) and _is_let_in(request, origins)):
            return await handler(request)
        unknown = request.match_info.http_exception
        if isinstance(unknown, web.HTTPNotFound):
            raise unknown
        allowed = unknown.allowed_methods if isinstance(unknown, web.HTTPMethodNotAllowed) else CALLED
        headers = {
            hdrs.ACCESS_CONTROL_ALLOW_METHODS: ", ".join(sorted(allowed)),
            hdrs.ACCESS_CONTROL_ALLOW_HEADERS: ALLOWED_HEADERS,
            hdrs.ACCESS_CONTROL_MAX_AGE: REMEMBERED_S,
        }
        return web.Response(status=204, headers=headers)

    async def say_so(request: web.Request, response: web.StreamResponse) -> None:
        if ANY in origins:
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = ANY
        else:
            # Caches must not hand one origin's answer to another.
            response.headers.add(hdrs.VARY, hdrs.ORIGIN)
            if not _is_let_in(request, origins):
                return
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = request.headers[hdrs.ORIGIN]
        response.headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = EXPOSED_HEADERS

    app.middlewares.append(preflight)
    app.on_response_prepare.append(say_so)


def _is_preflight(request: web.Request) -> bool:
    return (
        request.method == hdrs.METH_OPTIONS
        and hdrs.ORIGIN in request.headers
        and hdrs.ACCESS_CONTROL_REQUEST_METHOD in request.headers
    )


def _is_let_in(request: web.Request, origins: Collection[str]) -> bool:
    return ANY in origins or request.headers.get(hdrs.ORIGIN) in origins
