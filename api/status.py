"""`emsp status`: where everything is, and whether that is well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.table import Column, Table

from api.command_faults import Unhealthy
from api.compose import event_bus
from api.connections import Connector, databases, one_session
from api.readiness import HEAD, WAITING_SINCE_S
from projections import letter_table
from projections.bus import AmqpBus, BrokerOutOfReach, queue_of
from projections.generations import LIVE, NEXT, OLD, generation_in
from projections.migrate import DATABASE_ID, views_version
from projections.projector import LEADER_LOCK as PROJECTORS
from write_side.store.outbox import COUNT, FAILED
from write_side.store.probe import append_fault
from write_side.store.publisher import LEADER_LOCK as PUBLISHERS

if TYPE_CHECKING:
    import asyncpg

    from api.connections import Databases
    from api.settings import Settings

    Session = asyncpg.Connection[Any]

CURSOR: Final = "select pos from es.publisher"

PUBLISHES: Final = """
    select pid
      from pg_locks
     where locktype = 'advisory'
       and granted
       and database = (select oid from pg_database where datname = current_database())
       and (classid::bigint << 32) + objid::bigint = $1
       and objsubid = 1
"""

DRAWS: Final = """
    select pid
      from pg_locks
     where locktype = 'advisory'
       and granted
       and database = (select oid from pg_database where datname = current_database())
       and classid::bigint = $1
       and objid::bigint = hashtext($2)::bigint & 4294967295
       and objsubid = 2
"""
"""As `pg_try_advisory_lock` of one and of two keys shows there (PostgreSQL manual, "pg_locks")."""

HELD_S: Final = 5.0
"""Nobody holds the head of the log for longer, but a very large upload."""

MOST_MAILS: Final = 20
"""How many refused mails are named, the oldest first."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How far somebody is. behind_s: the age of the oldest event that it lacks; leader: the backend of who leads."""

    what: str
    position: int
    behind: int
    behind_s: float
    leader: int | None

    def alarms(self, at_most_s: float) -> list[str]:
        """What is wrong with it."""
        if self.behind and self.leader is None:
            return [f"{self.what}: {self.behind} events wait, and nobody leads"]
        if self.behind_s > at_most_s:
            return [f"{self.what}: {self.behind} events behind, for {self.behind_s:.0f} s"]
        return []


async def print_status(settings: Settings) -> None:
    """Positions, lag, generations, what waits where. raises: Unhealthy."""
    console = Console(soft_wrap=True, markup=False, highlight=False)
    async with (
        databases(settings) as urls,
        one_session(urls.event_store) as store,
        one_session(urls.read_model, search_path="views, public") as views,
    ):
        head = await store.fetchval(HEAD)
        publisher = await _publisher(store, head)
        drawn, alarms = await _views(store, views, head)
        _print_table(console, head, [publisher, *drawn])
        for one in (publisher, *drawn[:1]):
            alarms += one.alarms(settings.ready_lag_s)
        alarms += await _print_queue(console, settings, urls, views)
        await _print_mails(store, console)
        fault = await append_fault(Connector(urls.event_store, "emsp status"), at_most_s=HELD_S)
    if fault is not None:
        alarms.append(fault)
    if alarms:
        raise Unhealthy("; ".join(alarms))
    console.print("All is well.")


async def _standing(store: Session, what: str, position: int, *, head: int, leader: int | None) -> Standing:
    seconds = await store.fetchval(WAITING_SINCE_S, position + 1)
    return Standing(what, position, max(0, head - position), seconds or 0.0, leader)


async def _publisher(store: Session, head: int) -> Standing:
    leader = await store.fetchval(PUBLISHES, PUBLISHERS)
    return await _standing(store, "publisher", await store.fetchval(CURSOR), head=head, leader=leader)


async def _views(store: Session, views: Session, head: int) -> tuple[list[Standing], list[str]]:
    """Where the live views, those being built and those before are; what is wrong with the live ones."""
    found = [one for schema in (LIVE, NEXT, OLD) if (one := await generation_in(views, schema)) is not None]
    drawn = [
        await _standing(
            store,
            f"{one.schema}, generation {one.number}",
            one.position,
            head=head,
            leader=await views.fetchval(DRAWS, PROJECTORS, one.schema),
        )
        for one in found
    ]
    if not found or found[0].schema != LIVE:
        return [], ["there are no views: run `emsp migrate`"]
    if found[0].version != views_version():
        return drawn, [f"the views are of another version, {found[0].version}: `emsp rebuild` builds them anew"]
    # Asked anew: both may have gone on.
    if found[0].position > (head := await store.fetchval(HEAD)):
        return drawn, [
            f"the views are at {found[0].position}, ahead of the log at {head}: `emsp rebuild` draws them anew"
        ]
    return drawn, []


def _print_table(console: Console, head: int, standings: list[Standing]) -> None:
    table = Table(Column("what", no_wrap=True), "position", "events behind", "seconds behind", "led by")
    table.add_row("event log", str(head), "", "", "")
    for one in standings:
        leader = "nobody" if one.leader is None else f"pid {one.leader}"
        table.add_row(one.what, str(one.position), str(one.behind), f"{one.behind_s:.1f}", leader)
    console.print(table)


async def _print_queue(console: Console, settings: Settings, urls: Databases, views: Session) -> list[str]:
    """What waits on its way into the views, and aside of it; what is wrong with the broker."""
    live = await generation_in(views, LIVE)
    if live is None:
        return []
    if live.version == views_version():
        parked = await letter_table.keys(views)
        events = sum(one.letters for one in parked)
        console.print(f"parked keys: {len(parked)}, with {events} events (`emsp dead-letters list`)")
    async with event_bus(settings, urls) as bus:
        if not isinstance(bus, AmqpBus):
            return []
        try:
            depth = await bus.depth(queue_of(await views.fetchval(DATABASE_ID)))
        except BrokerOutOfReach as trouble:
            return [f"the broker is out of reach: {trouble}"]
    console.print("queue: not there yet" if depth is None else f"queue: {depth} messages wait")
    return []


async def _print_mails(store: Session, console: Console) -> None:
    (count,) = await store.fetch(COUNT)
    console.print(f"mails that wait: {count['waiting']}")
    for mail in await store.fetch(FAILED, MOST_MAILS):
        console.print(
            f"refused {mail['message_id']} of {mail['party']}: {mail['failure']}; tries {mail['tries']}, "
            f"next {mail['due_at']:%Y-%m-%d %H:%M} UTC or at `emsp mail --retry`"
        )
