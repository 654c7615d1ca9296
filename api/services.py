"""What the handlers work with: composed once, handed in, never looked up elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from ipaddress import IPv4Network, IPv6Network

    from api.clients import Clients
    from api.limits import Rates
    from api.patience import Patience
    from read_side.pending import PendingReports
    from read_side.reports import Reports
    from write_side.accounts.login import Accounts
    from write_side.adapters.images import ObjectImages
    from write_side.ports import World
    from write_side.store.staging import Stagings


@dataclass(frozen=True, slots=True)
class Services:
    """Everything behind the door. new_request_id: a random text; trusted_proxies: whose X-Forwarded-For is believed."""

    world: World
    accounts: Accounts
    images: ObjectImages
    reports: Reports
    pending: PendingReports
    stagings: Stagings
    clients: Clients
    rates: Rates
    patience: Patience
    trusted_proxies: Sequence[IPv4Network | IPv6Network]
    body_json_bytes: int
    body_image_bytes: int
    body_photos_bytes: int
    body_csv_bytes: int
    csv_rows: int
    new_request_id: Callable[[], str]


SERVICES: Final = web.AppKey("services", Services)
"""Where the application keeps them."""
