"""Images of which no event speaks: who may take them, and that no file is forgotten, whoever dies when."""

from __future__ import annotations

import asyncio
import io
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from obstore.store import MemoryStore
from structlog.testing import capture_logs

from tests.support.builders import PARTY
from tests.support.drafts import a_location_draft
from tests.support.loose_images import LooseImagesInMemory
from tests.support.pictures import a_picture
from tests.support.store import Store, a_store
from write_side.adapters.images import ImageMissing, ObjectImages
from write_side.commands.dispatch import dispatch
from write_side.commands.wishes import AddLocationPhotos, Command, ImageFile, PushLocations, ReplaceLocationPhoto
from write_side.domain.cpo import Upload
from write_side.domain.errors import Faults, ImagesOutOfReach, StoreOutOfReach
from write_side.events.location import LocationPhotosAdded
from write_side.ports import Answer, Origin
from write_side.store.loose_images import MAX_OWN_UPLOADS, StoredLooseImages, remove_next

if TYPE_CHECKING:
    from write_side.ports import LooseImages

PNG = a_picture()


class Shelf:
    """Images in memory. trouble: what every call raises instead; removed: how often each was."""

    def __init__(self) -> None:
        self.trouble: Exception | None = None
        self.removed: Counter[str] = Counter()
        self._images = ObjectImages(MemoryStore())
        self._names: set[str] = set()

    async def put(self, name: str, content: bytes) -> None:
        if self.trouble is not None:
            raise self.trouble
        await self._images.put(name, content)
        self._names.add(name)

    async def remove(self, name: str) -> None:
        if self.trouble is not None:
            raise self.trouble
        self.removed[name] += 1
        await self._images.remove(name)

    async def names(self) -> set[str]:
        """What is there."""
        there = set()
        for name in self._names:
            try:
                await self._images.size(name)
            except ImageMissing:
                continue
            there.add(name)
        return there


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
async def store(empty_store: str, shelf: Shelf) -> AsyncIterator[Store]:
    async with a_store(empty_store, images=shelf) as opened:
        yield opened


@pytest.fixture(params=["memory", "stored"])
def loose(request: pytest.FixtureRequest) -> LooseImages:
    if request.param == "memory":
        return LooseImagesInMemory()
    store: Store = request.getfixturevalue("store")
    return StoredLooseImages(store.pool)


async def offered_to_one(loose: LooseImages, name: str, filename: str = "logo.png", cpo_owner_id: int = 7) -> Upload:
    await loose.announce([name])
    await loose.offer_to_one(Upload(name, filename), cpo_owner_id)
    return Upload(name, filename)


async def offered_to_all(loose: LooseImages, name: str, filename: str = "logo.png") -> Upload:
    await loose.announce([name])
    await loose.offer_to_all(Upload(name, filename), "app")
    return Upload(name, filename)


async def test_what_is_only_announced_is_nobodys(loose: LooseImages) -> None:
    await loose.announce(["01.png", "02.png"])
    assert await loose.own(7, "01.png") == []
    assert await loose.shared("01.png") == []


async def test_an_own_upload_is_that_cpos_alone(loose: LooseImages) -> None:
    upload = await offered_to_one(loose, "01.png")
    assert await loose.own(7, "logo.png") == [upload]
    assert await loose.own(8, "logo.png") == []
    assert await loose.own(7, "LOGO.png") == []
    assert await loose.shared("logo.png") == []


async def test_a_second_own_upload_of_a_name_takes_the_place_of_the_first(loose: LooseImages) -> None:
    await offered_to_one(loose, "01.png")
    other = await offered_to_one(loose, "02.png", "other.png")
    theirs = await offered_to_one(loose, "03.png", cpo_owner_id=8)
    newest = await offered_to_one(loose, "04.png")
    assert await loose.own(7, "logo.png") == [newest]
    assert await loose.own(7, "other.png") == [other]
    assert await loose.own(8, "logo.png") == [theirs]


async def test_what_is_anybodys_is_told_up_to_two(loose: LooseImages) -> None:
    first = await offered_to_all(loose, "01.png")
    await offered_to_all(loose, "02.png", "other.png")
    assert await loose.shared("logo.png") == [first]
    second = await offered_to_all(loose, "03.png")
    await offered_to_all(loose, "04.png")
    assert await loose.shared("logo.png") == [first, second]
    assert await loose.own(7, "logo.png") == []


async def test_what_is_let_go_is_nobodys_any_more(loose: LooseImages) -> None:
    own, shared = await offered_to_one(loose, "01.png"), await offered_to_all(loose, "02.png")
    await loose.let_go([own.name, shared.name])
    assert (await loose.own(7, "logo.png"), await loose.shared("logo.png")) == ([], [])


# On PostgreSQL, with the loop that removes


async def due(store: Store) -> dict[str, timedelta | None]:
    """Every loose image, and in what time it is removed."""
    rows = await store.session.fetch("select name, due_at - now() as left_for from es.loose_images")
    return {row["name"]: row["left_for"] for row in rows}


async def is_due(store: Store, *names: str) -> None:
    """Time has passed."""
    await store.session.execute("update es.loose_images set due_at = now() where name = any($1)", names)


async def removed_all(store: Store, shelf: Shelf) -> int:
    """Remove everything that is due; how many there were."""
    count = 0
    while await remove_next(store.pool, shelf):
        count += 1
    return count


def ask(store: Store, command: Command) -> asyncio.Task[Answer]:
    return asyncio.ensure_future(dispatch(command, Origin("request-1", "cpo:PH/ABC"), store.world))


async def a_location(store: Store) -> int:
    answer = await ask(store, PushLocations(PARTY, 7, (a_location_draft(),)))
    placed: Any = answer.data
    location_id: int = placed[0]["location_id"]
    return location_id


def add(location_id: int, count: int = 1) -> AddLocationPhotos:
    files = (ImageFile(f"location_photos[{place}]", "a.png", io.BytesIO(PNG)) for place in range(count))
    return AddLocationPhotos(PARTY, 7, location_id, tuple(files))


def replace(photo_id: int) -> ReplaceLocationPhoto:
    return ReplaceLocationPhoto(PARTY, 7, photo_id, ImageFile("location_photo", "a.png", io.BytesIO(PNG)))


async def test_an_image_that_an_event_speaks_of_is_not_loose(store: Store, shelf: Shelf) -> None:
    await ask(store, add(await a_location(store), 3))
    assert await due(store) == {}
    assert await removed_all(store, shelf) == 0
    added = (await store.log())[-1]
    assert added.topic == LocationPhotosAdded.TOPIC
    assert all(name.encode() in added.state for name in await shelf.names())
    assert len(await shelf.names()) == 3


async def test_a_replaced_image_is_removed_though_the_process_died_after_the_event(store: Store, shelf: Shelf) -> None:
    await ask(store, add(await a_location(store)))
    (old,) = await shelf.names()
    await ask(store, replace(1))
    # Nothing else was done before the process died.
    (new,) = await shelf.names() - {old}
    assert list(await due(store)) == [old]
    assert await removed_all(store, shelf) == 1
    assert await shelf.names() == {new}
    assert await due(store) == {}


async def test_a_command_that_died_before_its_event_leaves_an_image_for_an_hour(store: Store, shelf: Shelf) -> None:
    location_id = await a_location(store)
    before = len(await store.log())
    async with store.session.transaction():
        await store.session.execute("select from es.head for update")
        command = ask(store, add(location_id))
        while not await shelf.names():
            assert not command.done()
            await asyncio.sleep(0.01)
        command.cancel()
        await asyncio.gather(command, return_exceptions=True)
        assert store.writer._connection is not None
        store.writer._connection.terminate()
    assert len(await store.log()) == before
    (name,) = await shelf.names()
    left = (await due(store))[name]
    assert left is not None
    assert timedelta(minutes=50) < left <= timedelta(hours=1)
    assert await removed_all(store, shelf) == 0
    await is_due(store, name)
    assert await removed_all(store, shelf) == 1
    assert await shelf.names() == set()


async def test_a_refused_command_lets_its_images_go_at_once(store: Store, shelf: Shelf) -> None:
    location_id = await a_location(store)
    for _ in range(9):
        await ask(store, add(location_id, 5))
    kept = await shelf.names()
    # They all look before anybody has written, so they are refused only after their images are stored.
    outcomes = await asyncio.gather(*(ask(store, add(location_id, 4)) for _ in range(3)), return_exceptions=True)
    assert sorted(type(one) is Answer for one in outcomes) == [False, False, True]
    assert {one.code for one in outcomes if isinstance(one, Faults)} == {"TOO_MANY_FILES"}
    await removed_all(store, shelf)
    assert len(await shelf.names() - kept) == 4
    assert await due(store) == {}


async def test_images_out_of_reach_refuse_the_command_and_leave_no_event(store: Store, shelf: Shelf) -> None:
    location_id = await a_location(store)
    before = len(await store.log())
    shelf.trouble = ImagesOutOfReach()
    with pytest.raises(ImagesOutOfReach):
        await ask(store, add(location_id, 2))
    assert len(await store.log()) == before
    shelf.trouble = None
    await ask(store, add(location_id, 2))
    assert len(await store.log()) == before + 1


async def test_an_image_that_cannot_be_removed_is_tried_again(store: Store, shelf: Shelf) -> None:
    for name in ("01.png", "02.png"):
        await store.world.loose_images.announce([name])
        await shelf.put(name, b"x")
    await is_due(store, "01.png")
    shelf.trouble = ImagesOutOfReach()
    with capture_logs() as lines:
        assert await remove_next(store.pool, shelf)
    assert [line["name"] for line in lines] == ["01.png"]
    left = (await due(store))["01.png"]
    assert left is not None
    assert timedelta(seconds=50) < left <= timedelta(minutes=1)
    shelf.trouble = None
    await is_due(store, "01.png")
    assert await removed_all(store, shelf) == 1
    assert await shelf.names() == {"02.png"}


async def test_several_processes_remove_each_image_once(store: Store, shelf: Shelf) -> None:
    names = [f"{number:02}.png" for number in range(20)]
    await store.world.loose_images.announce(names)
    for name in names:
        await shelf.put(name, b"x")
    await store.world.loose_images.let_go(names)
    counts = await asyncio.gather(*(removed_all(store, shelf) for _ in range(4)))
    assert sum(counts) == 20
    assert shelf.removed == Counter(names)


async def test_an_upload_that_is_being_removed_is_not_offered(store: Store) -> None:
    await offered_to_all(store.world.loose_images, "01.png")
    await is_due(store, "01.png")
    assert await store.world.loose_images.shared("logo.png") == []


async def test_of_too_many_own_uploads_the_oldest_make_room_but_not_at_once(store: Store, shelf: Shelf) -> None:
    uploads = [
        await offered_to_one(store.world.loose_images, f"{number:02}.png", f"{number}.png")
        for number in range(MAX_OWN_UPLOADS + 2)
    ]
    left = await due(store)
    assert [name for name, time in sorted(left.items()) if time is not None] == [one.name for one in uploads[:2]]
    # Somebody may have been told of them a moment ago.
    assert await removed_all(store, shelf) == 0


async def test_a_store_that_is_away_is_said_so(empty_store: str, shelf: Shelf) -> None:
    async with a_store(empty_store, images=shelf) as store:
        await store.pool.close()
        for call in (
            store.world.loose_images.announce(["01.png"]),
            store.world.loose_images.shared("logo.png"),
            store.world.loose_images.own(7, "logo.png"),
            store.world.loose_images.let_go(["01.png"]),
            remove_next(store.pool, shelf),
        ):
            with pytest.raises(StoreOutOfReach):
                await call
