"""The table of calls: contract row, method, path, who may call, handler."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from api.handlers import cpos, reports, sessions, webhooks

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Route:
    """One call of the contract. row: of contract §2."""

    row: str
    method: str
    path: str
    handler: Handler


ROUTES: Final = (
    Route("R1", "POST", "/ocpi/cpo/2.2/register", cpos.register),
    Route("R3", "POST", "/ocpi/cpo/api/auth/v1/login", sessions.log_in),
    Route("R11", "GET", "/ocpi/cpo/2.2/filters", reports.filters),
    Route("R12", "GET", "/ocpi/cpo/2.2/filters/cities/{province_name}", reports.cities),
    Route("R13", "GET", "/ocpi/cpo/2.2/details", reports.details),
    Route(
        "W1",
        "POST",
        "/ocpi/cpo/api/v1/webhook/locations/{country_code}/{party_id}",
        webhooks.push_locations,
    ),
    Route("W2", "POST", "/ocpi/cpo/api/v1/webhook/evse/{country_code}/{party_id}", webhooks.push_evse),
    Route(
        "W3",
        "PATCH",
        "/ocpi/cpo/api/v1/webhook/evse/{country_code}/{party_id}/{evse_uid}",
        webhooks.change_status,
    ),
    Route(
        "W4",
        "PATCH",
        "/ocpi/cpo/api/v1/webhook/locations/{country_code}/{party_id}/{location_id}",
        webhooks.change_location,
    ),
)
