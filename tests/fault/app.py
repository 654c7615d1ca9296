"""A driver's app that asks all the time and names a position that it knows of: it is never shown anything older."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tests.fault.writers import ANSWER_S, LOST

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.fault.ledger import Ledger
    from tests.fault.log_fold import LogFold
    from tests.support.client import Client

EVERY_S: Final = 0.1
GRAPHQL: Final = "/ocpi/cpo/graphql"
QUERY: Final = {"query": "{ find_ev_locations { evses { uid status } } }"}


class Shown(NamedTuple):
    """An EVSE's status in an answer. known: so many facts of it were accepted before the question."""

    subject: str
    known: int
    status: str | None


@dataclass(slots=True)
class App:
    """answered: how many questions were; the others were told that the views are not there yet, or nothing."""

    client: Client
    ledger: Ledger
    answered: int = 0
    is_to_stop: bool = False
    _shown: list[Shown] = field(default_factory=list)

    async def run(self) -> None:
        """Ask until told to stop."""
        while not self.is_to_stop:
            await asyncio.sleep(EVERY_S)
            if not self.ledger.at:
                continue
            known = {subject: len(facts) for subject, facts in self.ledger.facts.items() if subject.startswith("evse/")}
            if (statuses := await self._ask(max(self.ledger.at))) is not None:
                self.answered += 1
                self._shown += [Shown(subject, count, statuses.get(subject)) for subject, count in known.items()]

    async def _ask(self, position: int) -> dict[str, str] | None:
        headers = {"Authorization": self.client.basic, "Emsp_Min_Position": str(position)}
        try:
            async with asyncio.timeout(ANSWER_S):
                reply = await self.client.call("POST", GRAPHQL, QUERY, **headers)
        except LOST:
            return None
        body: Any = reply.body
        if reply.status != 200 or "errors" in body:
            assert body["errors"][0]["extensions"]["code"] == "UNAVAILABLE", body
            return None
        evses = [evse for location in body["data"]["find_ev_locations"] for evse in location["evses"]]
        return {f"evse/{evse['uid']}": evse["status"] for evse in evses}

    def taken(self) -> list[Shown]:
        """What was shown since this was asked last."""
        shown, self._shown = self._shown, []
        return shown


def must_be_nothing_old(shown: Iterable[Shown], log: LogFold) -> None:
    """Each status that was shown is the one that was known at the question, or a later one. log: read afterwards."""
    for subject, known, status in shown:
        later = ["AVAILABLE" if fact == "registered" else fact for fact in log.facts[subject][known - 1 :]]
        assert status in later, f"{subject} was shown as {status}; since the question it was {later}"
