"""As a program: the campaign and its table; with --write also into docs/faults.md."""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import shutil
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from tests.bench.machine import this_machine
from tests.fault.campaign import Outcome, writing
from tests.fault.kinds import KINDS
from tests.fault.report import Campaigned
from tests.support.rabbitmq import NoRabbitmq
from tests.support.servers import Servers

FAULTS = 200


async def suffer(folder: Path, seed: int, count: int, only: str) -> Campaigned:
    console = Console(stderr=True)
    outcomes: list[Outcome] = []

    def tell(outcome: Outcome) -> None:
        outcomes.append(outcome)
        waiting = outcome.waiting
        console.print(
            f"{len(outcomes):4} of {count}  {outcome.kind}: {waiting.refused} refused, "
            f"none accepted for {waiting.longest_gap_s:.2f} s",
            style="dim",
            soft_wrap=True,
        )

    async with writing(folder, seed) as campaign:
        machine = await this_machine(Servers(campaign.service.postgres.url, campaign.service.broker.url))
        await campaign.suffer(count, tell, [kind for kind in KINDS if only in kind.name])
    return Campaigned(seed, campaign.app.answered, outcomes, machine, datetime.now(UTC))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fault", description=__doc__)
    faults = int(os.environ.get("EMSP_TEST_FAULTS", str(FAULTS)))
    parser.add_argument("--faults", type=int, default=faults, help="how many; EMSP_TEST_FAULTS, else %(default)s")
    parser.add_argument(
        "--seed", type=int, default=random.randrange(1_000_000), help="kinds and moments follow from it"
    )
    parser.add_argument(
        "--only", default="", help="faults whose name has this in it; tests/fault/kinds.py has them all"
    )
    parser.add_argument("--write", action="store_true", help="also into docs/faults.md")
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="emsp-fault-"))
    print(f"seed {asked.seed}; logs, kept where something was wrong: {folder}", file=sys.stderr)
    try:
        campaigned = asyncio.run(suffer(folder, asked.seed, asked.faults, asked.only))
    except NoRabbitmq as why:
        sys.exit(str(why))
    shutil.rmtree(folder)
    campaigned.print()
    if asked.write:
        campaigned.write()


if __name__ == "__main__":
    main()
