"""Keeps what the demo's CPOs were told by mail, username, password and token, in a file for its owner's eyes only."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Collection
from dataclasses import asdict, dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Final

from api.command_faults import DemoFailed

FILE_MODE: Final = 0o600
FOLDER_MODE: Final = 0o700
LOOK_EVERY_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the welcome mail of R1 tells. password: the temporary one."""

    username: str
    password: str
    country_code: str
    party_id: str
    token_c: str


@dataclass(frozen=True, slots=True)
class Desk:
    """Where the demo finds its mail and keeps its credentials: the service's data folder."""

    data_dir: Path

    @property
    def file(self) -> Path:
        """The file of the credentials."""
        return self.data_dir / "demo.json"

    @property
    def mails(self) -> Path:
        """The folder of the service's mails."""
        return self.data_dir / "mail"

    @property
    def demo_client_secret(self) -> Path:
        """Where the embedded default keeps the secret of its generated client."""
        return self.data_dir / "keys" / "demo_client_secret"

    async def is_demo_client(self, client: str) -> bool:
        """Whether that client is the generated one."""
        return client == "demo" and await asyncio.to_thread(self.demo_client_secret.exists)

    async def kept(self) -> dict[str, Credentials]:
        """The credentials of earlier loads, by username. raises: DemoFailed where the file is damaged."""
        return await asyncio.to_thread(_read, self.file)

    async def keep(self, credentials: Credentials) -> None:
        """Add them to the file, or replace those of the same user; the file is whole at any time."""
        known = await self.kept() | {credentials.username: credentials}
        await asyncio.to_thread(_write, self.file, known)

    async def mailed(self, username: str, refused: Collection[str], *, at_most_s: float) -> Credentials | None:
        """What the newest mail to that user tells, but for tokens that were refused; None when none has come."""
        for _ in range(int(at_most_s / LOOK_EVERY_S) + 1):
            for told in await asyncio.to_thread(_read_mails, self.mails):
                if told.username == username and told.token_c not in refused:
                    return told
            await asyncio.sleep(LOOK_EVERY_S)
        return None


def _read(path: Path) -> dict[str, Credentials]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    try:
        return {username: Credentials(**told) for username, told in json.loads(text)["cpos"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as fault:
        raise DemoFailed(f"{path} is damaged. Remove it and run the demo again: the mails tell the same.") from fault


def _write(path: Path, known: dict[str, Credentials]) -> None:
    path.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.part")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
    with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 - made with its mode
        json.dump({"cpos": {username: asdict(told) for username, told in known.items()}}, file, indent=2)
        file.write("\n")
    unfinished.replace(path)


def _read_mails(folder: Path) -> list[Credentials]:
    """What every readable welcome mail tells, the newest first."""
    mails = sorted(folder.glob("*.eml"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
    return [told for path in mails if (told := _told(path.read_bytes())) is not None]


def _told(mail: bytes) -> Credentials | None:
    """Of the mail's plain-text part (contract R1); None where it is another kind of mail."""
    text = message_from_bytes(mail, _class=EmailMessage, policy=SMTP).get_body(("plain",))
    if text is None:
        return None
    pairs = (line.partition(": ") for line in str(text.get_content()).splitlines())
    told = {name: value for name, separator, value in pairs if separator}
    try:
        return Credentials(
            username=told["Username"],
            password=told["Temporary password"],
            country_code=told["Country code"],
            party_id=told["Party ID"],
            token_c=told["Token C"],
        )
    except KeyError:
        return None
