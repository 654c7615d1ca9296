"""R7 and R8: photos of a location, and how everybody sees them."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import pytest

from tests.support.calls import exchanged
from tests.support.client import Cpo, FormPart, Reply
from tests.support.pictures import SVG, a_picture, an_svg, opened
from tests.support.until import until_equal
from tests.support.uploads import PHOTOS, a_location_of, add_photos, bearer_of, files_of, image, replace_photo
from tests.support.world import Service, until_drawn

PNG = a_picture()
UNKNOWN = f"/images/{'0' * 32}.png"


async def photos_of(emsp: Service, user: str, location_id: int) -> list[dict[str, Any]]:
    """The location's photos; `images` tells the same."""
    await until_drawn(emsp)
    asked = f"{{ location(id: {location_id}) {{ images photos {{ id location_id url date_created date_modified }} }} }}"
    location = (await emsp.client.ask(asked, token=user.removeprefix("Bearer ")))["location"]
    assert location["images"] == [photo["url"] for photo in location["photos"]]
    found: list[dict[str, Any]] = location["photos"]
    return found


def told(reply: Reply) -> tuple[int, str, list[Any]]:
    return reply.status, reply.body["message"], reply.body["data"]


async def test_photos_are_added_and_everybody_sees_them(emsp: Service, cpo: Cpo) -> None:
    user = await bearer_of(emsp, cpo)
    location_id = await a_location_of(emsp, cpo)
    reply = await add_photos(
        emsp,
        user,
        location_id,
        PNG,
        FormPart("location_photos", a_picture("JPEG"), "front é.JPG"),
        FormPart("location_photos", SVG, "map.svg"),
    )
    assert (reply.status, reply.body) == (200, {"status": 200, "data": [], "message": "Success"})
    assert reply.position == await emsp.event_count()

    photos = await photos_of(emsp, user, location_id)
    assert [photo["url"].rpartition(".")[2] for photo in photos] == ["png", "jpg", "svg"]
    assert [photo["location_id"] for photo in photos] == [location_id] * 3
    assert len({photo["id"] for photo in photos}) == 3
    assert all(photo["date_created"] == photo["date_modified"] for photo in photos)
    for photo, kind in zip(photos[:2], ("PNG", "JPEG"), strict=True):
        status, content, headers = await image(emsp, photo["url"])
        assert (status, opened(content).format, headers["Content-Type"]) == (200, kind, f"image/{kind.lower()}")

    urls = [photo["url"] for photo in photos]
    found = await emsp.client.ask("{ find_ev_locations { id images photos { url } } }")
    assert [one["images"] for one in found["find_ev_locations"] if one["id"] == location_id] == [urls]
    own = await emsp.client.ask("{ locations { images } evse { locations { images } } }", token=user[7:])
    assert own == {"locations": [{"images": urls}], "evse": [{"locations": {"images": urls}}]}
    near = await emsp.client.ask('{ find_ev_filter_locations(city: "Makati") { id photos { url } } }')
    (location,) = [one for one in near["find_ev_filter_locations"] if one["id"] == location_id]
    assert [photo["url"] for photo in location["photos"]] == urls


async def test_later_photos_stand_behind_earlier_ones(emsp: Service, cpo: Cpo) -> None:
    user = await bearer_of(emsp, cpo)
    location_id = await a_location_of(emsp, cpo)
    await add_photos(emsp, user, location_id, PNG, PNG)
    first = await photos_of(emsp, user, location_id)
    await add_photos(emsp, user, location_id, PNG)
    photos = await photos_of(emsp, user, location_id)
    assert photos[:2] == first
    assert [photo["id"] for photo in photos] == sorted(photo["id"] for photo in photos)


async def test_a_photo_is_replaced_and_keeps_its_id(emsp: Service, cpo: Cpo) -> None:
    user = await bearer_of(emsp, cpo)
    location_id = await a_location_of(emsp, cpo)
    await add_photos(emsp, user, location_id, PNG, PNG)
    before = await photos_of(emsp, user, location_id)
    reply = await replace_photo(emsp, user, before[0]["id"], a_picture("JPEG"), "new.jpg")
    assert (reply.status, reply.body["data"]) == (200, [])
    assert reply.position == await emsp.event_count()
    after = await photos_of(emsp, user, location_id)
    assert after[1] == before[1]
    assert after[0]["url"] != before[0]["url"]
    assert after[0]["date_modified"] > before[0]["date_modified"]
    assert {**after[0], "url": "", "date_modified": ""} == {**before[0], "url": "", "date_modified": ""}
    assert (await image(emsp, after[0]["url"]))[0] == 200

    async def old() -> int:
        return (await image(emsp, before[0]["url"]))[0]

    await until_equal(old, 404)


async def test_another_cpos_location_is_told_apart_from_an_unknown_one(emsp: Service, cpo: Cpo, other: Cpo) -> None:
    user = await bearer_of(emsp, cpo)
    theirs = await a_location_of(emsp, other)
    owner_id = await emsp.store.fetchval("select cpo_owner_id from es.users where username = $1", cpo.username)
    count, files = await emsp.event_count(), files_of(emsp)
    status, message, data = told(await add_photos(emsp, user, theirs, PNG))
    assert (status, message) == (400, f"LOCATION_IS_NOT_ASSOCIATED_WITH_CPO_OWNER_ID: {owner_id}")
    assert [fault["field"] for fault in data] == ["location_id"]
    status, message, data = told(await add_photos(emsp, user, 2_147_483_647, PNG))
    assert (status, message) == (400, "LOCATION_NOT_FOUND")
    assert data == [{"field": "location_id", "message": "no such location", "code": "LOCATION_NOT_FOUND"}]
    assert (await emsp.event_count(), files_of(emsp)) == (count, files)


async def test_another_cpos_photo_is_told_apart_from_an_unknown_one(emsp: Service, cpo: Cpo, other: Cpo) -> None:
    user, theirs = await bearer_of(emsp, cpo), await bearer_of(emsp, other)
    location_id = await a_location_of(emsp, other)
    await add_photos(emsp, theirs, location_id, PNG)
    (photo,) = await photos_of(emsp, theirs, location_id)
    owner_id = await emsp.store.fetchval("select cpo_owner_id from es.users where username = $1", cpo.username)
    count, files = await emsp.event_count(), files_of(emsp)
    refusal = f"LOCATION_PHOTO_IS_NOT_ASSOCIATED_WITH_CPO_OWNER_ID: {owner_id}"
    assert told(await replace_photo(emsp, user, photo["id"], PNG)) == (400, refusal, [])
    for unknown in ("2147483647", "0", "-1", "x", "1.0", "%31%30%30%30%30", "9" * 50, "%D9%A1"):
        assert told(await replace_photo(emsp, user, unknown, PNG)) == (400, "LOCATION_PHOTO_NOT_EXISTS", [])
    assert (await emsp.event_count(), files_of(emsp)) == (count, files)


async def test_every_faulty_file_is_told_at_once_and_none_is_kept(emsp: Service, cpo: Cpo) -> None:
    user = await bearer_of(emsp, cpo)
    location_id = await a_location_of(emsp, cpo)
    count, files = await emsp.event_count(), files_of(emsp)
    reply = await add_photos(
        emsp,
        user,
        location_id,
        b"rubbish",
        PNG,
        FormPart("location_photos", an_svg("<script/>"), "x.svg"),
        FormPart("location_photos", PNG, "x.gif"),
        PNG[:-20],
    )
    status, message, data = told(reply)
    assert (status, message) == (400, "INVALID_IMAGE")
    assert [(fault["field"], fault["code"]) for fault in data] == [
        (f"location_photos[{place}]", "INVALID_IMAGE") for place in (0, 2, 3, 4)
    ]
    assert (await emsp.event_count(), files_of(emsp)) == (count, files)


async def test_a_location_has_fifty_photos_at_most(emsp: Service, cpo: Cpo) -> None:
    user = await bearer_of(emsp, cpo)
    location_id = await a_location_of(emsp, cpo)
    for _ in range(9):
        assert (await add_photos(emsp, user, location_id, *[PNG] * 5)).status == 200
    assert (await add_photos(emsp, user, location_id, *[PNG] * 3)).status == 200
    files = files_of(emsp)
    status, message, data = told(await add_photos(emsp, user, location_id, *[PNG] * 3))
    assert (status, message, [fault["field"] for fault in data]) == (400, "TOO_MANY_FILES", ["location_photos"])
    assert files_of(emsp) == files
    assert (await add_photos(emsp, user, location_id, *[PNG] * 2)).status == 200
    assert len(await photos_of(emsp, user, location_id)) == 50


async def test_the_last_places_go_to_one_of_many_who_come_at_once(emsp: Service, cpo: Cpo) -> None:
    user = await bearer_of(emsp, cpo)
    location_id = await a_location_of(emsp, cpo)
    for _ in range(9):
        await add_photos(emsp, user, location_id, *[PNG] * 5)
    replies = await asyncio.gather(*(add_photos(emsp, user, location_id, *[PNG] * 3) for _ in range(4)))
    assert sorted(reply.status for reply in replies) == [200, 400, 400, 400]
    assert {reply.body["message"] for reply in replies if reply.status == 400} == {"TOO_MANY_FILES"}
    photos = await photos_of(emsp, user, location_id)
    assert len(photos) == 48

    async def loose() -> int:
        count: int = await emsp.store.fetchval("select count(*) from es.loose_images")
        return count

    await until_equal(loose, 0)
    assert {photo["url"].removeprefix("/images/") for photo in photos} <= set(files_of(emsp))


WRONG_FORMS: dict[str, tuple[list[FormPart], str, list[tuple[str, str]]]] = {
    "nothing": (
        [FormPart("x", "y")],
        "VALIDATION_ERROR",
        [("location_id", "VALIDATION_ERROR"), ("location_photos", "MISSING_FILE")],
    ),
    "no file": ([FormPart("location_id", "1")], "MISSING_FILE", [("location_photos", "MISSING_FILE")]),
    "a file that nobody chose": (
        [FormPart("location_id", "1"), FormPart("location_photos", b"", "")],
        "MISSING_FILE",
        [("location_photos", "MISSING_FILE")],
    ),
    "a field for a file": (
        [FormPart("location_id", "1"), FormPart("location_photos", "photo.png")],
        "MISSING_FILE",
        [("location_photos", "MISSING_FILE")],
    ),
    "six files": (
        [FormPart("location_id", "1"), *[FormPart("location_photos", PNG, "a.png")] * 6],
        "TOO_MANY_FILES",
        [("location_photos", "TOO_MANY_FILES")],
    ),
    "two locations": (
        [FormPart("location_id", "1"), FormPart("location_id", "2"), FormPart("location_photos", PNG, "a.png")],
        "VALIDATION_ERROR",
        [("location_id", "")],
    ),
} | {
    f"location {text!r}": (
        [FormPart("location_id", text), FormPart("location_photos", PNG, "a.png")],
        "VALIDATION_ERROR",
        [("location_id", "")],
    )
    for text in ("", "x", "0", "-1", "1.5", "2147483648", "1e3", "٣", "9" * 100)
}


@pytest.fixture(scope="module")
async def anybody(emsp: Service) -> str:
    """A user whose calls are all refused."""
    return await bearer_of(emsp, await emsp.client.registered("photos", "Anybody at all", emsp.mails))


@pytest.mark.parametrize(("parts", "message", "faults"), WRONG_FORMS.values(), ids=WRONG_FORMS)
async def test_a_wrong_form_is_refused_with_all_that_is_wrong(
    emsp: Service, anybody: str, parts: list[FormPart], message: str, faults: list[tuple[str, str]]
) -> None:
    reply = await emsp.client.send_form("POST", PHOTOS, anybody, *parts)
    assert (reply.status, reply.body["message"]) == (400, message)
    assert [(fault["field"], fault.get("code", "")) for fault in reply.body["data"]] == faults


async def test_replacing_takes_one_file(emsp: Service, anybody: str) -> None:
    path = f"{PHOTOS}/1"
    missing = await emsp.client.send_form("PATCH", path, anybody, FormPart("location_photos", PNG, "a.png"))
    assert told(missing)[1] == "MISSING_FILE"
    two = await emsp.client.send_form("PATCH", path, anybody, *[FormPart("location_photo", PNG, "a.png")] * 2)
    assert told(two)[1] == "TOO_MANY_FILES"


@pytest.mark.parametrize("method_and_path", [("POST", PHOTOS), ("PATCH", f"{PHOTOS}/1")])
async def test_only_a_cpos_user_may_call(emsp: Service, cpo: Cpo, method_and_path: tuple[str, str]) -> None:
    for authorization in (emsp.client.basic, f"Bearer {cpo.token_c}", "Bearer x", "Digest x"):
        reply = await emsp.client.send_form(*method_and_path, authorization, FormPart("location_photos", PNG, "a.png"))
        assert (reply.status, reply.body["message"]) == (401, "Unauthorized")
        assert reply.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("method_and_path", [("POST", PHOTOS), ("PATCH", f"{PHOTOS}/1")])
async def test_another_content_type_and_a_large_body_are_refused(
    emsp: Service, anybody: str, method_and_path: tuple[str, str]
) -> None:
    method, path = method_and_path
    other = await emsp.client.call(method, path, {"location_id": 1}, Authorization=anybody)
    assert (other.status, other.body["message"]) == (415, "UNSUPPORTED_MEDIA_TYPE")
    headers = {"Authorization": anybody, "Content-Type": "multipart/form-data; boundary=x"}
    body = io.BytesIO(b"x" * (27 * 1024 * 1024))
    async with emsp.client.session.request(method, emsp.base_url + path, data=body, headers=headers) as response:
        assert (response.status, (await response.json())["message"]) == (413, "PAYLOAD_TOO_LARGE")


async def test_the_same_key_and_form_answer_the_same_and_change_nothing(emsp: Service, cpo: Cpo) -> None:
    user = await bearer_of(emsp, cpo)
    location_id = await a_location_of(emsp, cpo)
    first = await add_photos(emsp, user, location_id, PNG, Idempotency_Key="k1")
    count, files = await emsp.event_count(), files_of(emsp)
    again = await add_photos(emsp, user, location_id, PNG, Idempotency_Key="k1")
    assert (again.status, again.body, again.position) == (200, first.body, first.position)
    assert (await emsp.event_count(), files_of(emsp)) == (count, files)
    other = await add_photos(emsp, user, location_id, PNG, PNG, Idempotency_Key="k1")
    assert told(other) == (400, "IDEMPOTENCY_KEY_REUSED", [])

    (photo,) = await photos_of(emsp, user, location_id)
    replies = await asyncio.gather(
        *(replace_photo(emsp, user, photo["id"], PNG, Idempotency_Key="k2") for _ in range(5))
    )
    assert {reply.position for reply in replies} == {await emsp.event_count()}
    assert await emsp.event_count() == count + 1


async def test_an_image_is_served_as_the_contract_says(emsp: Service, cpo: Cpo) -> None:
    user = await bearer_of(emsp, cpo)
    location_id = await a_location_of(emsp, cpo)
    await add_photos(emsp, user, location_id, PNG, FormPart("location_photos", SVG, "map.svg"))
    png, svg = [photo["url"] for photo in await photos_of(emsp, user, location_id)]
    status, content, headers = await image(emsp, png, X_Request_ID="mine-1")
    assert status == 200
    assert headers["Content-Type"] == "image/png"
    assert int(headers["Content-Length"]) == len(content)
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"] == "default-src 'none'; style-src 'unsafe-inline'; sandbox"
    assert headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert headers["X-Request-ID"] == "mine-1"
    tag = headers["ETag"]

    for matching in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        status, content, headers = await image(emsp, png, If_None_Match=matching)
        assert (status, content, headers["ETag"]) == (304, b"", tag)
    assert (await image(emsp, png, If_None_Match='"x"'))[0] == 200
    status, content, head = await image(emsp, png, "HEAD")
    assert (status, content, head["Content-Type"], head["ETag"]) == (200, b"", "image/png", tag)
    assert int(head["Content-Length"]) > 0

    status, content, headers = await image(emsp, svg)
    assert (status, headers["Content-Type"]) == (200, "image/svg+xml")
    assert b"linearGradient" in content
    assert headers["ETag"] != tag


@pytest.mark.parametrize(
    "path",
    [
        UNKNOWN,
        "/images/",
        "/images",
        "/images/x.png",
        "/images/../var/keys/seal_key",
        "/images/..%2F..%2Fetc%2Fpasswd",
        "/images/%2e%2e%2fkeys%2fseal_key",
        "/images/..%5ckeys",
        "/images/%00.png",
        "/images/" + "0" * 32 + ".png%00",
        "/images/" + "0" * 32 + ".png/",
        "/images/" + "0" * 32 + ".PNG",
        "/images/" + "0" * 32 + ".exe",
        "/images/" + "0" * 32 + ".png.svg",
        "/images/" + "x" * 4_000 + ".png",
        "/images/%ff%fe.png",
        "/images/%D9%A3" + "0" * 31 + ".png",
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_an_odd_name_is_not_found(emsp: Service, method: str, path: str) -> None:
    raw = f"{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    if method == "HEAD":
        reader, writer = await asyncio.open_connection("127.0.0.1", int(emsp.base_url.rpartition(":")[2]))
        writer.write(raw)
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        writer.close()
        assert head.startswith(b"HTTP/1.1 404")
        return
    status, head_text, body = await exchanged(emsp, raw)
    assert (status, body) == (404, {"status": 404, "data": [], "message": "Not Found"})
    assert "x-request-id" in head_text.lower()


async def test_an_unknown_image_is_not_found_with_a_matching_tag_too(emsp: Service) -> None:
    assert (await image(emsp, UNKNOWN, If_None_Match="*"))[0] == 404
    assert (await image(emsp, UNKNOWN, "HEAD"))[0] == 404


async def test_images_are_read_only(emsp: Service) -> None:
    reply = await emsp.client.call("DELETE", UNKNOWN)
    assert (reply.status, reply.headers["Allow"]) == (405, "GET, HEAD")
