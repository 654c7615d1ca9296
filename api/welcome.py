"""What `emsp run` says once it listens: where, and an example call of each kind, ready to paste."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.console import Console

if TYPE_CHECKING:
    from api.settings import Settings

EXAMPLES: Final = """
[bold]emsp listens on {base}[/bold]  ·  health {base}/readyz  ·  Ctrl-C stops it; nothing is lost

Load demo data (300 Philippine locations of five CPOs), in another terminal:
    make demo

Register a CPO (REST); its mail with the secrets is then in {data_dir}/mail:
    curl -u "demo:$(cat {data_dir}/keys/demo_client_secret)" {base}/ocpi/cpo/2.2/register \\
      -H 'Content-Type: application/json' \\
      -d '{{"username": "maria", "cpo_owner_name": "Isla Charge", "contact_name": "Maria Santos",
           "contact_number": "+639171234567", "contact_email": "maria@islacharge.example", "ocpp_ready": true}}'

Push an EVSE's status (webhook), with Party ID and Token C of that mail:
    curl -X PATCH {base}/ocpi/cpo/api/v1/webhook/evse/PH/$PARTY_ID/$EVSE_UID \\
      -H "Authorization: Bearer $TOKEN_C" -H 'Content-Type: application/json' -d '{{"status": "CHARGING"}}'

Find chargers within 10 km, the nearest first (GraphQL):
    curl -u "demo:$(cat {data_dir}/keys/demo_client_secret)" {base}/ocpi/cpo/graphql \\
      -H 'Content-Type: application/json' \\
      -d '{{"query": "{{ find_ev_filter_locations(lat: 14.5592, lng: 121.0175, distance: 10, limit: 3)
           {{ name city distance evses {{ uid status connectors {{ standard power_type }} }} }} }}"}}'
"""


def print_welcome(settings: Settings, port: int) -> None:
    """Where it listens, and the examples. No secret is printed: the examples read it from its file."""
    host = "127.0.0.1" if settings.http_host in {"0.0.0.0", "::"} else settings.http_host  # noqa: S104 - compared
    Console(soft_wrap=True, highlight=False).print(
        EXAMPLES.format(base=f"http://{host}:{port}", data_dir=settings.data_dir)
    )
