"""What became of it: the log, folded on its own, without any code of the service, and held against the ledger."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

import orjson

from tests.fault.ledger import Fact

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    import asyncpg

HEAD: Final = "select pos from es.head"
AFTER: Final = """
    select pos, originator_id, originator_version, topic, state, command_id
      from es.events
     where pos > $1
     order by pos
"""


class LogFold:
    """The log up to `position`: by subject what happened to it, in order."""

    def __init__(self) -> None:
        self.position = 0
        self.facts: defaultdict[str, list[str]] = defaultdict(list)
        self.at: dict[int, Fact] = {}
        self._versions: dict[UUID, int] = {}
        self._commands: set[UUID] = set()
        self._last_command: UUID | None = None

    async def read_on(self, connection: asyncpg.Connection[Any]) -> None:
        """Fold what came. Positions and versions go on without a hole; no command comes again after another one."""
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            head = await connection.fetchval(HEAD)
            rows = await connection.fetch(AFTER, self.position)
        for position, stream, version, topic, state, command in rows:
            assert position == self.position + 1, f"after position {self.position} comes {position}"
            assert version == self._versions.get(stream, 0) + 1, f"position {position}: version {version} of {stream}"
            assert command == self._last_command or command not in self._commands, f"position {position}: {command}"
            self.position, self._versions[stream], self._last_command = position, version, command
            self._commands.add(command)
            self.at[position] = fact = fact_of(topic, orjson.loads(state))
            self.facts[fact.subject].append(fact.what)
        assert self.position == head, f"the last event is {self.position}, the head says {head}"

    def must_have(self, promised: Mapping[str, Sequence[str]], at: Mapping[int, Fact]) -> None:
        """All that was promised is there, in its order; what a position was answered for is at that position."""
        for subject, facts in promised.items():
            found = self.facts[subject][: len(facts)]
            assert found == list(facts), f"{subject}: {first_difference(facts, found)}"
        for position, fact in at.items():
            assert self.at.get(position) == fact, (
                f"position {position} was answered for {fact}: {self.at.get(position)}"
            )

    def must_have_no_more(self, promised: Mapping[str, Sequence[str]], *, but: int) -> None:
        """Nothing happened that nobody was told of. but: so many events may be under way."""
        more = sum(map(len, self.facts.values())) - sum(map(len, promised.values()))
        assert more <= but, f"{more} events that nobody was told of; {but} may be under way"


def fact_of(topic: str, state: dict[str, Any]) -> Fact:
    """What an event says, in the words of the ledger."""
    match topic:
        case "evse.registered":
            return Fact(f"evse/{state['uid']}", "registered")
        case "evse.status_changed":
            return Fact(f"evse/{state['evse_uid']}", state["status"])
        case "location.registered":
            return Fact(f"location/{state['location_id']}", "registered")
        case "location.changed":
            return Fact(f"location/{state['location_id']}", ",".join(state["changes"]["facilities"]))
        case "cpo.registered":
            return Fact(f"cpo/{state['username']}", "registered")
    raise AssertionError(f"nobody asked for {topic}")


def first_difference(promised: Sequence[str], found: Sequence[str]) -> str:
    """Where two lists of facts part."""
    for number, (one, other) in enumerate(zip(promised, found, strict=False), start=1):
        if one != other:
            return f"fact {number} of {len(promised)} is {other}, answered was {one}"
    return f"{len(promised)} were answered, the log has {len(found)}"
