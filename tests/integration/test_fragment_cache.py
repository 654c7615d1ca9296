"""Real PostgreSQL: answers from the cache of fragments are those of the views, whatever changed meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Final

import asyncpg
import orjson
import pytest

from read_side.engine import GraphQLService, create_engine
from read_side.guards import Limits
from read_side.scope import Viewer
from tests.support.builders import PARTY
from tests.support.databases import Databases
from tests.support.filled_views import OTHER, fill, views_of

CPO: Final = Viewer(party=PARTY)
ANOTHER_CPO: Final = Viewer(party=OTHER)
DRIVER: Final = Viewer(client="app", scopes=frozenset({"read"}))

TIMES: Final = 4
"""Askings after which a shape is warm: keys are asked for first."""

RENAME: Final = """
    update views.location_view
       set head = replace(head, '"name":"Harbor Point"', '"name":"' || $1 || '"'),
           revision = revision + 1
     where id = 1
"""

MOVE: Final = "update views.checkpoint set pos = pos + 1"
"""As a projector does, in the transaction in which it changes a row."""


@dataclass(slots=True)
class Meanwhile:
    """Statements that another session runs before the next uses of the read side's sessions, None: nothing."""

    dsn: str
    waiting: list[str | None] = field(default_factory=list)
    uses: int = 0

    async def __call__(self, _connection: object) -> None:
        self.uses += 1
        if self.waiting and (statement := self.waiting.pop(0)):
            await self.run(statement)

    async def run(self, statement: str, *values: Any) -> None:
        connection = await asyncpg.connect(self.dsn)
        async with connection.transaction():
            await connection.execute(statement, *values)
            await connection.execute(MOVE)
        await connection.close()


@pytest.fixture(scope="module")
async def filled(fresh_database: Databases) -> AsyncIterator[str]:
    dsn = await fresh_database()
    await fill(dsn)
    yield dsn
    await fresh_database.drop(dsn)


@pytest.fixture
async def meanwhile(fresh_database: Databases, filled: str) -> AsyncIterator[Meanwhile]:
    dsn = await fresh_database(template=filled)
    yield Meanwhile(dsn)
    await fresh_database.drop(dsn)


@pytest.fixture
async def service(meanwhile: Meanwhile, request: pytest.FixtureRequest) -> AsyncIterator[GraphQLService]:
    async with views_of(meanwhile.dsn, before_each=meanwhile) as views:
        yield await create_engine(views, Limits(), f"test_fragment_cache_{request.node.name}")


async def ask(service: GraphQLService, text: str, viewer: Viewer = CPO, *, min_position: int | None = None) -> Any:
    answer = await service.execute(text, None, None, caller=viewer, min_position=min_position)
    assert answer.errors == ()
    assert answer.data is not None
    return orjson.loads(answer.data)


async def warm(service: GraphQLService, text: str, viewer: Viewer = CPO) -> Any:
    # Who names a position is answered row by row, never with the whole answer of last time.
    answers = [await ask(service, text, viewer, min_position=1) for _ in range(TIMES)]
    assert all(answer == answers[0] for answer in answers)
    return answers[0]


QUERIES: Final = [
    ("{ locations { id name evses { uid status } } }", CPO),
    ("{ locations { id } }", CPO),
    ("{ a: locations(limit: 1) { name } b: locations(offset: 1) { name city } }", CPO),
    ('{ evse(location_name: "har") { uid } }', CPO),
    ("{ evse { uid locations { name } } }", CPO),
    ("{ location(id: 1) { evses { uid server_id } } }", CPO),
    ("{ location(id: 1) { evses { uid server_id } } }", ANOTHER_CPO),
    ("{ find_ev_locations { id evses { uid } } }", DRIVER),
    ("{ find_ev_filter_locations(lat: 14.5, lng: 121) { id distance } }", DRIVER),
    ('{ find_ev_filter_locations(facilities: ["CAFE"], limit: 3) { name distance d: distance } }', DRIVER),
]


@pytest.mark.parametrize(("text", "viewer"), QUERIES)
async def test_a_warm_answer_is_the_first_one(
    service: GraphQLService, meanwhile: Meanwhile, text: str, viewer: Viewer
) -> None:
    first = await warm(service, text, viewer)
    hits, misses, uses = service.answers.hits, service.fragments.misses, meanwhile.uses
    assert await ask(service, text, viewer) == first
    assert service.answers.hits > hits
    assert service.fragments.misses == misses
    assert meanwhile.uses == uses + 1


@pytest.mark.parametrize(("text", "viewer"), QUERIES)
async def test_a_warm_page_is_asked_for_by_its_keys(
    service: GraphQLService, meanwhile: Meanwhile, text: str, viewer: Viewer
) -> None:
    first = await warm(service, text, viewer)
    hits, misses, uses = service.fragments.hits, service.fragments.misses, meanwhile.uses
    await meanwhile.run("select")
    assert await ask(service, text, viewer) == first
    assert service.fragments.hits > hits
    assert service.fragments.misses == misses
    assert meanwhile.uses == uses + 2  # where the views are; then one statement alone, or one transaction


async def test_whole_answers_are_kept_while_the_views_stay_and_asked_for_together(
    service: GraphQLService, meanwhile: Meanwhile
) -> None:
    first = [await ask(service, text, viewer) for text, viewer in QUERIES]
    uses = meanwhile.uses
    assert await asyncio.gather(*(ask(service, text, viewer) for text, viewer in QUERIES)) == first
    assert meanwhile.uses == uses + 2  # the first, and all who came meanwhile


async def test_a_refused_root_field_is_refused_again(service: GraphQLService) -> None:
    text = '{ a: evse(after: "nobody") { uid } b: evse { uid } }'
    said = [await service.execute(text, None, None, caller=CPO) for _ in range(3)]
    assert all(answer.errors[0]["path"] == ["a"] and answer.data == said[0].data for answer in said)


@pytest.mark.parametrize(("text", "viewer"), QUERIES)
async def test_documents_that_are_missing_are_fetched(
    service: GraphQLService, meanwhile: Meanwhile, text: str, viewer: Viewer
) -> None:
    first = await warm(service, text, viewer)
    await meanwhile.run("update views.location_view set revision = revision + 100")
    await meanwhile.run("update views.evse_view set revision = revision + 100 where uid_key = 'a1'")
    uses = meanwhile.uses
    assert await ask(service, text, viewer) == first
    assert meanwhile.uses == uses + 3


async def test_a_changed_document_is_never_answered_as_it_was(service: GraphQLService, meanwhile: Meanwhile) -> None:
    text = "{ locations { id name } }"
    await warm(service, text)
    await meanwhile.run(RENAME, "Harbor Mole")
    assert (await ask(service, text))["locations"][0]["name"] == "Harbor Mole"
    again = await ask(service, text)
    assert [one["name"] for one in again["locations"]] == ["Harbor Mole", "100% Makati_Hub", "Hidden"]


async def test_an_evse_shows_the_change_of_its_location(service: GraphQLService, meanwhile: Meanwhile) -> None:
    text = "{ evse { uid locations { name } } }"
    await warm(service, text)
    await meanwhile.run(RENAME, "Harbor Mole")
    names = {evse["uid"]: evse["locations"]["name"] for evse in (await ask(service, text))["evse"]}
    assert names == {
        "A1": "Harbor Mole",
        "a2": "Harbor Mole",
        "A3": "Harbor Mole",
        "B1": "100% Makati_Hub",
        "C1": "Hidden",
    }


CHANGED: Final = "update views.location_view set head = replace(head, 'Makati', 'Manila'), revision = revision + 1"


@pytest.mark.parametrize(
    "statement",
    [
        f"{CHANGED} where id = 2",
        "delete from views.location_view where id = 2",
        "update views.checkpoint set generation = generation + 1",
    ],
)
async def test_a_document_that_changes_between_two_statements_is_asked_for_anew(
    service: GraphQLService, meanwhile: Meanwhile, statement: str
) -> None:
    text = "{ locations { id city } }"
    before = (await warm(service, text))["locations"]
    await meanwhile.run(f"{CHANGED} where id < 3")
    uses = meanwhile.uses
    meanwhile.waiting += [None, None, statement]  # between the keys and the documents that are missing
    answered = (await ask(service, text))["locations"]
    assert meanwhile.uses == uses + 4
    assert answered == (await ask(service, text))["locations"]
    assert answered[0]["city"] == before[0]["city"].replace("Makati", "Manila")
    assert [one["id"] for one in answered] == ([1, 3] if statement.startswith("delete") else [1, 2, 3])


async def test_a_location_that_is_no_longer_public_is_not_answered_from_the_cache(
    service: GraphQLService, meanwhile: Meanwhile
) -> None:
    text = "{ find_ev_locations { id name } }"
    await warm(service, text, DRIVER)
    await meanwhile.run("update views.location_view set is_public = false, publish = false where id = 4")
    assert [one["id"] for one in (await ask(service, text, DRIVER))["find_ev_locations"]] == [1, 2, 6]


async def test_a_new_generation_forgets_everything(service: GraphQLService, meanwhile: Meanwhile) -> None:
    text = "{ locations { id name } }"
    await warm(service, text)
    await meanwhile.run(
        """with new as (update views.checkpoint set generation = generation + 1)
           update views.location_view set head = replace(head, 'Hidden', 'Found') where id = 3"""
    )
    assert [one["name"] for one in (await ask(service, text))["locations"]][2] == "Found"


async def test_owners_and_the_public_do_not_share_what_only_owners_see(
    service: GraphQLService, meanwhile: Meanwhile
) -> None:
    await meanwhile.run(
        """update views.location_view set evses = replace(evses, '"server_id":null', '"server_id":"s1"')"""
    )
    text = "{ location(id: 1) { evses { uid server_id } } }"
    own, public = await warm(service, text), await warm(service, text, ANOTHER_CPO)
    assert {evse["server_id"] for evse in own["location"]["evses"]} == {"s1"}
    assert {evse["server_id"] for evse in public["location"]["evses"]} == {None}
    assert await ask(service, text) == own
    assert await ask(service, text, ANOTHER_CPO) == public


async def test_the_distance_is_each_requests_own(service: GraphQLService) -> None:
    text = "{{ find_ev_filter_locations(lat: {lat}, lng: 120.3) {{ id distance }} }}"
    near = await warm(service, text.format(lat=14.8), DRIVER)
    far = await ask(service, text.format(lat=14.9), DRIVER)
    assert service.fragments.hits > 0
    distances = {one["id"]: one["distance"] for one in near["find_ev_filter_locations"]}
    assert all(one["distance"] != distances[one["id"]] for one in far["find_ev_filter_locations"])
    plain = await ask(service, "{ find_ev_locations { id distance } }", DRIVER)
    assert {one["distance"] for one in plain["find_ev_locations"]} == {None}


async def test_equal_selections_of_other_texts_share_their_fragments(service: GraphQLService) -> None:
    await warm(service, "{ locations { id name } }")
    misses = service.fragments.misses
    await ask(service, "query Q { mine: locations(limit: 2) { ...F } } fragment F on LOCATIONS { id name }")
    assert service.fragments.misses == misses


async def test_without_room_nothing_is_kept_and_answers_are_the_same(meanwhile: Meanwhile) -> None:
    async with views_of(meanwhile.dsn) as views:
        service = await create_engine(views, Limits(fragment_cache_bytes=0), "test_fragment_cache_none")
        await warm(service, "{ locations { id name } }")
        assert (len(service.fragments), service.fragments.hits) == (0, 0)
