"""The aiohttp application: middlewares around the table of calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiohttp import hdrs, web

from api.handlers.images import IMAGE, image
from api.handlers.pages import page_routes
from api.middleware import errors, name_the_request, request_id
from api.openapi import document
from api.patience import PATIENCE
from api.routes import ROUTES
from api.services import SERVICES

if TYPE_CHECKING:
    from api.services import Services

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


def application(services: Services) -> web.Application:
    """Every call of the contract's tables; GraphQL and health are added by compose."""
    app = web.Application(middlewares=[request_id, errors])
    app[SERVICES] = services
    app[PATIENCE] = services.patience
    app.on_response_prepare.append(name_the_request)
    app.add_routes([web.route(route.method, route.path, route.handler, expect_handler=_continue) for route in ROUTES])
    app.router.add_get(IMAGE, image)
    app.add_routes(page_routes(document(ROUTES)))
    return app


async def _continue(request: web.Request) -> None:
    """`100-continue` is met; what else may be expected is left aside, where aiohttp would refuse it in plain text."""
    if request.headers.get(hdrs.EXPECT, "").lower() == "100-continue":
        await request.writer.write(CONTINUE)
        # It is no part of the answer; aiohttp takes an answer that has begun for one that can't be replaced.
        request.writer.output_size = 0
