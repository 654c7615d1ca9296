"""R2 and R14: an image is uploaded, and becomes a CPO's logo; nobody takes another's."""

from __future__ import annotations

import asyncio
import io
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import encode_basic_auth

from tests.support.client import Cpo, FormPart, Reply
from tests.support.pictures import SVG, a_picture
from tests.support.until import until, until_equal
from tests.support.uploads import (
    DETAILS,
    LOGO,
    UPLOAD,
    bearer_of,
    change_logo,
    files_of,
    image,
    upload_logo,
)
from tests.support.world import ACCOUNTS_ONLY_SECRET, READ_ONLY_SECRET, Service, until_drawn

PNG = a_picture()
AGE = "update es.loose_images set stored_at = now() - $1::interval where filename = $2"


def told(reply: Reply) -> tuple[int, str, list[Any]]:
    return reply.status, reply.body["message"], reply.body["data"]


def refused(code: str, message: str) -> tuple[int, str, list[Any]]:
    return 400, code, [{"field": "logo", "message": message, "code": code}]


NOT_EXISTS = refused("LOGO_NOT_EXISTS", "no upload of this name")
NOT_UNIQUE = refused("LOGO_NOT_UNIQUE", "several uploads have this name")


async def logo_of(emsp: Service, user: str) -> str | None:
    """What R13 says."""
    await until_drawn(emsp)
    reply = await emsp.client.call("GET", DETAILS, Authorization=user)
    logo: str | None = reply.body["data"]["logo"]
    return logo


@pytest.fixture
async def user(emsp: Service, cpo: Cpo) -> str:
    return await bearer_of(emsp, cpo)


@pytest.fixture
async def stranger(emsp: Service, other: Cpo) -> str:
    return await bearer_of(emsp, other)


@pytest.fixture
def filename(request: pytest.FixtureRequest) -> str:
    """A name under which no other test uploads anything."""
    return f"{request.node.name}.png"


async def test_an_own_upload_becomes_the_logo(emsp: Service, user: str) -> None:
    uploaded = await upload_logo(emsp, user, "Isla ñ.svg", SVG)
    assert (uploaded.status, uploaded.body) == (200, {"status": 200, "data": [], "message": "Success"})
    assert "Emsp-Position" not in uploaded.headers
    assert await logo_of(emsp, user) is None
    reply = await change_logo(emsp, user, "Isla ñ.svg")
    assert (reply.status, reply.body) == (200, {"status": 200, "data": [], "message": "Success"})
    assert reply.position == await emsp.event_count()
    logo = await logo_of(emsp, user)
    assert logo is not None
    assert logo.endswith(".svg")
    assert (await image(emsp, f"/images/{logo}"))[0] == 200


async def test_an_upload_of_an_application_is_taken_once(
    emsp: Service, user: str, stranger: str, filename: str
) -> None:
    await upload_logo(emsp, emsp.client.basic, filename)
    assert told(await change_logo(emsp, user, filename)) == (200, "Success", [])
    assert told(await change_logo(emsp, stranger, filename)) == NOT_EXISTS


async def test_of_two_cpos_that_want_one_upload_one_gets_it(
    emsp: Service, user: str, stranger: str, filename: str
) -> None:
    for number in range(5):
        await upload_logo(emsp, emsp.client.basic, f"{number} {filename}")
        replies = await asyncio.gather(*(change_logo(emsp, who, f"{number} {filename}") for who in (user, stranger)))
        assert sorted(reply.status for reply in replies) == [200, 400]
        assert [told(reply) for reply in replies if reply.status == 400] == [NOT_EXISTS]
    logos = [await logo_of(emsp, who) for who in (user, stranger)]
    assert logos[0] != logos[1]


async def test_another_cpos_own_upload_is_nobodys_business(
    emsp: Service, user: str, stranger: str, filename: str
) -> None:
    await upload_logo(emsp, stranger, filename)
    assert told(await change_logo(emsp, user, filename)) == NOT_EXISTS
    assert (await change_logo(emsp, stranger, filename)).status == 200


async def test_the_own_upload_comes_before_that_of_an_application(emsp: Service, user: str, filename: str) -> None:
    await upload_logo(emsp, user, filename, a_picture("PNG", size=(9, 9)))
    await upload_logo(emsp, emsp.client.basic, filename)
    await upload_logo(emsp, emsp.client.basic, filename)
    assert (await change_logo(emsp, user, filename)).status == 200
    assert await emsp.store.fetchval("select count(*) from es.loose_images where filename = $1", filename) == 2


async def test_of_own_uploads_of_one_name_the_newest_counts(emsp: Service, user: str, filename: str) -> None:
    before = set(files_of(emsp))
    await upload_logo(emsp, user, filename)
    first = set(files_of(emsp)) - before
    await upload_logo(emsp, user, filename)
    await change_logo(emsp, user, filename)
    assert {await logo_of(emsp, user)} == set(files_of(emsp)) - before - first


async def test_the_current_logo_changes_nothing(emsp: Service, user: str, filename: str) -> None:
    await upload_logo(emsp, user, filename)
    first = await change_logo(emsp, user, filename)
    count = await emsp.event_count()
    logo = await logo_of(emsp, user)
    for name in (filename, logo):
        again = await change_logo(emsp, user, name)
        assert (told(again), again.position) == ((200, "Success", []), first.position)
    # It comes before what applications send under that name.
    await upload_logo(emsp, emsp.client.basic, filename)
    assert (await change_logo(emsp, user, filename)).status == 200
    assert await emsp.event_count() == count
    assert await logo_of(emsp, user) == logo


async def test_several_uploads_of_one_name_are_not_unique(emsp: Service, user: str, filename: str) -> None:
    await upload_logo(emsp, emsp.client.basic, filename)
    await upload_logo(emsp, emsp.client.basic, filename, SVG if filename.endswith("svg") else a_picture(mode="L"))
    assert told(await change_logo(emsp, user, filename)) == NOT_UNIQUE


async def test_an_upload_of_yesterday_is_gone(emsp: Service, user: str, filename: str) -> None:
    await upload_logo(emsp, emsp.client.basic, filename)
    await emsp.store.execute(AGE, timedelta(hours=23, minutes=59), filename)
    await upload_logo(emsp, emsp.client.basic, filename)
    assert told(await change_logo(emsp, user, filename)) == NOT_UNIQUE
    await emsp.store.execute(AGE, timedelta(hours=24), filename)
    assert told(await change_logo(emsp, user, filename)) == NOT_EXISTS


async def test_an_own_upload_waits_as_long_as_it_has_to(emsp: Service, user: str, filename: str) -> None:
    await upload_logo(emsp, user, filename)
    await emsp.store.execute(AGE, timedelta(days=300), filename)
    assert (await change_logo(emsp, user, filename)).status == 200


async def test_the_old_logo_goes_once_the_new_one_is_stored(emsp: Service, user: str, filename: str) -> None:
    await upload_logo(emsp, user, filename)
    await change_logo(emsp, user, filename)
    old = await logo_of(emsp, user)
    await upload_logo(emsp, user, filename)
    await change_logo(emsp, user, filename)
    new = await logo_of(emsp, user)
    assert new not in (None, old)

    async def status_of_old() -> int:
        return (await image(emsp, f"/images/{old}"))[0]

    await until_equal(status_of_old, 404)
    assert (await image(emsp, f"/images/{new}"))[0] == 200


async def test_uploads_that_nobody_took_are_removed(emsp: Service, user: str, filename: str) -> None:
    before = set(files_of(emsp))
    await upload_logo(emsp, emsp.client.basic, filename)
    (name,) = set(files_of(emsp)) - before
    due_in = await emsp.store.fetchval("select due_at - now() from es.loose_images where filename = $1", filename)
    assert due_in.total_seconds() > 24 * 3_600
    await emsp.store.execute("update es.loose_images set due_at = now() where filename = $1", filename)

    await until(lambda: name not in files_of(emsp))
    assert told(await change_logo(emsp, user, filename)) == NOT_EXISTS


async def test_of_many_own_uploads_the_oldest_make_room(emsp: Service, user: str) -> None:
    for number in range(22):
        assert (await upload_logo(emsp, user, f"{number}.png")).status == 200
    assert told(await change_logo(emsp, user, "1.png")) == NOT_EXISTS
    assert (await change_logo(emsp, user, "2.png")).status == 200


async def test_a_registration_takes_the_upload_that_it_names(emsp: Service, filename: str) -> None:
    await upload_logo(emsp, emsp.client.basic, filename)
    for name in ("first", "second"):
        body = {
            "username": f"{name} of {filename}",
            "cpo_owner_name": f"{name} of {filename}",
            "contact_name": "Maria Santos",
            "contact_number": "+639171234567",
            "contact_email": "maria@cpo.example",
            "ocpp_ready": True,
            "logo": filename,
        }
        reply = await emsp.client.call("POST", "/ocpi/cpo/2.2/register", body, Authorization=emsp.client.basic)
        assert (reply.status, reply.body["data"]) == (200, "SUCCESS")
        assert reply.position == await emsp.event_count()
    topics = await emsp.store.fetch("select topic from es.events order by pos desc limit 3")
    assert [row["topic"] for row in topics] == ["cpo.registered", "cpo.logo_changed", "cpo.registered"]


async def test_the_same_key_and_name_answer_the_same(emsp: Service, user: str, filename: str) -> None:
    await upload_logo(emsp, user, filename)
    first = await change_logo(emsp, user, filename, Idempotency_Key="k1")
    await upload_logo(emsp, user, filename)
    again = await change_logo(emsp, user, filename, Idempotency_Key="k1")
    assert (again.status, again.position) == (200, first.position)
    assert told(await change_logo(emsp, user, "x.png", Idempotency_Key="k1")) == (400, "IDEMPOTENCY_KEY_REUSED", [])


@pytest.mark.parametrize("name", [None, 7, "", "  ", "a\nb.png", "x" * 256, ["a.png"]])
async def test_what_is_no_name_is_refused(emsp: Service, user: str, name: object) -> None:
    status, message, data = told(await change_logo(emsp, user, name))
    assert (status, message, [fault["field"] for fault in data]) == (400, "VALIDATION_ERROR", ["logo"])


@pytest.mark.parametrize("name", ["../../x.png", "%", "x.png\u202e", "'; drop table es.events --", "*"])
async def test_an_odd_name_is_a_name_that_nobody_has(emsp: Service, user: str, name: str) -> None:
    assert told(await change_logo(emsp, user, name)) == NOT_EXISTS


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([FormPart("x", "y")], "MISSING_FILE"),
        ([FormPart("logo", PNG, "a.png")], "MISSING_FILE"),
        ([FormPart("cpo_logo", b"", "")], "MISSING_FILE"),
        ([FormPart("cpo_logo", PNG, "a.png")] * 2, "TOO_MANY_FILES"),
        ([FormPart("cpo_logo", PNG, "a.jpg")], "INVALID_IMAGE"),
        ([FormPart("cpo_logo", PNG, "a")], "INVALID_IMAGE"),
        ([FormPart("cpo_logo", b"", "a.png")], "INVALID_IMAGE"),
        ([FormPart("cpo_logo", PNG + b"\0" * (5 * 1024 * 1024), "a.png")], "INVALID_IMAGE"),
        ([FormPart("cpo_logo", SVG.replace(b"<defs", b"<script/><defs"), "a.svg")], "INVALID_IMAGE"),
        ([FormPart("cpo_logo", PNG, "x" * 252 + ".png")], "VALIDATION_ERROR"),
    ],
)
async def test_a_wrong_upload_is_refused_and_leaves_nothing_behind(
    emsp: Service, parts: list[FormPart], message: str
) -> None:
    before = files_of(emsp)
    reply = await emsp.client.send_form("POST", UPLOAD, emsp.client.basic, *parts)
    status, told_message, data = told(reply)
    assert (status, told_message, [fault["field"] for fault in data]) == (400, message, ["cpo_logo"])
    assert files_of(emsp) == before


async def test_who_may_upload(emsp: Service, cpo: Cpo, user: str) -> None:
    reader = encode_basic_auth("reader", READ_ONLY_SECRET)
    desk = encode_basic_auth("desk", ACCOUNTS_ONLY_SECRET)
    assert [(await upload_logo(emsp, who)).status for who in (user, desk, emsp.client.basic)] == [200, 200, 200]
    assert told(await upload_logo(emsp, reader)) == (403, "Forbidden", [])
    for wrong, scheme in ((f"Bearer {cpo.token_c}", "Bearer"), ("Basic x", "Basic"), ("Digest x", "Basic")):
        reply = await upload_logo(emsp, wrong)
        assert told(reply) == (401, "Unauthorized", [])
        assert reply.headers["WWW-Authenticate"].startswith(scheme)
    assert told(await change_logo(emsp, emsp.client.basic, "a.png")) == (401, "Unauthorized", [])


async def test_another_content_type_and_a_large_body_are_refused(emsp: Service, user: str) -> None:
    other = await emsp.client.call("POST", UPLOAD, {}, Authorization=user)
    assert told(other) == (415, "UNSUPPORTED_MEDIA_TYPE", [])
    form = await emsp.client.send_form("PATCH", LOGO, user, FormPart("logo", "a.png"))
    assert told(form) == (415, "UNSUPPORTED_MEDIA_TYPE", [])
    headers = {"Authorization": user, "Content-Type": "multipart/form-data; boundary=x"}
    body = io.BytesIO(b"x" * (7 * 1024 * 1024))
    async with emsp.client.session.post(emsp.base_url + UPLOAD, data=body, headers=headers) as response:
        assert (response.status, (await response.json())["message"]) == (413, "PAYLOAD_TOO_LARGE")
