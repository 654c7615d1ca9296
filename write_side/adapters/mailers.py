"""Where mail goes. EmlMailer: the embedded default, a file for each mail."""

from __future__ import annotations

import asyncio
import os
from email import message_from_bytes
from email.policy import SMTP
from hashlib import sha256
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

FOLDER_MODE: Final = 0o700
FILE_MODE: Final = 0o600


class EmlMailer:
    """Writes each mail as an .eml file, named by its Message-ID, so that the same mail sent twice is one file.

    folder: made where it is missing; only its owner may read it and the mails, since they hold secrets (contract R1)
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def send(self, message: bytes) -> None:
        """The mail as a file, whole or not at all. raises: OSError where the disk refuses."""
        await asyncio.to_thread(self._write, message)

    def _write(self, message: bytes) -> None:
        self._folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        self._folder.chmod(FOLDER_MODE)
        message_id = str(message_from_bytes(message, policy=SMTP)["Message-ID"])
        name = sha256(message_id.encode()).hexdigest()[:32]
        unfinished = self._folder / f".{name}.part"
        unfinished.unlink(missing_ok=True)
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
        with open(descriptor, "wb") as file:  # noqa: PTH123 - made with its mode
            file.write(message)
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(self._folder / f"{name}.eml")
        _sync(self._folder)


def _sync(folder: Path) -> None:
    """The folder's names survive a crash: a mail is deleted from the store once it is here."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
