"""Schemathesis asks every call of the description for what it must and must not take, with all its checks."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest

from api.routes import ROUTES
from tests.support.client import Cpo
from tests.support.contract import log_in
from tests.support.databases import Databases
from tests.support.pictures import a_picture
from tests.support.uploads import a_location_of, add_photos
from tests.support.world import SECRET, Service, service, until_drawn

EXAMPLES: Final = int(os.environ.get("EMSP_TEST_EXAMPLES", "3"))
SEED: Final = os.environ.get("EMSP_TEST_SEED", "1")
"""By hand more, and others: `EMSP_TEST_EXAMPLES=100 EMSP_TEST_SEED=2 pytest -s tests/e2e/test_schemathesis.py`"""

ROOT: Final = Path(__file__).parents[2]
SETTINGS: Final = {
    **{f"rate_{name}": "off" for name in ("register", "logo_upload", "login", "read", "user", "machine")},
    "login_wrong_pairs": 1_000_000,
    "login_wrong_pairs_of_address": 1_000_000,
    # Most positions that are named are never reached.
    "min_position_wait_s": 0.01,
}
CONFIGURATION: Final = """
hooks = "{hooks}"

[auth.openapi.client]
username = "app"
password = "{secret}"
[auth.openapi.accessToken]
bearer = "{access}"
[auth.openapi.refreshToken]
bearer = "{refresh}"
[auth.openapi.tokenC]
bearer = "{token_c}"

[parameters]
"path.country_code" = "{country_code}"
"path.party_id" = "{party_id}"
"path.evse_uid" = "{evse_uid}"
"path.location_id" = {location_id}
"path.photo_id" = {photo_id}
"path.name" = "{image}"

# What fits its form may still break a rule: 400 with the rule's code, which fuzzing.py looks at.
[checks]
positive_data_acceptance.expected-statuses = ["2xx", 400]

# Another user's: who logs out calls nothing more, and can't do it twice.
[[operations]]
include-operation-id = "log_out"
checks.positive_data_acceptance.expected-statuses = ["2xx", 400, 401]
headers = {{ Authorization = "Bearer {leaving}" }}

[generation]
# HTTP's own headers are more than those described, and unknown parameters are ignored.
allow-extra-parameters = false
"""
OTHERWISE: Final = {
    "log_in": 401,  # no pair of a user and its password
    "refresh": 403,  # a token is good once
    "image": 404,
}
"""How valid data may be refused too, by operation."""
REFUSED: Final = """
[[operations]]
include-operation-id = "{operation}"
checks.positive_data_acceptance.expected-statuses = ["2xx", 400, {status}]
checks.not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", {status}]
"""


@pytest.fixture(scope="module")
async def emsp(fresh_database: Databases, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    """A service that never finds calls too many, and waits for nothing."""
    async with service(await fresh_database(), tmp_path_factory.mktemp("emsp"), **SETTINGS) as running:
        yield running


async def configuration(emsp: Service, cpo: Cpo, other: Cpo) -> str:
    """Who calls, and what there is to be called about."""
    location_id = await a_location_of(emsp, cpo)
    access = await emsp.client.log_in(cpo)
    added = await add_photos(emsp, f"Bearer {access}", location_id, a_picture())
    assert added.status == 200, added.body
    await until_drawn(emsp)
    asked = await emsp.client.ask(
        f"{{ location(id: {location_id}) {{ evses {{ uid }} photos {{ id url }} }} }}", token=access
    )
    (evse,), (photo,) = asked["location"]["evses"], asked["location"]["photos"]
    late = {route.handler.__name__: 503 for route in ROUTES if route.awaits_views} | {
        "graphql": 503,
        "graphql_by_get": 503,
    }
    refused = "".join(REFUSED.format(operation=one, status=status) for one, status in (OTHERWISE | late).items())
    configured = CONFIGURATION.format(
        hooks=ROOT / "tests/support/fuzzing.py",
        secret=SECRET,
        access=access,
        token_c=cpo.token_c,
        leaving=(await log_in(emsp.client, other)).tokens["access_token"],
        refresh=(await log_in(emsp.client, other)).tokens["refresh_token"],
        country_code=cpo.country_code,
        party_id=cpo.party_id,
        evse_uid=evse["uid"],
        location_id=location_id,
        photo_id=photo["id"],
        image=photo["url"].removeprefix("/images/"),
    )
    return configured + refused


@pytest.mark.timeout(120 + 60 * EXAMPLES)
async def test_every_call_is_as_it_is_described(emsp: Service, cpo: Cpo, other: Cpo, tmp_path: Path) -> None:
    settings = tmp_path / "schemathesis.toml"
    settings.write_text(await configuration(emsp, cpo, other))
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("st")),
        f"--config-file={settings}",
        "--no-color",
        "run",
        f"{emsp.base_url}/openapi.json",
        "--checks=all",
        f"--max-examples={EXAMPLES}",
        f"--seed={SEED}",
        "--generation-database=none",
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    told, _ = await process.communicate()
    print(told.decode())
    assert process.returncode == 0
