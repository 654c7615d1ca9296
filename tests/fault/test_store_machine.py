"""Whatever happens, in whatever order: the log is what was accepted, and the views are what the log says."""

from __future__ import annotations

import asyncio
import itertools
import os
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from structlog.testing import capture_logs

from api.compose import migrate
from api.connections import Databases as Urls
from tests.fault.ledger import Fact, Ledger
from tests.fault.log_fold import LogFold
from tests.fault.small_service import small_service
from tests.support.builders import PARTY
from tests.support.drafts import a_location_draft, an_evse_draft
from tests.support.store import WRITER, a_key
from write_side.commands.wishes import ChangeEvseStatus, PushLocations
from write_side.events.ranges import range_of
from write_side.store.publisher import events_after

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from tests.fault.small_service import SmallService
    from tests.support.databases import Databases
    from write_side.commands.wishes import Command
    from write_side.ports import Answer, IdempotencyKey

EXAMPLES: Final = int(os.environ.get("EMSP_TEST_MACHINES", "15"))
STEPS: Final = 30
WRITERS: Final = st.integers(0, 1)
STATUSES: Final = st.sampled_from(["AVAILABLE", "BLOCKED", "CHARGING"])
SESSIONS: Final = st.sampled_from([WRITER, "publisher", "projector"])
T = TypeVar("T")


class ServiceMachine(RuleBasedStateMachine):
    """Appends through two writers, kills, loses and repeats; the ledger of answers is the oracle."""

    runner: ClassVar[asyncio.Runner]
    databases: ClassVar[Databases]
    template: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self._stack = AsyncExitStack()
        self._ledger, self._log = Ledger(), LogFold()
        self._statuses: dict[str, str] = {}
        self._answered: list[tuple[Command, IdempotencyKey, Answer]] = []
        self._numbers = itertools.count()
        self._service: SmallService

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(coroutine)

    @initialize()
    def open(self) -> None:
        async def opened() -> SmallService:
            dsn = await self.databases(template=self.template)
            self._stack.push_async_callback(self.databases.drop, dsn)
            return await self._stack.enter_async_context(small_service(dsn))

        self._service = self._run(opened())
        for by in (0, 1):
            self._run(self._register(by))

    def teardown(self) -> None:
        self._run(self._stack.aclose())

    @rule(by=WRITERS)
    def register(self, by: int) -> None:
        """W1: a location with an EVSE."""
        self._run(self._register(by))

    @rule(data=st.data(), by=WRITERS)
    def change_several(self, data: st.DataObject, by: int) -> None:
        """W3 of several EVSEs at once, through both writers; the same status again is no event."""
        uids = data.draw(st.lists(st.sampled_from(sorted(self._statuses)), min_size=1, max_size=4, unique=True))
        wished = {uid: data.draw(STATUSES) for uid in uids}

        async def change() -> None:
            async with asyncio.TaskGroup() as group:
                for number, (uid, status) in enumerate(wished.items()):
                    group.create_task(self._change(uid, status, (by + number) % 2))

        self._run(change())

    @rule(data=st.data())
    def lose_the_answer_to_a_commit(self, data: st.DataObject) -> None:
        """W3 that is committed, but the first writer's connection breaks before it hears of it."""
        uid, status = self._another_status(data)
        service = self._service

        async def change() -> None:
            before = await service.session.fetchval("select pos from es.head")
            service.line.swallow(WRITER.encode())
            async with asyncio.TaskGroup() as group:
                group.create_task(self._change(uid, status, 0))
                while await service.session.fetchval("select pos from es.head") == before:
                    await asyncio.sleep(0.001)
                service.line.cut()
                service.line.answer()

        self._run(change())

    @rule(data=st.data(), session=SESSIONS, by=WRITERS)
    def kill_a_session_under_way(self, data: st.DataObject, session: str, by: int) -> None:
        """W3 while backends are terminated."""
        uid, status = self._another_status(data)

        async def change() -> None:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._change(uid, status, by))
                group.create_task(self._service.kill_session(session))

        self._run(change())

    @rule(data=st.data(), by=WRITERS)
    def repeat(self, data: st.DataObject, by: int) -> None:
        """Any earlier command again, under its key: answered as then."""
        command, key, answer = data.draw(st.sampled_from(self._answered))
        assert self._run(self._service.accepted(command, key, by=by)) == answer

    @rule(data=st.data())
    def deliver_again(self, data: st.DataObject) -> None:
        """Any part of the log comes over the bus again, late or early."""
        first = data.draw(st.integers(1, self._log.position))
        last = data.draw(st.integers(first, self._log.position))

        async def deliver() -> None:
            events = await events_after(self._service.session, first - 1, limit=last - first + 1)
            await self._service.bus.publish(range_of(events))

        self._run(deliver())

    @rule(count=st.integers(1, 3))
    def lose_ranges(self, count: int) -> None:
        """The bus confirms the next ranges, and loses them."""
        self._service.lost = count

    @rule(count=st.integers(1, 3))
    def leave_unconfirmed(self, count: int) -> None:
        """The bus brings the next ranges, and does not confirm them."""
        self._service.unconfirmed = count

    @rule()
    def kill_the_projector(self) -> None:
        """The projector dies between any two steps, and another begins."""

        async def kill() -> None:
            self._service.start_projector()

        self._run(kill())

    @rule(data=st.data())
    def tail(self, data: st.DataObject) -> None:
        """Read on from anywhere: the next positions, without a hole."""
        after = data.draw(st.integers(0, self._log.position))
        limit = data.draw(st.integers(1, 10))
        events = self._run(events_after(self._service.session, after, limit=limit))
        expected = range(after + 1, min(after + limit, self._log.position) + 1)
        assert [event.position for event in events] == list(expected)

    @rule()
    def look(self) -> None:
        """Both views show each EVSE as it was accepted last."""
        assert self._run(self._service.shown()) == (self._statuses, self._statuses)

    @invariant()
    def the_log_is_what_was_accepted(self) -> None:
        self._run(self._log.read_on(self._service.session))
        self._log.must_have(self._ledger.promised(), self._ledger.at)
        self._log.must_have_no_more(self._ledger.promised(), but=0)

    async def _register(self, by: int) -> None:
        uid = f"E{len(self._statuses)}"
        draft = a_location_draft(f"Mall {uid}", evses=(an_evse_draft(uid),))
        answer = await self._answer(PushLocations(PARTY, 7, (draft,)), by)
        location = f"location/{answer.data[0]['location_id']}"  # type: ignore[index]
        self._accepted(answer, Fact(location, "registered"), Fact(f"evse/{uid}", "registered"))
        self._statuses[uid] = "AVAILABLE"

    def _another_status(self, data: st.DataObject) -> tuple[str, str]:
        uid = data.draw(st.sampled_from(sorted(self._statuses)))
        return uid, data.draw(STATUSES.filter(lambda status: status != self._statuses[uid]))

    async def _change(self, uid: str, status: str, by: int) -> None:
        answer = await self._answer(ChangeEvseStatus(PARTY, uid, status), by)
        if status != self._statuses[uid]:
            self._accepted(answer, Fact(f"evse/{uid}", status))
            self._statuses[uid] = status

    async def _answer(self, command: Command, by: int) -> Answer:
        key = a_key(f"key {next(self._numbers)}")
        answer = await self._service.accepted(command, key, by=by)
        self._answered.append((command, key, answer))
        return answer

    def _accepted(self, answer: Answer, *facts: Fact) -> None:
        self._ledger.accepted(facts, answer.position, 0)


@pytest.mark.timeout(30 * EXAMPLES)
async def test_no_order_of_faults_loses_or_doubles_anything(fresh_database: Databases) -> None:
    template = await fresh_database()
    await migrate(Urls(template, template))

    def run() -> None:
        with capture_logs(), asyncio.Runner() as ServiceMachine.runner:
            ServiceMachine.databases, ServiceMachine.template = fresh_database, template
            run_state_machine_as_test(
                ServiceMachine,
                settings=settings(
                    max_examples=EXAMPLES,
                    stateful_step_count=STEPS,
                    derandomize=True,
                    deadline=None,
                    phases=[Phase.generate],
                    suppress_health_check=list(HealthCheck),
                ),
            )

    # In a thread: each example has a loop of its own to run.
    await asyncio.to_thread(run)
