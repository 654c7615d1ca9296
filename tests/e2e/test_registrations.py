"""Two hundred CPOs of alike names at once: each gets a party id and secrets of its own, which are nowhere else."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import asyncpg
import pytest

from tests.support.databases import Databases
from tests.support.emsp import client_of, deployment
from tests.support.world import KEYS

AT_ONCE = 200
EVERY_TABLE = "select tablename from pg_tables where schemaname = any($1) order by 1"


@pytest.mark.timeout(300)
async def test_two_hundred_at_once(fresh_database: Databases, tmp_path: Path) -> None:
    dsn = await fresh_database()
    settings = {"event_store_url": dsn, "rate_register": "1000/minute", **KEYS}
    async with deployment(tmp_path, **settings) as emsp:
        emsp.start("run")
        await emsp.until_ready()
        async with client_of(emsp) as client:
            replies = await asyncio.gather(
                *(client.register(f"abra-{n}", f"Abra Charging {n}") for n in range(AT_ONCE))
            )
            assert {reply.status for reply in replies} == {200}
            async with asyncio.timeout(60):
                while len(mails := list((tmp_path / "var/mail").glob("*.eml"))) < AT_ONCE:
                    await asyncio.sleep(0.1)
        assert emsp.stop("run") == 0, emsp.logs()
        told = [dict(re.findall(r"^([\w ]+): (\S+)$", mail.read_text(), re.MULTILINE)) for mail in mails]
        assert len({mail["Username"] for mail in told}) == len({mail["Party ID"] for mail in told}) == AT_ONCE
        assert all(re.fullmatch("[A-Z]{3}", mail["Party ID"]) for mail in told)
        secrets = {secret for mail in told for secret in (mail["Temporary password"], mail["Token C"])}
        assert len(secrets) == 2 * AT_ONCE
        log = (tmp_path / "run.log").read_text()
        stored = await everything(dsn)
        assert len(stored) > AT_ONCE
        for secret in secrets:
            assert secret not in log
            # As text, and as the bytes of a bytea column in PostgreSQL's hexadecimal form.
            assert secret not in stored
            assert secret.encode().hex() not in stored


async def everything(dsn: str) -> str:
    """Every row of every table of the event store and the views, as text."""
    connection = await asyncpg.connect(dsn)
    try:
        rows = []
        for schema in ("es", "views"):
            for table in await connection.fetch(EVERY_TABLE, [schema]):
                rows += await connection.fetch(f"select t::text from {schema}.{table['tablename']} t")
        assert sum(row[0].count("cpo.registered") for row in rows) == AT_ONCE
        return "\n".join(row[0] for row in rows)
    finally:
        await connection.close()
