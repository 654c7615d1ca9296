"""R11–R13: what can be filtered by, and who the caller is (contract §2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.auth import cpo_user, reading_client
from api.calls import min_position
from api.envelope import SUCCESS, envelope
from api.services import SERVICES
from write_side.commands.personal import open_contact
from write_side.events.streams import cpo_stream

if TYPE_CHECKING:
    from aiohttp import web


async def filters(request: web.Request) -> web.Response:
    """R11: reference data, provinces and cities."""
    reading_client(request)
    reports = request.app[SERVICES].reports
    return envelope(200, await reports.filters(min_position=min_position(request)), SUCCESS)


async def cities(request: web.Request) -> web.Response:
    """R12: the cities of a province."""
    reading_client(request)
    province = request.match_info["province_name"]
    reports = request.app[SERVICES].reports
    return envelope(200, await reports.cities(province, min_position=min_position(request)), SUCCESS)


async def details(request: web.Request) -> web.Response:
    """R13: the caller's own CPO."""
    user = await cpo_user(request)
    services = request.app[SERVICES]
    shown = await services.reports.details(user.party, min_position=min_position(request))
    sealed = shown.pop("contact")
    contact = sealed and await open_contact(services.world, sealed, stream=cpo_stream(user.party), version=1)
    for name in ("name", "number", "email"):
        shown[f"contact_{name}"] = contact and contact[name]
    return envelope(200, shown, SUCCESS)
