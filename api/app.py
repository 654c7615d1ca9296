"""The aiohttp application: middlewares around the table of calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from api.middleware import errors, request_id
from api.routes import ROUTES
from api.services import SERVICES

if TYPE_CHECKING:
    from api.services import Services


def application(services: Services) -> web.Application:
    """Every call of the contract's tables; GraphQL and health are added by compose."""
    app = web.Application(middlewares=[request_id, errors])
    app[SERVICES] = services
    app.add_routes([web.route(route.method, route.path, route.handler) for route in ROUTES])
    return app
