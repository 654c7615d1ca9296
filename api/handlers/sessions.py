"""R3 to R6: a CPO's user logs in, stays in, logs out, and changes its password (contract §2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from api import bodies
from api.auth import accounts_client, caller_network, cpo_user, refreshed
from api.calls import json_body
from api.envelope import SUCCESS as ENVELOPE_SUCCESS
from api.envelope import envelope
from api.services import SERVICES

if TYPE_CHECKING:
    from aiohttp import web

    from write_side.accounts.login import LoggedIn

NO_STORE: Final = {"Cache-Control": "no-store"}
SUCCESS: Final = "SUCCESS"
LOGGED_OUT: Final = "Logged out successfully"


async def log_in(request: web.Request) -> web.Response:
    """R3: two tokens for a username and its password."""
    client = accounts_client(request)
    services = request.app[SERVICES]
    address = caller_network(request)
    services.rates.login.count(client.name, address)
    pair = bodies.login(await json_body(request))
    opened = await services.accounts.log_in(pair.username, pair.password, address=address)
    return envelope(200, _tokens(opened), SUCCESS, NO_STORE)


async def refresh(request: web.Request) -> web.Response:
    """R4: two new tokens for a refresh token, once."""
    return envelope(200, _tokens(await refreshed(request)), SUCCESS, NO_STORE)


async def log_out(request: web.Request) -> web.Response:
    """R5: both tokens stop at once."""
    bearer = await cpo_user(request)
    await request.app[SERVICES].accounts.log_out(bearer)
    return envelope(200, [], LOGGED_OUT)


async def change_password(request: web.Request) -> web.Response:
    """R6: a password of the user's own."""
    bearer = await cpo_user(request)
    wish = bodies.change_password(await json_body(request))
    await request.app[SERVICES].accounts.change_password(bearer, wish, address=caller_network(request))
    return envelope(200, SUCCESS, ENVELOPE_SUCCESS)


def _tokens(opened: LoggedIn) -> dict[str, Any]:
    data: dict[str, Any] = {
        "access_token": opened.access_token,
        "access_expires_in": opened.access_expires_in,
        "refresh_token": opened.refresh_token,
        "refresh_expires_in": opened.refresh_expires_in,
        "role": opened.role,
    }
    if opened.must_change_password:
        data["must_change_password"] = True
    return data
