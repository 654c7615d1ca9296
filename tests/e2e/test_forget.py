"""`emsp forget`: what a CPO's contact is called is nowhere in clear before, and nowhere at all after."""

from __future__ import annotations

import asyncio
import shutil
from importlib.util import find_spec
from pathlib import Path

import asyncpg
import pytest

from api.embedded_programs import WHEEL
from tests.support.client import Cpo, a_location, an_evse
from tests.support.contract import User, log_in, refused
from tests.support.databases import Databases
from tests.support.emsp import Emsp, client_of, deployment
from tests.support.world import KEYS

CONTACT = ("Maria Santos", "+639171234567", "maria@cpo.example")
DETAILS = "/ocpi/cpo/2.2/details"


def pg_dump() -> str | None:
    """The program, of the embedded PostgreSQL, which dumps older servers too, or of the system."""
    wheel = find_spec(WHEEL)
    embedded = wheel and wheel.origin and shutil.which(Path(wheel.origin).parent / "pginstall/bin/pg_dump")
    return embedded or shutil.which("pg_dump")


async def everything(dsn: str) -> str:
    """What a dump of the database has, where there is a program for it, and every row."""
    program = pg_dump()
    if program is None:
        return await every_row(dsn)
    dumping = await asyncio.create_subprocess_exec(program, dsn, stdout=asyncio.subprocess.PIPE)
    dump, _ = await dumping.communicate()
    assert dumping.returncode == 0
    assert b"es.events" in dump
    return dump.decode() + await every_row(dsn)


async def every_row(dsn: str) -> str:
    """Every table of event store and views as text; bytea columns as what their bytes say, and in hexadecimal."""
    connection = await asyncpg.connect(dsn)
    try:
        tables = await connection.fetch("select schemaname, tablename from pg_tables where schemaname ~ '^(es|views)'")
        rows = []
        for table in tables:
            rows += await connection.fetch(f"select t::text from {table['schemaname']}.{table['tablename']} t")
        states = await connection.fetch("select state from es.events union all select state from es.snapshots")
        return "\n".join([*(row[0] for row in rows), *(row[0].decode() for row in states)])
    finally:
        await connection.close()


def is_named_in(text: str) -> bool:
    return any(word in text or word.encode().hex() in text for word in CONTACT)


async def test_a_forgotten_contact_is_nowhere(fresh_database: Databases, tmp_path: Path) -> None:
    dsn = await fresh_database()
    async with deployment(tmp_path, event_store_url=dsn, **KEYS) as emsp:
        emsp.start("run")
        await emsp.until_ready()
        async with client_of(emsp) as client:
            cpo = await client.registered("luzon", "Luzon Volt", tmp_path / "var/mail")
            other = await client.registered("visayas", "Visayas Volt", tmp_path / "var/mail")
            pushed = await client.push_locations(cpo, [a_location("Mall", an_evse("A1"))])
            user = await log_in(client, cpo)
            assert await contact_shown(user, pushed.position) == CONTACT
            assert not is_named_in(await everything(dsn))

            assert "is forgotten" in await emsp.command("forget", "--cpo", f"PH/{cpo.party_id}", "--yes")
            (left,) = (tmp_path / "var/mail").glob("*.eml")
            assert f"Party ID: {other.party_id}" in left.read_text()
            assert not is_named_in(await everything(dsn))
            # The welcome text has an example of the same name and number.
            assert CONTACT[2] not in (tmp_path / "run.log").read_text()
            refused(await user.call("GET", DETAILS), 401, "Unauthorized")
            refused(await client.push_locations(cpo, [a_location("Hotel", an_evse("B1"))]), 401, "Unauthorized")
            assert await contact_shown(await log_in(client, cpo), pushed.position + 1) == (None, None, None)
            assert await contact_shown(await log_in(client, other), pushed.position) == CONTACT
            await the_rest_works(emsp, cpo)
        assert emsp.stop("run") == 0, emsp.logs()


async def contact_shown(user: User, position: int) -> tuple[str | None, ...]:
    details = (await user.call("GET", DETAILS, Emsp_Min_Position=str(position))).body["data"]
    return tuple(details[f"contact_{name}"] for name in ("name", "number", "email"))


async def the_rest_works(emsp: Emsp, cpo: Cpo) -> None:
    # As one that was killed before it came to the files left it: the same command ends it.
    left = emsp.folder / "var/mail/left.eml"
    left.write_text(f"{CONTACT[0]}\nCountry code: PH\nParty ID: {cpo.party_id}\n")
    assert "is forgotten" in await emsp.command("forget", "--cpo", f"PH/{cpo.party_id}", "--yes")
    assert not left.exists()
    await emsp.command("rebuild")
    assert "what the events say" in await emsp.command("verify")
    with pytest.raises(AssertionError, match="was forgotten"):
        await emsp.command("cpo", "reset-password", f"PH/{cpo.party_id}")
    with pytest.raises(AssertionError, match="no CPO PH/QQQ"):
        await emsp.command("forget", "--cpo", "PH/QQQ", "--yes")
