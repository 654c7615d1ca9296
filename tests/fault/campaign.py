"""One fault after the other under continuous writes; after each, the proof that nothing was lost or done twice."""

from __future__ import annotations

import asyncio
import re
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Final

from tests.fault.app import App, must_be_nothing_old
from tests.fault.kinds import KINDS
from tests.fault.ledger import Ledger
from tests.fault.log_fold import LogFold
from tests.fault.service import RECOVERY_S, running_service
from tests.fault.writers import EVENTS_OF_A_COMMAND, Registrar, Writer
from tests.support.emsp import client_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence
    from pathlib import Path

    from tests.fault.kinds import Kind
    from tests.fault.ledger import Waiting
    from tests.fault.service import Service

WRITERS: Final = 5
REGISTER_EVERY_S: Final = 0.3
VERIFY_EVERY: Final = 25
MAILS_WAITING: Final = "select count(*) from es.outbox_mail"
USERNAME: Final = re.compile(r"^Username: (\S+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One fault. waiting: how commands fared until all was well.

    arrived_s: from the end of its cause until the views had all that was in the log then
    """

    kind: str
    waiting: Waiting
    arrived_s: float


def drawn(chance: Random, kinds: Sequence[Kind], count: int) -> Iterator[Kind]:
    """So many faults: every kind comes once, in any order, before one comes again."""
    order: list[Kind] = []
    for _ in range(count):
        order = order or chance.sample(kinds, len(kinds))
        yield order.pop()


@dataclass(slots=True)
class Campaign:
    """A running service, its writers, and what both say."""

    seed: int
    service: Service
    ledger: Ledger
    log: LogFold
    writers: list[Writer | Registrar]
    app: App

    async def suffer(self, count: int, tell: Callable[[Outcome], None], kinds: Sequence[Kind] = KINDS) -> None:
        """So many faults, of kinds and at moments that follow from the seed. tell: what is called after each."""
        for number, kind in enumerate(drawn(Random(self.seed), kinds, count), start=1):
            try:
                outcome = await self._suffer(kind, Random(f"{self.seed}/{number}"))
                if number % VERIFY_EVERY == 0:
                    await self.verify()
            except Exception as wrong:
                wrong.add_note(f"fault {number} of seed {self.seed}: {kind.name}")
                raise
            tell(outcome)

    async def _suffer(self, kind: Kind, chance: Random) -> Outcome:
        """Inflict one fault; return when all is well again and proved."""
        self.ledger.measured()
        await kind.inflict(self.service, chance)
        arrived_s = await self.service.until_arrived()
        await self._until_everybody_writes()
        await self.service.emsp.until_ready()
        waiting = self.ledger.measured()
        await self.prove()
        return Outcome(kind.name, waiting, arrived_s)

    async def prove(self, *, under_way: int = WRITERS * EVENTS_OF_A_COMMAND + 1) -> None:
        """The log has what was promised, once, in order, without a hole, and at most so many events more."""
        # What is read of the log below is later than all of this.
        promised, at, shown = self.ledger.promised(), dict(self.ledger.at), self.app.taken()
        async with self.service.session() as session:
            await self.log.read_on(session)
        self.log.must_have(promised, at)
        self.log.must_have_no_more(self.ledger.promised(), but=under_way)
        must_be_nothing_old(shown, self.log)

    async def verify(self) -> None:
        """The views are what the events say: `emsp verify` ends with 0, else it says what differs."""
        await self.service.until_arrived()
        await self.service.emsp.command("verify")

    async def must_have_mailed(self, mails: Path) -> None:
        """Every CPO that registered got its mail, and nobody else."""
        async with self.service.session() as session, asyncio.timeout(RECOVERY_S):
            while await session.fetchval(MAILS_WAITING):
                await asyncio.sleep(0.05)
        registered = {subject.removeprefix("cpo/") for subject in self.ledger.facts if subject.startswith("cpo/")}
        told = [USERNAME.findall(path.read_text()) for path in mails.glob("*.eml")]
        assert sorted(name for names in told for name in names) == sorted(registered)

    async def _until_everybody_writes(self) -> None:
        marks = [writer.accepted for writer in self.writers]
        async with asyncio.timeout(RECOVERY_S):
            while any(writer.accepted <= mark for writer, mark in zip(self.writers, marks, strict=True)):
                await asyncio.sleep(0.01)


@asynccontextmanager
async def writing(folder: Path, seed: int) -> AsyncIterator[Campaign]:
    """A running service that is written to all the time; at the end the writers stop, and all of it is proved."""
    ledger = Ledger()
    async with running_service(folder) as service, client_of(service.emsp) as client:
        mails = folder / "var/mail"
        cpo = await client.registered("luzon", "Luzon Volt", mails)
        ledger.facts["cpo/luzon"].append("registered")
        writers: list[Writer | Registrar] = [
            *(Writer(f"W{number}", client, cpo, Random(f"{seed}/{number}"), ledger) for number in range(WRITERS)),
            Registrar(client, ledger, REGISTER_EVERY_S),
        ]
        app = App(client, ledger)
        campaign = Campaign(seed, service, ledger, LogFold(), writers, app)
        async with asyncio.TaskGroup() as group:
            for one in (*writers, app):
                group.create_task(one.run())
            yield campaign
            for one in (*writers, app):
                one.is_to_stop = True
        await campaign.prove(under_way=0)
        await campaign.verify()
        await campaign.must_have_mailed(mails)
