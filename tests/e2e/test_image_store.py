"""Images in a bucket, a store of images that goes away, and a process that is killed between file and event."""

from __future__ import annotations

import asyncio
import io
import random
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import asyncpg
import pytest
from PIL import Image
from yarl import URL

from tests.support.client import Client, Cpo, FormPart, a_location, an_evse
from tests.support.databases import Databases
from tests.support.emsp import client_of, deployment
from tests.support.pictures import a_picture
from tests.support.proxy import Proxy
from tests.support.s3 import KEY_ID, REGION, SECRET, S3Server, s3_server
from tests.support.until import until, until_equal
from tests.support.uploads import PHOTOS, a_location_of, add_photos, bearer_of, image, replace_photo, upload_logo
from tests.support.world import KEYS, Service, service, until_drawn

PNG = a_picture()


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture
async def way(s3: S3Server) -> AsyncIterator[Proxy]:
    """The way from the service to the bucket."""
    async with Proxy("127.0.0.1", URL(s3.endpoint).port or 0) as proxy:
        yield proxy


@pytest.fixture
async def emsp(fresh_database: Databases, tmp_path: Path, s3: S3Server, way: Proxy) -> AsyncIterator[Service]:
    dsn = await fresh_database()
    # Larger than what sockets hold by themselves.
    bucket: dict[str, object] = {
        "image_bytes": 25_000_000,
        "images_url": f"s3://{s3.bucket}/some/prefix",
        "s3_endpoint": f"http://127.0.0.1:{way.port}",
        "s3_region": REGION,
        "s3_access_key_id": KEY_ID,
        "s3_secret_access_key": SECRET,
    }
    async with service(dsn, tmp_path, **bucket) as running:
        yield running
    await fresh_database.drop(dsn)


async def url_of(emsp: Service, user: str, location_id: int) -> str:
    await until_drawn(emsp)
    asked = f"{{ location(id: {location_id}) {{ images }} }}"
    location = (await emsp.client.ask(asked, token=user.removeprefix("Bearer ")))["location"]
    url: str = location["images"][0]
    return url


async def test_photos_lie_in_the_bucket_and_replaced_ones_leave_it(emsp: Service, s3: S3Server, cpo: Cpo) -> None:
    user = await bearer_of(emsp, cpo)
    location_id = await a_location_of(emsp, cpo)
    assert (await add_photos(emsp, user, location_id, PNG)).status == 200
    first = await url_of(emsp, user, location_id)
    assert s3.names() == [first.replace("/images/", "some/prefix/")]
    status, content, headers = await image(emsp, first)
    assert (status, headers["Content-Type"], len(content)) == (200, "image/png", int(headers["Content-Length"]))
    assert (await image(emsp, first, "HEAD"))[0] == 200
    assert (await image(emsp, f"/images/{'0' * 32}.png"))[0] == 404
    photo_id = await emsp.store.fetchval("select key::int from es.claims where scope = 'photo'")
    assert (await replace_photo(emsp, user, photo_id, PNG)).status == 200
    second = await url_of(emsp, user, location_id)
    await until(lambda: s3.names() == [second.replace("/images/", "some/prefix/")])
    assert (await image(emsp, first))[0] == 404


async def test_without_the_bucket_images_wait_and_everything_else_goes_on(emsp: Service, way: Proxy, cpo: Cpo) -> None:
    user = await bearer_of(emsp, cpo)
    location_id = await a_location_of(emsp, cpo)
    await add_photos(emsp, user, location_id, PNG)
    url = await url_of(emsp, user, location_id)
    count = await emsp.event_count()
    way.refuse()
    replies = [
        await add_photos(emsp, user, location_id, PNG, Idempotency_Key="k1"),
        await upload_logo(emsp, emsp.client.basic),
    ]
    for reply in replies:
        assert (reply.status, reply.body) == (503, {"status": 503, "data": [], "message": "SERVICE_UNAVAILABLE"})
        assert int(reply.headers["Retry-After"]) > 0
    async with emsp.client.session.get(emsp.base_url + url) as response:
        assert (response.status, (await response.json())["message"]) == (503, "SERVICE_UNAVAILABLE")
    assert await emsp.event_count() == count
    assert (await emsp.client.push_locations(cpo, [a_location("Two", an_evse("2"))])).status == 200
    way.accept()
    assert (await image(emsp, url))[0] == 200
    assert (await add_photos(emsp, user, location_id, PNG, Idempotency_Key="k1")).status == 200


async def test_an_image_that_breaks_off_ends_the_connection(emsp: Service, way: Proxy, cpo: Cpo) -> None:
    noise = Image.frombytes("RGB", (3_000, 2_000), random.Random(1).randbytes(18_000_000))
    out = io.BytesIO()
    noise.save(out, "PNG", compress_level=1)
    user = await bearer_of(emsp, cpo)
    location_id = await a_location_of(emsp, cpo)
    assert (await add_photos(emsp, user, location_id, out.getvalue())).status == 200
    url = await url_of(emsp, user, location_id)
    async with emsp.client.session.get(emsp.base_url + url) as response:
        assert response.status == 200
        way.refuse()
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()
    way.accept()
    assert (await image(emsp, url))[0] == 200


async def test_a_kill_between_file_and_event_leaves_neither(tmp_path: Path, database: str) -> None:
    images = tmp_path / "var" / "images"
    async with deployment(tmp_path, event_store_url=database, **KEYS) as emsp, client_of(emsp) as client:
        emsp.start("run")
        await emsp.until_ready()
        cpo = await client.registered("luzon", "Luzon Volt", tmp_path / "var" / "mail")
        user, location_id = await _located(client, cpo)
        session = await asyncpg.connect(database)
        count = await session.fetchval("select count(*) from es.events")
        async with session.transaction():
            await session.execute("select from es.head for update")
            parts = (FormPart("location_id", str(location_id)), FormPart("location_photos", PNG, "photo.png"))
            call = asyncio.create_task(client.send_form("POST", PHOTOS, user, *parts))
            await until(lambda: len(list(images.glob("*.png"))) == 1)
            emsp.kill("run")
            with pytest.raises(aiohttp.ClientError):
                await call
        emsp.start("run")
        await emsp.until_ready()
        assert len(list(images.iterdir())) == 1
        # An hour later
        assert await session.execute("update es.loose_images set due_at = now()") == "UPDATE 1"
        await until(lambda: list(images.iterdir()) == [])

        async def loose() -> int:
            left: int = await session.fetchval("select count(*) from es.loose_images")
            return left

        await until_equal(loose, 0)
        assert await session.fetchval("select count(*) from es.events") == count
        assert (await client.send_form("POST", PHOTOS, user, *parts)).status == 200
        assert len(list(images.iterdir())) == 1
        await session.close()


async def _located(client: Client, cpo: Cpo) -> tuple[str, int]:
    """The user's authorization, and a location of the CPO."""
    reply = await client.push_locations(cpo, [a_location("SM City", an_evse("L-1"))])
    assert reply.status == 200, reply.body
    return f"Bearer {await client.log_in(cpo)}", reply.body["data"][0]["location_id"]
