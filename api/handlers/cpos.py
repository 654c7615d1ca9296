"""R1: a CPO registers (contract §2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api import bodies
from api.auth import accounts_client, caller_address
from api.calls import answer, json_body
from api.services import SERVICES

if TYPE_CHECKING:
    from aiohttp import web


async def register(request: web.Request) -> web.Response:
    """R1: a new CPO; its secrets go out by mail."""
    client = accounts_client(request)
    services = request.app[SERVICES]
    services.registrations.count(client.name, caller_address(request, services.trusted_proxies))
    body = await json_body(request)
    return await answer(request, bodies.register_cpo(body), actor=f"client:{client.name}", body=body)
