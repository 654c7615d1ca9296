"""What belongs to another CPO: refused as the contract says, nothing told, nothing changed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.client import Cpo, a_location, an_evse
from tests.support.contract import User, csv_file, csv_row, log_in, png, refused
from tests.support.world import Service

PHOTOS = "/ocpi/cpo/api/v1/locations/photos/uploads"
PENDING = "/ocpi/cpo/2.2/locations/pending"
WEBHOOK = "/ocpi/cpo/api/v1/webhook"
LOGO = "/ocpi/cpo/2.2/cpo/logo/upload"


@pytest.fixture
async def user(emsp: Service, cpo: Cpo) -> User:
    return await log_in(emsp.client, cpo)


@pytest.fixture
async def stranger(emsp: Service, other: Cpo) -> User:
    return await log_in(emsp.client, other)


async def location_of(emsp: Service, cpo: Cpo) -> int:
    reply = await emsp.client.push_locations(cpo, [a_location("Mall", an_evse("A1"))])
    location_id: int = reply.body["data"][0]["location_id"]
    return location_id


async def images(emsp: Service) -> set[str]:
    folder = emsp.mails.parent / "images"
    return {path.name for path in folder.rglob("*") if path.is_file()}


async def test_r7_photos_of_anothers_location(emsp: Service, cpo: Cpo, stranger: User) -> None:
    location_id = await location_of(emsp, cpo)
    before = (await emsp.event_count(), await images(emsp))
    parts: list[tuple[str, str | None, bytes]] = [
        ("location_id", None, str(location_id).encode()),
        ("location_photos", "a.png", png(1, 1, 1)),
    ]
    reply = await stranger.send("POST", PHOTOS, *parts)
    refused(reply, 400, f"LOCATION_IS_NOT_ASSOCIATED_WITH_CPO_OWNER_ID: {stranger.cpo_owner_id}")
    assert (await emsp.event_count(), await images(emsp)) == before


async def test_r8_anothers_photo(emsp: Service, cpo: Cpo, user: User, stranger: User) -> None:
    location_id = await location_of(emsp, cpo)
    location = ("location_id", None, str(location_id).encode())
    added = await user.send("POST", PHOTOS, location, ("location_photos", "a.png", png(1, 1, 1)))
    query = f"{{ location(id: {location_id}) {{ photos {{ id url }} }} }}"
    found = await emsp.client.ask(
        query, Emsp_Min_Position=added.headers["Emsp-Position"], token=user.tokens["access_token"]
    )
    (photo,) = found["location"]["photos"]
    before = (await emsp.event_count(), await images(emsp))
    reply = await stranger.send("PATCH", f"{PHOTOS}/{photo['id']}", ("location_photo", "b.png", png(2, 2, 2)))
    refused(reply, 400, f"LOCATION_PHOTO_IS_NOT_ASSOCIATED_WITH_CPO_OWNER_ID: {stranger.cpo_owner_id}")
    assert (await emsp.event_count(), await images(emsp)) == before


async def test_r14_anothers_upload_and_anothers_logo(emsp: Service, user: User, stranger: User) -> None:
    await user.send("POST", "/ocpi/cpo/2.2/cpo/upload", ("cpo_logo", "ours.png", png(3, 3, 3)))
    refused(await stranger.call("PATCH", LOGO, {"logo": "ours.png"}), 400, "LOGO_NOT_EXISTS")
    taken = await user.call("PATCH", LOGO, {"logo": "ours.png"})
    details = await user.call("GET", "/ocpi/cpo/2.2/details", Emsp_Min_Position=taken.headers["Emsp-Position"])
    before = (await emsp.event_count(), await images(emsp))
    for name in ("ours.png", details.body["data"]["logo"]):
        refused(await stranger.call("PATCH", LOGO, {"logo": name}), 400, "LOGO_NOT_EXISTS")
    assert (await emsp.event_count(), await images(emsp)) == before


async def test_r15_and_r16_what_another_has_staged(emsp: Service, user: User, stranger: User) -> None:
    staged = await user.send(
        "POST", "/ocpi/cpo/api/v2/locations/uploads/temp/csv", ("file", "a.csv", csv_file(csv_row("Mall", "A1")))
    )
    position = staged.headers["Emsp-Position"]
    before = await emsp.event_count()
    assert (await stranger.call("GET", PENDING, Emsp_Min_Position=position)).body["data"] == (
        "NO_PENDING_LOCATIONS_AND_EVSES"
    )
    assert (await stranger.call("GET", f"{PENDING}/items", Emsp_Min_Position=position)).body["data"] == []
    for verb in ("approve", "reject"):
        refused(await stranger.call("POST", f"{PENDING}/{verb}"), 400, "NO_PENDING_LOCATIONS_AND_EVSES")
    assert await emsp.event_count() == before
    assert (await user.call("GET", PENDING)).body["data"] == [{"pending_locations": 1, "pending_evses": 1}]


async def machine(emsp: Service, cpo: Cpo, method: str, path: str, body: dict[str, Any]) -> Any:
    return await emsp.client.call(method, f"{WEBHOOK}/{path}", body, Authorization=f"Bearer {cpo.token_c}")


async def test_w2_w3_w4_under_the_own_path(emsp: Service, cpo: Cpo, other: Cpo) -> None:
    location_id = await location_of(emsp, cpo)
    before = await emsp.event_count()
    own = f"{other.country_code}/{other.party_id}"
    evse = an_evse("B1") | {"location_id": location_id}
    unknown = f"LOCATION_ID_DOES_NOT_EXISTS:{location_id}"
    refused(await machine(emsp, other, "POST", f"evse/{own}", evse), 400, unknown)
    refused(await machine(emsp, other, "PATCH", f"locations/{own}/{location_id}", {"name": "Mine"}), 400, unknown)
    status = await machine(emsp, other, "PATCH", f"evse/{own}/A1", {"status": "BLOCKED"})
    refused(status, 400, "EVSE_UID_DOES_NOT_EXISTS:A1")
    never = await machine(emsp, other, "PATCH", f"locations/{own}/2000000000", {"name": "Mine"})
    assert never.body["message"] == "LOCATION_ID_DOES_NOT_EXISTS:2000000000"
    assert await emsp.event_count() == before


async def test_w1_to_w4_under_anothers_path(emsp: Service, cpo: Cpo, other: Cpo) -> None:
    location_id = await location_of(emsp, cpo)
    before = await emsp.event_count()
    theirs = f"{cpo.country_code}/{cpo.party_id}"
    pushed = {"locations": [a_location("Hotel", an_evse("B1"))]}
    evse = an_evse("B1") | {"location_id": location_id}
    for reply in (
        await machine(emsp, other, "POST", f"locations/{theirs}", pushed),
        await machine(emsp, other, "POST", f"evse/{theirs}", evse),
        await machine(emsp, other, "PATCH", f"evse/{theirs}/A1", {"status": "BLOCKED"}),
        await machine(emsp, other, "PATCH", f"locations/{theirs}/{location_id}", {"name": "Mine"}),
    ):
        refused(reply, 403, "Forbidden")
    assert await emsp.event_count() == before
