"""R1: a CPO registers (contract §2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api import bodies
from api.auth import accounts_client, caller_network
from api.calls import answer, json_body
from api.services import SERVICES

if TYPE_CHECKING:
    from aiohttp import web


async def register(request: web.Request) -> web.Response:
    """R1: a new CPO; its secrets go out by mail."""
    client = accounts_client(request)
    request.app[SERVICES].rates.register.count(client.name, caller_network(request))
    body = await json_body(request)
    return await answer(request, bodies.register_cpo(body), actor=f"client:{client.name}", body=body)
