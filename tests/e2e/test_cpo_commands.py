"""`emsp cpo …` as an operator runs it: beside what runs already, and with words for what can't be done."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from pathlib import Path
from typing import Final

import asyncpg
import pytest

from tests.support.client import Client, Cpo, a_location, an_evse
from tests.support.contract import log_in, refused
from tests.support.emsp import EMSP, Emsp, client_of, deployment
from tests.support.processes import free_port
from tests.support.until import until
from tests.support.world import KEYS

DETAILS: Final = ("GET", "/ocpi/cpo/2.2/details")
LOGIN: Final = "/ocpi/cpo/api/auth/v1/login"


async def said(emsp: Emsp, *arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command."""
    process = await asyncio.create_subprocess_exec(
        EMSP,
        *arguments,
        cwd=emsp.folder,
        env=emsp.environment | {"COLUMNS": "300", "NO_COLOR": "1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


def told(mails: Path, line: str) -> list[str]:
    """What every mail says after `line: `, the oldest first."""
    found = sorted(mails.glob("*.eml"), key=os.path.getmtime)
    lines = [text for path in found for text in path.read_text().splitlines()]
    return [text.removeprefix(f"{line}: ") for text in lines if text.startswith(f"{line}: ")]


async def prove_rotation(emsp: Emsp, client: Client, cpo: Cpo, mails: Path) -> Cpo:
    """Rotate its Token C: the old one and the sessions stop, the new one comes by mail and works."""
    user = await log_in(client, cpo)
    code, out, err = await said(emsp, "cpo", "rotate-token-c", f"{cpo.country_code}/{cpo.party_id}")
    assert (code, err) == (0, ""), err
    refused(await client.push_locations(cpo, [a_location("A", an_evse("A1"))]), 401, "Unauthorized")
    refused(await user.call(*DETAILS), 401, "Unauthorized")
    await until(lambda: len(told(mails, "Token C")) == 2)
    token = told(mails, "Token C")[1]
    assert token not in out
    renewed = replace(cpo, token_c=token)
    assert (await client.push_locations(renewed, [a_location("A", an_evse("A1"))])).status == 200
    await log_in(client, renewed)
    return renewed


async def prove_reset(emsp: Emsp, client: Client, cpo: Cpo, mails: Path) -> None:
    """Reset its password: the old one and the sessions stop, the new one comes by mail and is temporary."""
    user = await log_in(client, cpo)
    code, out, err = await said(emsp, "cpo", "reset-password", f"{cpo.country_code}/{cpo.party_id}".lower())
    assert (code, err) == (0, ""), err
    refused(await user.call(*DETAILS), 401, "Unauthorized")
    pair = {"username": cpo.username, "password": cpo.password}
    refused(await client.call("POST", LOGIN, pair, Authorization=client.basic), 401, "Unauthorized")
    await until(lambda: len(told(mails, "Temporary password")) == 2)
    password = told(mails, "Temporary password")[1]
    assert password not in out
    assert told(mails, "Username") == [cpo.username] * 2
    renewed = await log_in(client, replace(cpo, password=password))
    assert renewed.tokens["must_change_password"] is True
    assert (await client.push_locations(cpo, [a_location("B", an_evse("B1"))])).status == 200


async def test_beside_a_running_service_on_the_embedded_database(tmp_path: Path) -> None:
    async with deployment(tmp_path) as emsp:
        emsp.start("run")
        await emsp.until_ready()
        mails = tmp_path / "var/mail"
        async with client_of(emsp) as client:
            cpo = await client.registered("maria", "Isla Charge", mails)
            renewed = await prove_rotation(emsp, client, cpo, mails)
            await prove_reset(emsp, client, renewed, mails)
            code, out, _ = await said(emsp, "events", "--stream", f"cpo/PH/{cpo.party_id}")
        topics = ["cpo.registered", "cpo.token_c_rotated", "cpo.password_reset"]
        assert (code, [topic for topic in topics if topic in out]) == (0, topics)
        secrets = {*told(mails, "Token C"), *told(mails, "Temporary password")}
        assert len(secrets) == 4
        assert emsp.stop("run") == 0, emsp.logs()
        log = (tmp_path / "run.log").read_text()
        assert [secret for secret in secrets if secret in log + out] == []


async def test_on_configured_databases_the_mail_waits_for_its_sender(tmp_path: Path, database: str) -> None:
    async with deployment(tmp_path, event_store_url=database, **KEYS) as emsp:
        code, _, err = await said(emsp, "cpo", "rotate-token-c", "PH/ABC")
        assert (code, err) == (1, "emsp: NotReady: the databases are not migrated: run `emsp migrate` first\n")
        await emsp.command("migrate")
        emsp.start("api")
        emsp.start("mail")
        await emsp.until_ready()
        mails = tmp_path / "var/mail"
        async with client_of(emsp) as client:
            cpo = await client.registered("maria", "Isla Charge", mails)
            await prove_rotation(emsp, client, cpo, mails)
            emsp.stop("mail")
            code, out, _ = await said(emsp, "cpo", "reset-password", f"PH/{cpo.party_id}")
            assert (code, "emsp mail" in out) == (0, True)
            store = await asyncpg.connect(database)
            assert await store.fetchval("select count(*) from es.outbox_mail") == 1
            await store.close()
            emsp.start("mail")
            await until(lambda: len(told(mails, "Temporary password")) == 2)
            await log_in(client, replace(cpo, password=told(mails, "Temporary password")[1]))


async def test_a_store_that_does_not_answer_is_said_and_nothing_is_done(tmp_path: Path, database: str) -> None:
    async with deployment(tmp_path, event_store_url=database, append_patience_s="1", **KEYS) as emsp:
        await emsp.command("migrate")
        emsp.start("api")
        emsp.start("mail")
        await emsp.until_ready()
        async with client_of(emsp) as client:
            cpo = await client.registered("maria", "Isla Charge", tmp_path / "var/mail")
            user = await log_in(client, cpo)
            store = await asyncpg.connect(database)
            async with store.transaction():
                await store.execute("select from es.head for update")
                code, out, err = await said(emsp, "cpo", "rotate-token-c", f"PH/{cpo.party_id}")
            await store.close()
            assert (code, out) == (1, "")
            last = err.splitlines()[-1]
            assert last.startswith("emsp: Unanswered: the event store does not answer")
            assert f"emsp events --stream cpo/PH/{cpo.party_id}" in last
            renewed = {"Authorization": f"Bearer {user.tokens['refresh_token']}"}
            assert (await client.call("GET", "/ocpi/cpo/api/auth/v1/refresh", **renewed)).status == 200
            assert (await client.push_locations(cpo, [a_location("A", an_evse("A1"))])).status == 200


@pytest.mark.parametrize("command", ["rotate-token-c", "reset-password"])
async def test_what_cannot_be_done_is_said_in_one_line(tmp_path: Path, database: str, command: str) -> None:
    async with deployment(tmp_path, event_store_url=database, **KEYS) as emsp:
        await emsp.command("migrate")
        code, out, err = await said(emsp, "cpo", command, "PH/QQQ")
        assert (code, out) == (1, "")
        assert err == "emsp: UnknownCpo: no CPO PH/QQQ is registered\n"
        for wrong in ("PH", "PH/ABCD", "PHL/ABC", "PH-ABC", "PH/ABC/D", "PH/A\nB", ""):
            code, out, err = await said(emsp, "cpo", command, wrong)
            assert (code, out) == (2, ""), wrong
            assert "expected COUNTRY/PARTY, as in PH/ABC" in err
            assert "Traceback" not in err
        code, _, err = await said(emsp, "cpo", command)
        assert (code, "Missing argument" in err) == (2, True)
        code, out, _ = await said(emsp, "cpo", command, "--help")
        assert (code, "COUNTRY/PARTY" in out) == (0, True)
        emsp.settings["EMSP_EVENT_STORE_URL"] = f"postgresql://nobody@127.0.0.1:{free_port()}/none"
        code, out, err = await said(emsp, "cpo", command, "PH/ABC")
        assert (code, out, err.count("\n")) == (1, "", 1), err
        assert err.startswith("emsp: ")
