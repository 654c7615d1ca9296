"""Says what the demo has loaded and what to try next; no secret is printed, the examples read them from files."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from api.demo.calls import Service
from api.demo.credentials import Credentials, Desk
from api.demo.generator import SEED, DemoCpo, demo_locations

EXAMPLES: Final = """
Paste this once, in this folder:

{secret}
told() {{ python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["cpos"][sys.argv[2]][sys.argv[3]])' {file} "$@"; }}

Fast chargers within 5 km, the nearest first:

curl -u {client}:"$SECRET" {base}/ocpi/cpo/graphql -H 'Content-Type: application/json' \\
  -d '{{"query": "{{ find_ev_filter_locations(lat: 14.5547, lng: 121.0244, distance: 5, connector_types: [\\"CCS_2\\"], limit: 3) {{ name address distance evses {{ uid status }} }} }}"}}'

Everything in Cebu:

curl -u {client}:"$SECRET" {base}/ocpi/cpo/graphql -H 'Content-Type: application/json' \\
  -d '{{"query": "{{ find_ev_filter_locations(province: \\"Cebu\\") {{ name city facilities {{ description }} }} }}"}}'

Log in as {name}, and look at its own EVSEs:

ACCESS=$(curl -s -u {client}:"$SECRET" {base}/ocpi/cpo/api/auth/v1/login -H 'Content-Type: application/json' \\
  -d '{{"username": "{username}", "password": "'"$(told {username} password)"'"}}' \\
  | python3 -c 'import json, sys; print(json.load(sys.stdin)["data"]["access_token"])')
curl -H "Authorization: Bearer $ACCESS" {base}/ocpi/cpo/graphql -H 'Content-Type: application/json' \\
  -d '{{"query": "{{ evses(limit: 5) {{ uid status locations {{ name city }} connectors {{ standard rate_setting }} }} }}"}}'

A car starts charging there:

curl -X PATCH {base}/ocpi/cpo/api/v1/webhook/evse/{country_code}/{party_id}/{uid} \\
  -H "Authorization: Bearer $(told {username} token_c)" -H 'Content-Type: application/json' -d '{{"status": "CHARGING"}}'
"""  # noqa: E501 - lines to paste are not wrapped

TYPED: Final = "read -rs SECRET  # then type the secret of {client}, as in EMSP_CLIENTS"


@dataclass(frozen=True, slots=True)
class LoadedCpo:
    """A CPO that is loaded. position: of its last event; None where all was there from an earlier load."""

    cpo: DemoCpo
    told: Credentials
    position: int | None
    is_password_good: bool


def print_cpos(console: Console, loaded: list[LoadedCpo], file: Path) -> None:
    """A table of the CPOs, and where their passwords are."""
    table = Table("CPO", "Party", "Locations", "Username", "Password")
    for each in loaded:
        table.add_row(
            each.cpo.plan.cpo_owner_name,
            f"{each.told.country_code}/{each.told.party_id}",
            str(each.cpo.plan.locations),
            each.told.username,
            "in demo.json" if each.is_password_good else "no longer the mailed one",
        )
    console.print(table)
    locations = sum(each.cpo.plan.locations for each in loaded)
    _say(console, f"{locations} locations of {len(loaded)} CPOs are there.")
    _say(console, f"Passwords and Token Cs are in {file}, which only its owner can read.")


def print_seen(console: Console, data: dict[str, Any]) -> None:
    """How many locations drivers see, and the nearest to the middle of Makati. data: of WHAT_DRIVERS_SEE."""
    _say(console, f"\nDrivers now see {len(data['all'])} locations; the nearest to Ayala Avenue, Makati:")
    for location in data["near"]:
        _say(console, f"  {location['distance']:4.1f} km  {location['name']}, {location['city']}")


def print_examples(service: Service, desk: Desk, loaded: LoadedCpo, *, has_demo_client: bool) -> None:
    """Calls to paste into a shell. has_demo_client: the client's secret is in a file of the data folder."""
    secret_file = shlex.quote(str(desk.demo_client_secret))
    _say(
        service.console,
        EXAMPLES.format(
            secret=f"SECRET=$(cat {secret_file})" if has_demo_client else TYPED.format(client=service.client),
            file=shlex.quote(str(desk.file)),
            client=shlex.quote(service.client),
            base=service.base_url,
            name=loaded.cpo.plan.cpo_owner_name,
            username=loaded.told.username,
            country_code=loaded.told.country_code,
            party_id=loaded.told.party_id,
            uid=demo_locations(SEED, loaded.cpo)[0].body["evses"][0]["uid"],
        ),
    )


def _say(console: Console, text: str) -> None:
    """As it is: without markup, colours or wrapping, so that it can be copied."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)
