"""The coalescing writer on a real PostgreSQL: each command once or not at all, whatever happens to the connection."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from contextlib import asynccontextmanager
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import pytest
from structlog.testing import capture_logs

from api import connections
from tests.support.builders import CODEC, PARTY
from tests.support.databases import WAITING_FOR_A_LOCK
from tests.support.proxy import Proxy
from tests.support.store import WRITER, Store, a_command, a_key, a_store, an_event
from tests.support.until import until, until_equal
from write_side.domain.changes import Changes, Claim, NewTokenC, NewUser, SealedMail
from write_side.domain.errors import Conflict, KeyTaken, StoreOutOfReach
from write_side.events.ranges import Position
from write_side.events.streams import evse_stream
from write_side.ports import Origin, Submission
from write_side.store.writer import MAX_BATCH_COMMANDS, Writer
from write_side.trouble import BROKEN

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

    from structlog.typing import EventDict

TRANSACTIONS = "select count(distinct xmin::text) from es.events"


@pytest.fixture(autouse=True)
def log_lines() -> Iterator[list[EventDict]]:
    """What was logged, as data."""
    with capture_logs() as lines:
        yield lines


@pytest.fixture
async def store(empty_store: str) -> AsyncIterator[Store]:
    async with a_store(empty_store) as opened:
        yield opened


class Swallowing(Proxy):
    """From the moment when the client says that word, nothing that the server answers arrives."""

    word: bytes | None = None

    async def _pass(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, opening: bytearray, *, is_answer: bool
    ) -> None:
        if is_answer:
            await super()._pass(source, target, opening, is_answer=True)
            return
        listening = asyncio.StreamReader()

        async def listen() -> None:
            while data := await source.read(65_536):
                if self.word is not None and self.word in data:
                    self.word = None
                    self.swallow()
                listening.feed_data(data)
            listening.feed_eof()

        async with asyncio.TaskGroup() as group:
            group.create_task(listen())
            group.create_task(super()._pass(listening, target, opening, is_answer=False))


@asynccontextmanager
async def behind_a_proxy(dsn: str, *, patience_s: float) -> AsyncIterator[tuple[Store, Swallowing]]:
    at = urlsplit(dsn)
    async with (
        Swallowing(at.hostname or "", at.port or 5432) as proxy,
        a_store(dsn, via=proxy, patience_s=patience_s) as store,
    ):
        yield store, proxy


async def outcomes(store: Store, commands: Sequence[Submission]) -> list[object]:
    """What becomes of commands that come at the same moment, so that they would share a batch."""
    return await asyncio.gather(*(store.events.append(command) for command in commands), return_exceptions=True)


async def blocked(session: asyncpg.Connection[Any]) -> int:
    """How many sessions of this database wait for a lock."""
    count: int = await session.fetchval(WAITING_FOR_A_LOCK)
    return count


def kinds(of: Sequence[object]) -> Counter[str]:
    return Counter("written" if isinstance(one, int) else type(one).__name__ for one in of)


async def test_commands_that_come_at_once_are_written_together_in_their_order(store: Store) -> None:
    positions = await outcomes(store, [a_command(an_event(f"A{n}", 1), an_event(f"A{n}", 2)) for n in range(50)])
    assert positions == [2 * n for n in range(1, 51)]
    assert len(await store.log()) == 100
    assert await store.session.fetchval(TRANSACTIONS) == 1


async def test_more_than_fit_into_a_batch_are_written_in_several(store: Store) -> None:
    commands = [a_command(an_event(f"A{n}")) for n in range(2 * MAX_BATCH_COMMANDS + 1)]
    assert await outcomes(store, commands) == list(range(1, len(commands) + 1))
    assert await store.session.fetchval(TRANSACTIONS) == 3


async def test_a_large_command_is_written_whole(store: Store) -> None:
    events = [an_event(f"A{n}") for n in range(5_000)]
    assert await outcomes(store, [a_command(*events), a_command(an_event("B"))]) == [5_000, 5_001]


async def test_commands_on_one_stream_are_written_in_their_order(store: Store) -> None:
    commands = [a_command(an_event("A1", version)) for version in range(1, 6)]
    assert await outcomes(store, [*commands, a_command(an_event("B1"))]) == [1, 3, 4, 5, 6, 2]
    assert await store.session.fetchval(TRANSACTIONS) == 5


async def test_what_had_to_wait_is_not_overtaken_by_what_came_later(store: Store) -> None:
    first = [a_command(an_event("A1", version)) for version in (1, 2)]
    between = [a_command(an_event(f"B{n}")) for n in range(MAX_BATCH_COMMANDS)]
    came = await outcomes(store, [*first, *between, a_command(an_event("A1", 3))])
    assert kinds(came) == {"written": len(came)}
    assert [one.version for one in await store.log() if one.stream == evse_stream(PARTY, "A1")] == [1, 2, 3]


async def test_of_two_commands_on_the_same_version_one_is_written(store: Store) -> None:
    assert kinds(await outcomes(store, [a_command(an_event("A1")) for _ in range(5)])) == {"written": 1, "Conflict": 4}
    assert len(await store.log()) == 1


async def test_a_conflict_is_written_nowhere_and_never_fails_its_neighbours(store: Store) -> None:
    await store.events.append(a_command(an_event("A1")))
    half_stale = a_command(an_event("C1"), an_event("A1"), claims=(Claim("name", "c", "3"),), key=a_key("stale"))
    commands = [a_command(an_event(f"B{n}")) for n in range(10)]
    commands.insert(5, half_stale)
    came = await outcomes(store, commands)
    assert kinds(came) == {"written": 10, "Conflict": 1}
    assert isinstance(came[5], Conflict)
    assert [one.version for one in await store.log()] == [1] * 11
    assert await store.events.claim_owners([("name", "c")]) == {}
    assert await store.events.remembered(a_key().scope, "stale") is None


async def test_a_name_that_two_claim_is_anothers_but_one_that_is_ones_own_is_fine(store: Store) -> None:
    def naming(uid: str, owner: str) -> Submission:
        return a_command(an_event(uid), claims=(Claim("name", "harbor", owner),))

    came = await outcomes(store, [naming("A1", "1"), naming("A2", "2"), naming("A3", "1"), a_command(an_event("B1"))])
    assert kinds(came) == {"written": 3, "Conflict": 1}
    assert isinstance(came[1], Conflict)
    assert await store.events.claim_owners([("name", "harbor")]) == {("name", "harbor"): "1"}


async def test_a_key_that_two_use_is_the_first_ones(store: Store) -> None:
    one, other = a_command(an_event("A1"), key=a_key(), data="one"), a_command(an_event("A2"), key=a_key(), data="2")
    came = await outcomes(store, [one, other, a_command(an_event("B1"))])
    assert kinds(came) == {"written": 2, "KeyTaken": 1}
    assert isinstance(came[1], KeyTaken)
    remembered = await store.events.remembered(a_key().scope, "k1")
    assert remembered is not None
    assert (remembered.answer.data, remembered.answer.position) == ("one", 1)
    assert len(await store.log()) == 2


async def test_where_nothing_changed_only_the_answer_is_remembered(store: Store) -> None:
    assert await store.events.append(a_command(key=a_key(), standing=7)) == 7
    remembered = await store.events.remembered(a_key().scope, "k1")
    assert remembered is not None
    assert (remembered.answer.data, remembered.answer.position) == ("SUCCESS", 7)
    assert await store.log() == ()


async def test_a_command_that_is_sent_again_recognises_itself(store: Store) -> None:
    command = a_command(an_event("A1"), an_event("A2"), claims=(Claim("name", "a", "1"),), key=a_key())
    await store.events.append(a_command(an_event("B1")))
    assert await store.events.append(command) == 3
    await store.events.append(a_command(an_event("B2")))
    assert await store.events.append(command) == 3
    assert len(await store.log()) == 4


async def test_of_a_bad_command_only_it_fails(store: Store) -> None:
    commands = [a_command(an_event(f"A{n}"), claims=(Claim("name", f"a{n}", "1"),)) for n in range(10)]
    commands[4] = a_command(an_event("A4"), claims=(Claim("name", "a\0b", "1"),))
    commands[7] = a_command(an_event("A7"), claims=(Claim("name", "\ud800", "1"),))
    came = await outcomes(store, commands)
    assert kinds(came) == {"written": 8, "CharacterNotInRepertoireError": 1, "DataError": 1}
    assert [index for index, one in enumerate(came) if isinstance(one, Exception)] == [4, 7]
    assert len(await store.log()) == 8


async def test_a_command_that_breaks_a_rule_of_the_tables_fails_alone(store: Store) -> None:
    twice = a_command(an_event("A1"), an_event("A1"))
    came = await outcomes(store, [a_command(an_event("B1")), twice, a_command(an_event("B2"))])
    assert kinds(came) == {"written": 2, "UniqueViolationError": 1}
    assert len(await store.log()) == 2


async def test_what_json_can_not_hold_fails_its_sender_alone(store: Store) -> None:
    came = await outcomes(store, [a_command(an_event("A1"), key=a_key(), data="\ud800"), a_command(an_event("B1"))])
    assert kinds(came) == {"TypeError": 1, "written": 1}


def a_registration(number: int = 1) -> Submission:
    at = an_event().timestamp
    changes = Changes(
        PARTY,
        (an_event(f"R{number}"),),
        (Claim("username", f"user{number}", str(number)),),
        (NewUser(f"User{number}", number, "CPO_OWNER", "$argon2id$…", at),),
        (NewTokenC(bytes([number]) * 32, number),),
        (SealedMail(f"<{number}@emsp.example>", b"sealed"),),
    )
    return Submission(uuid4(), Origin("request-1", "client:app"), changes, "SUCCESS", (), Position(0))


NEWCOMERS = """
    select (select count(*) from es.users),
           (select count(*) from es.tokens_c),
           (select count(*) from es.outbox_mail)
"""


async def test_what_a_registration_brings_is_written_with_it_or_not_at_all(store: Store) -> None:
    stale = a_registration(2)
    await store.events.append(a_command(an_event("R2")))
    came = await outcomes(store, [a_registration(1), stale, a_registration(3), a_command(an_event("A1"))])
    assert kinds(came) == {"written": 3, "Conflict": 1}
    assert tuple(await store.session.fetchrow(NEWCOMERS) or ()) == (2, 2, 2)
    row = await store.session.fetchrow("select * from es.users where user_key = 'user1'")
    assert row is not None
    assert (row["username"], row["cpo_owner_id"], row["country_code"], row["party_id"]) == ("User1", 1, "PH", "ABC")


async def test_several_processes_make_one_log_without_holes_in_commit_order(store: Store) -> None:
    seen: list[int] = []
    writing = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.support.writing", store.dsn, f"P{n}", "300"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        for n in range(3)
    ]
    async with asyncio.timeout(60):
        assert [await process.stdout.readline() for process in writing if process.stdout] == [b"ready\n"] * 3

    async def tail() -> None:
        # A reader that always asks for what follows: a hole, or a late commit below it, would be skipped for ever.
        while len(seen) < 3 + 1_800:
            rows = await store.session.fetch("select pos from es.events where pos > $1 order by pos", len(seen))
            seen.extend(row["pos"] for row in rows)
            assert seen == list(range(1, len(seen) + 1))

    async with asyncio.timeout(60):
        said, *_ = await asyncio.gather(asyncio.gather(*(process.communicate(b"\n") for process in writing)), tail())
    assert [process.returncode for process in writing] == [0, 0, 0]
    positions = sorted(int(line) for out, _ in said for line in out.split())
    assert positions == list(range(5, 3 + 1_800 + 1, 2))
    assert Counter(Counter(one.command_id for one in await store.log()).values()) == {1: 3, 2: 900}
    # They did write at the same time, by turns.
    writers = [str(getattr(CODEC.decode(one), "evse_uid", ""))[:2] for one in await store.log()]
    assert sum(one != other for one, other in pairwise(writers)) > 10


async def test_of_two_processes_on_the_same_version_one_is_written(store: Store) -> None:
    async with a_store(store.dsn) as other:
        for version in range(1, 21):
            both = [one.events.append(a_command(an_event("A1", version))) for one in (store, other)]
            assert kinds(await asyncio.gather(*both, return_exceptions=True)) == {"written": 1, "Conflict": 1}
    assert [one.version for one in await store.log()] == list(range(1, 21))


def len_is_over(of: dict[str, int], goal: int) -> bool:
    return len(of) > goal


KILL_WRITERS = """
    select count(pg_terminate_backend(pid))
      from pg_stat_activity
     where application_name = $1
       and datname = current_database()
"""


async def test_killed_again_and_again_under_load_nothing_accepted_is_lost_and_none_is_there_twice(
    store: Store, log_lines: list[EventDict]
) -> None:
    numbers = iter(range(3_000))
    accepted: dict[str, int] = {}
    kills = 0

    async def write() -> None:
        for number in numbers:
            command = a_registration(number) if number < 100 else a_command(an_event(f"A{number}"))
            accepted[str(command.command_id)] = await store.events.append(command)

    async def kill() -> None:
        # As often as it gets a little further: where in an append each one hits is up to the machine.
        nonlocal kills
        for goal in range(50, 2_900, 50):
            kills += await store.session.fetchval(KILL_WRITERS, WRITER)
            await until(partial(len_is_over, accepted, goal))

    async with asyncio.timeout(100):
        await asyncio.gather(kill(), *(write() for _ in range(50)))
    log = await store.log()
    assert {str(one.command_id): one.position for one in log} == accepted
    assert len(log) == 3_000
    assert tuple(await store.session.fetchrow(NEWCOMERS) or ()) == (100, 100, 100)
    assert kills > 10
    assert any(line["event"] == "event store out of reach" for line in log_lines)


COMMITTED: dict[str, tuple[Callable[[], Submission], bytes]] = {
    "one statement": (lambda: a_command(an_event("A1"), key=a_key()), b"S\0\0\0\x04"),
    "a transaction": (a_registration, b"COMMIT"),
}


@pytest.mark.parametrize(("command", "word"), COMMITTED.values(), ids=COMMITTED)
@pytest.mark.parametrize("then", ["is cut", "stays silent"])
async def test_when_the_answer_to_a_commit_is_lost_the_batch_recognises_itself(
    empty_store: str, command: Callable[[], Submission], word: bytes, then: str
) -> None:
    async with behind_a_proxy(empty_store, patience_s=3) as (store, proxy):
        assert await store.events.append(a_command(an_event("B1"))) == 1
        before = proxy.connections
        # The end of an extended query, or of the transaction: from here on the server may commit.
        proxy.word = word
        answer = asyncio.create_task(store.events.append(command()))
        await until_equal(lambda: store.session.fetchval("select pos from es.head"), 2)
        assert not answer.done()
        if then == "is cut":
            proxy.cut()
        await until(lambda: proxy.connections > before)
        proxy.answer()
        assert await answer == 2
        assert len(await store.log()) == 2


async def test_a_batch_that_was_sent_twice_at_once_is_written_once(empty_store: str) -> None:
    async with a_store(empty_store, patience_s=2) as store:
        await store.events.append(a_command(an_event("B1")))
        holder = await asyncpg.connect(empty_store)
        await holder.execute("begin; select pos from es.head for update")
        answer = asyncio.create_task(store.events.append(a_command(an_event("A1"))))
        # The first session hangs on the lock and is given up; the second waits behind it.
        await until_equal(lambda: blocked(store.session), 2)
        await holder.execute("commit")
        assert await answer == 2
        await holder.close()
        assert len(await store.log()) == 2


async def test_a_store_that_is_away_is_out_of_reach_and_then_back(empty_store: str) -> None:
    async with behind_a_proxy(empty_store, patience_s=0.4) as (store, proxy):
        proxy.refuse()
        assert kinds(await outcomes(store, [a_command(an_event(f"A{n}")) for n in range(3)])) == {"StoreOutOfReach": 3}
        waiting = asyncio.create_task(store.events.append(a_command(an_event("B1"))))
        proxy.accept()
        assert await waiting == 1
        assert [one.version for one in await store.log()] == [1]


async def test_what_was_answered_while_it_waited_is_not_written_afterwards(empty_store: str) -> None:
    async with a_store(empty_store, patience_s=0.4) as store:
        holder = await asyncpg.connect(empty_store)
        await holder.execute("begin; select pos from es.head for update")
        sent = asyncio.create_task(store.events.append(a_command(an_event("A1"))))
        await until_equal(lambda: blocked(store.session), 1)
        waiting = a_command(an_event("B1"))
        with pytest.raises(StoreOutOfReach):
            await store.events.append(waiting)
        await asyncio.gather(sent, return_exceptions=True)
        await holder.execute("commit")
        await holder.close()
        await store.events.append(a_command(an_event("C1")))
        assert waiting.command_id not in {one.command_id for one in await store.log()}


async def test_who_gave_up_is_left_out_of_the_next_try_and_the_others_are_not(empty_store: str) -> None:
    async with behind_a_proxy(empty_store, patience_s=5) as (store, proxy):
        proxy.refuse()
        commands = [a_command(an_event(f"A{n}")) for n in range(3)]
        tasks = [asyncio.create_task(store.events.append(command)) for command in commands]
        await until(lambda: len(store.writer._in_flight) == 3)
        tasks[1].cancel()
        await asyncio.gather(tasks[1], return_exceptions=True)
        proxy.accept()
        assert [await tasks[0], await tasks[2]] == [1, 2]
        assert [one.command_id for one in await store.log()] == [commands[0].command_id, commands[2].command_id]


async def test_a_primary_that_became_a_standby_is_out_of_reach_until_it_is_primary_again(
    empty_store: str, log_lines: list[EventDict]
) -> None:
    async with a_store(empty_store) as store:
        name = urlsplit(empty_store).path[1:]
        await store.session.execute(f"alter database {name} set default_transaction_read_only = on")
        try:
            waiting = asyncio.create_task(store.events.append(a_command(an_event("A1"))))
            await until(lambda: any("read-only" in line.get("error", "") for line in log_lines))
            assert not waiting.done()
        finally:
            await store.session.execute(f"alter database {name} reset default_transaction_read_only")
        assert await waiting == 1


async def test_at_the_end_whoever_waits_is_told(empty_store: str) -> None:

    async def connect() -> asyncpg.Connection[Any]:
        return await asyncpg.connect(empty_store)

    writer = Writer(connect, CODEC, patience_s=10)
    holder = await asyncpg.connect(empty_store)
    await holder.execute("begin; select pos from es.head for update")
    running = asyncio.create_task(writer.run())
    waiting = [asyncio.create_task(writer.append(a_command(an_event("A1", version)))) for version in (1, 2)]
    looking = await asyncpg.connect(empty_store)
    await until_equal(lambda: blocked(looking), 1)
    running.cancel()
    assert kinds(await asyncio.gather(*waiting, return_exceptions=True)) == {"StoreOutOfReach": 2}
    await asyncio.gather(running, return_exceptions=True)
    await looking.close()
    await holder.close()


async def test_a_process_that_stands_still_inside_its_transaction_stops_nobody_for_long(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "SILENCE_S", 0.2)
    asleep = await connections.Connector(store.dsn, "emsp writer")()
    await asleep.execute("begin")
    await asleep.execute("select pos from es.head for update")
    async with asyncio.timeout(5):
        assert await store.events.append(a_command(an_event())) == 1
    # Awake again, it learns that it has lost its session, as if the connection had broken.
    with pytest.raises(BROKEN):
        await asleep.execute("commit")
    assert asleep.is_closed()


async def test_the_server_misses_a_machine_that_vanished(store: Store) -> None:
    session = await connections.Connector(store.dsn, "emsp publisher")()
    assert await session.fetchval("show tcp_keepalives_idle") == "10"
    await session.close()
