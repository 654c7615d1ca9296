"""R3: a CPO's user logs in (contract §2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from api import bodies
from api.auth import accounts_client, caller_network
from api.calls import json_body
from api.envelope import envelope
from api.services import SERVICES

if TYPE_CHECKING:
    from aiohttp import web

NO_STORE: Final = {"Cache-Control": "no-store"}
SUCCESS: Final = "SUCCESS"


async def log_in(request: web.Request) -> web.Response:
    """R3: two tokens for a username and its password."""
    client = accounts_client(request)
    services = request.app[SERVICES]
    address = caller_network(request)
    services.rates.login.count(client.name, address)
    pair = bodies.login(await json_body(request))
    opened = await services.accounts.log_in(pair.username, pair.password, address=address)
    data: dict[str, Any] = {
        "access_token": opened.access_token,
        "access_expires_in": opened.access_expires_in,
        "refresh_token": opened.refresh_token,
        "refresh_expires_in": opened.refresh_expires_in,
        "role": opened.role,
    }
    if opened.must_change_password:
        data["must_change_password"] = True
    return envelope(200, data, SUCCESS, NO_STORE)
