"""Where images lie: one suite over memory, a local folder and an S3 server over HTTP."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from obstore.store import MemoryStore

from tests.support.s3 import KEY_ID, REGION, SECRET, S3Server, s3_server
from tests.support.until import until
from write_side.adapters.images import ImageMissing, ObjectImages, S3Access, images_at
from write_side.domain.errors import ImagesOutOfReach

if TYPE_CHECKING:
    from write_side.ports import Images

NAME = "0123456789abcdef0123456789abcdef.png"
LARGE = bytes(range(256)) * 40_000


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


def in_bucket(server: S3Server, prefix: str = "pictures") -> ObjectImages:
    return images_at(f"s3://{server.bucket}/{prefix}", S3Access(server.endpoint, REGION, KEY_ID, SECRET))


@pytest.fixture(params=["memory", "folder", "s3"])
def images(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectImages:
    match request.param:
        case "memory":
            return ObjectImages(MemoryStore())
        case "folder":
            return images_at(f"file://{tmp_path}/not%20made/yet", S3Access())
        case _:
            return in_bucket(request.getfixturevalue("s3"))


async def content_of(images: ObjectImages, name: str) -> bytes:
    found = await images.get(name)
    content = b"".join([chunk async for chunk in found.chunks])
    assert found.size_bytes == len(content)
    return content


async def test_what_was_stored_comes_back(images: ObjectImages) -> None:
    port: Images = images
    await port.put(NAME, b"one")
    assert await content_of(images, NAME) == b"one"


async def test_an_image_of_many_chunks_comes_back_whole(images: ObjectImages) -> None:
    await images.put(NAME, LARGE)
    assert await content_of(images, NAME) == LARGE


async def test_an_unknown_image_is_missing(images: ObjectImages) -> None:
    with pytest.raises(ImageMissing):
        await images.get("f" * 32 + ".png")


async def test_a_removed_image_is_missing_and_removing_it_again_changes_nothing(images: ObjectImages) -> None:
    await images.put(NAME, b"one")
    await images.remove(NAME)
    await images.remove(NAME)
    with pytest.raises(ImageMissing):
        await images.get(NAME)


async def test_storing_again_replaces(images: ObjectImages) -> None:
    await images.put(NAME, b"one")
    await images.put(NAME, b"other")
    assert await content_of(images, NAME) == b"other"


async def test_many_at_once(images: ObjectImages) -> None:
    names = [f"{number:032x}.png" for number in range(20)]
    await asyncio.gather(*(images.put(name, name.encode()) for name in names))
    assert await asyncio.gather(*(content_of(images, name) for name in names)) == [name.encode() for name in names]


async def test_the_folder_is_made_and_holds_nothing_but_images(tmp_path: Path) -> None:
    images = images_at(f"file://{tmp_path}/new/images", S3Access())
    await images.put(NAME, b"one")
    assert [path.name for path in (tmp_path / "new" / "images").iterdir()] == [NAME]


async def test_what_a_killed_process_left_half_written_goes_with_its_image(tmp_path: Path) -> None:
    images = images_at(f"file://{tmp_path}/images", S3Access())
    put = asyncio.create_task(images.put(NAME, LARGE * 10))
    await until(lambda: [*(tmp_path / "images").iterdir()] != [])
    (unfinished,) = (tmp_path / "images").iterdir()
    await put
    (tmp_path / "images" / unfinished.name).write_bytes(b"half")
    await images.remove(NAME)
    assert list((tmp_path / "images").iterdir()) == []


async def test_a_lost_folder_is_out_of_reach(tmp_path: Path) -> None:
    images = images_at(f"file://{tmp_path}/images", S3Access())
    shutil.rmtree(tmp_path / "images")
    (tmp_path / "images").write_text("a file")
    with pytest.raises(ImagesOutOfReach):
        await images.put(NAME, b"one")


async def test_images_lie_under_the_prefix_of_the_bucket(s3: S3Server) -> None:
    await in_bucket(s3, "some/where").put(NAME, b"two")
    assert s3.names()[-1:] == [f"some/where/{NAME}"]


async def test_a_bucket_that_is_not_there_is_out_of_reach(s3: S3Server) -> None:
    images = images_at("s3://nobodys-bucket", S3Access(s3.endpoint, REGION, KEY_ID, SECRET))
    with pytest.raises(ImagesOutOfReach):
        await images.put(NAME, b"one")


async def test_a_server_that_is_gone_is_out_of_reach() -> None:
    with s3_server() as server:
        images = in_bucket(server)
        await images.put(NAME, b"one")
    for call in (images.put(NAME, b"two"), images.get(NAME), images.remove(NAME)):
        with pytest.raises(ImagesOutOfReach):
            await call
