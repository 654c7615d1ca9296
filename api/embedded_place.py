"""DATA_DIR/postgres: what lies in it, who may reach it, and how the cluster in it is made."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from api.embedded_programs import (
    ENVIRONMENT,
    EmbeddedPostgresFailed,
    OtherUser,
    Programs,
    popen_arguments,
    server_user,
)

USER: Final = "emsp"
# As root the server's user may not be able to walk down to the data folder; a process that stands in it already can
# still reach it by this name, and nobody's permissions are opened.
WHERE_IT_STANDS: Final = "/proc/self/cwd"


@dataclass(frozen=True, slots=True)
class Place:
    """DATA_DIR/postgres, what lies in it, and who the server is there."""

    folder: Path
    user: OtherUser | None

    @property
    def cluster(self) -> Path:
        """PostgreSQL's own folder; missing until it is whole."""
        return self.folder / "data"

    @property
    def sockets(self) -> Path:
        """The folder of the Unix socket, open to the server's user alone."""
        return self.folder / "run"

    @property
    def log(self) -> Path:
        """What initdb and the server say."""
        return self.folder / "log"


def prepared(data_dir: Path) -> Place:
    """The place in a data folder, with its folders made. raises: EmbeddedPostgresFailed  it can't be written."""
    folder = data_dir.absolute() / "postgres"
    place = Place(folder, server_user(folder / "data"))
    try:
        for path in (folder.parent, folder, place.sockets):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if place.user is not None:
            # The other user passes through, to its own folders in it, and sees nothing else.
            folder.chmod(0o711)
            os.chown(place.sockets, place.user.uid, place.user.gid)
    except OSError as wrong:
        line = f"{folder} can't be used ({wrong.strerror}): set EMSP_DATA_DIR to a folder of this user's own"
        raise EmbeddedPostgresFailed(line) from wrong
    return place


def make_cluster(place: Place, programs: Programs, *, is_durable: bool) -> None:
    """The cluster is there when this returns, whole and on the disk; one that is there already stays as it is.

    is_durable: whether to wait for the disk
    raises:     EmbeddedPostgresFailed  initdb failed; the log says why
    """
    if (place.cluster / "PG_VERSION").exists():
        return
    # Under another name until it is whole: an interrupted initdb is thrown away by the next start.
    making = place.folder / "data.new"
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(mode=0o700)
    if place.user is not None:
        os.chown(making, place.user.uid, place.user.gid)
    arguments = [
        *("-D", WHERE_IT_STANDS if place.user else str(making), "-U", USER),
        *("--encoding=UTF8", "--locale=C.UTF-8", "--auth-local=trust", "--auth-host=scram-sha-256"),
        *([] if is_durable else ["--no-sync"]),
    ]
    with log_of(place) as log:
        ended = subprocess.run(  # noqa: S603 - a program found by us; no argument comes from a request
            [programs.folder / "initdb", *arguments],
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=making,
            env=ENVIRONMENT,
            **popen_arguments(place.user),
        )
    if ended.returncode != 0:
        raise EmbeddedPostgresFailed(f"PostgreSQL's initdb failed: see {place.log}")
    making.rename(place.cluster)
    if is_durable:
        _sync(place.folder)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def log_of(place: Place) -> Iterator[int]:
    """The log's file descriptor, to append to."""
    # As root we append in a folder that may be an ordinary user's: a link there is not followed.
    log = os.open(place.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        yield log
    finally:
        os.close(log)
