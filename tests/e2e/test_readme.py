"""The README's lines for a shell, run as they stand there, one after the other, by one shell."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

from api.routes import ROUTES
from tests.support.emsp import ROOT, deployment

README = (ROOT / "README.md").read_text()
LISTENS_AT = "http://127.0.0.1:8080"
EXAMPLES = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)

SHELL = r"""
set -euo pipefail
# A refusal fails the line; every answer is kept in the order of the calls. People type more slowly than the views move:
# here, each call waits for what the ones before did.
curl() {
    local position="Emsp-Min-Position: $(cat position)"
    [[ "$*" != *Emsp-Min-Position* ]] || position="X-Named: already"
    command curl --silent --show-error --fail-with-body --dump-header head -H "$position" "$@" |
        tee "$(mktemp answers/$(date +%s%N).XXXX)"
    sed -n 's/^Emsp-Position: *\([0-9]*\).*/\1/ip' head > found && [ ! -s found ] || mv found position
}
echo 1 > position
"""


async def answers_to(script: str, folder: Path) -> list[str]:
    """Run it in that folder; what the calls answered, in their order."""
    (folder / "answers").mkdir()
    process = await asyncio.create_subprocess_exec(
        "bash", "-c", SHELL + script, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()[-3_000:]
    return [path.read_text() for path in sorted((folder / "answers").iterdir())]


def data_of(answer: str) -> Any:
    told = json.loads(answer)
    assert told.get("status", 200) == 200
    assert "errors" not in told, told
    return told["data"]


async def test_the_examples_work_as_they_stand_there(tmp_path: Path) -> None:
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    async with deployment(tmp_path) as emsp:
        # As `make run` does: the generated demo client.
        del emsp.settings["EMSP_CLIENTS"]
        emsp.start("run")
        await emsp.until_ready()
        answers = await answers_to("\n".join(EXAMPLES).replace(LISTENS_AT, emsp.base_url), tmp_path)
        assert emsp.stop("run") == 0, emsp.logs()
    envelopes = [data_of(answer) for answer in answers if answer.startswith("{")]
    assert len(envelopes) >= 25
    found = next(told for told in envelopes if "find_ev_filter_locations" in told)["find_ev_filter_locations"]
    assert [one["city"] for one in found] == ["Olongapo"]
    assert {"pending_locations": 3, "pending_evses": 4} in (
        told[0] for told in envelopes if isinstance(told, list) and told
    )
    assert [answer for answer in answers if "<circle" in answer]


def test_every_call_of_the_contract_is_shown() -> None:
    """Each path of the table stands in the examples, with $EMSP for what all paths begin with."""
    shown = "\n".join(EXAMPLES).replace(f"{LISTENS_AT}/ocpi/cpo", "$EMSP")
    missing = [
        f"{route.row} {route.path}"
        for route in ROUTES
        if route.row[0] in "RW"
        and not re.search(
            re.sub(r"\\{\w+\\}", r"[^/\\s\"]+", re.escape(route.path.replace("/ocpi/cpo", "$EMSP"))), shown
        )
    ]
    assert missing == []
