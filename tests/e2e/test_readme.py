from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

from tests.support.emsp import ROOT, deployment

README = (ROOT / "README.md").read_text()
LISTENS_AT = "http://127.0.0.1:8080"


async def shell(script: str, folder: Path) -> str:
    process = await asyncio.create_subprocess_exec(
        "bash", "-c", f"set -euo pipefail\n{script}", cwd=folder, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert process.returncode == 0, script
    return out.decode()


async def test_the_examples_of_the_readme_work_as_they_stand_there(tmp_path: Path) -> None:
    examples = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    async with deployment(tmp_path) as emsp:
        # As `make run` does: the generated demo client.
        del emsp.settings["EMSP_CLIENTS"]
        emsp.start("run")
        await emsp.until_ready()
        register, push, status, find = (example.replace(LISTENS_AT, emsp.base_url) for example in examples)
        silent = 'curl() { command curl --silent --show-error --fail-with-body "$@"; }\n'
        assert json.loads(await shell(silent + register, tmp_path))["data"] == "SUCCESS"
        async with asyncio.timeout(20):
            while not list((tmp_path / "var/mail").glob("*.eml")):
                await asyncio.sleep(0.05)
        pushed, changed = (await shell(f"{silent}{push}echo\n{status}", tmp_path)).splitlines()
        assert json.loads(pushed)["data"] == [{"location_id": 1}]
        assert json.loads(changed)["data"] == "SUCCESS"
        async with asyncio.timeout(20):
            while True:
                found = json.loads(await shell(silent + find, tmp_path))["data"]["find_ev_filter_locations"]
                if found and found[0]["evses"] == [{"uid": "ISLA-1", "status": "CHARGING"}]:
                    break
                await asyncio.sleep(0.05)
        assert found[0]["city"] == "Olongapo"
        assert emsp.stop("run") == 0, emsp.logs()
