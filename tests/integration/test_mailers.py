"""EmlMailer: the embedded default writes each mail as a file that only its owner may read."""

from __future__ import annotations

import asyncio
from email import message_from_bytes
from email.policy import SMTPUTF8
from pathlib import Path

import pytest

from ocpi.identifiers import Party
from tests.support.builders import NOON
from tests.support.drafts import a_cpo_draft
from write_side.adapters.mailers import EmlMailer
from write_side.commands.cpos import welcome_mail
from write_side.commands.wishes import RegisterCpo


def a_mail(name: str = "maria", number: int = 1) -> bytes:
    return welcome_mail(
        RegisterCpo(a_cpo_draft(name, name)),
        Party("PH", "ISL"),
        "a-password",
        "a-token-c",
        sender="no-reply@emsp.example",
        message_id=f"<{number}@emsp.example>",
        at=NOON,
    )


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


async def test_a_mail_becomes_a_file_that_only_its_owner_may_read(tmp_path: Path) -> None:
    folder = tmp_path / "var" / "mail"
    await EmlMailer(folder).send(a_mail())
    (file,) = folder.iterdir()
    assert file.suffix == ".eml"
    assert (mode(folder), mode(file)) == (0o700, 0o600)
    assert file.read_bytes() == a_mail()


async def test_a_folder_that_others_could_read_is_closed(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    await EmlMailer(tmp_path).send(a_mail())
    assert mode(tmp_path) == 0o700


@pytest.mark.parametrize("name", ["maria", "é" * 255, "🔌" * 255, "long " * 50 + "name"])
async def test_its_plain_text_says_everything_on_lines_of_its_own(tmp_path: Path, name: str) -> None:
    await EmlMailer(tmp_path).send(a_mail(name))
    (file,) = tmp_path.iterdir()
    message = message_from_bytes(file.read_bytes(), policy=SMTPUTF8)
    body = message.get_body(("plain",))
    assert body is not None
    assert body.get_content().splitlines()[-5:] == [
        f"Username: {name}",
        "Temporary password: a-password",
        "Country code: PH",
        "Party ID: ISL",
        "Token C: a-token-c",
    ]
    assert f"\nUsername: {name}\r\n".encode() in file.read_bytes()


async def test_the_same_mail_twice_is_one_file_and_another_is_another(tmp_path: Path) -> None:
    mailer = EmlMailer(tmp_path)
    for number in (1, 1, 2):
        await mailer.send(a_mail(number=number))
    assert len(list(tmp_path.iterdir())) == 2


async def test_what_a_crash_left_half_written_is_in_nobodys_way(tmp_path: Path) -> None:
    mailer = EmlMailer(tmp_path)
    await mailer.send(a_mail())
    (file,) = tmp_path.iterdir()
    file.rename(tmp_path / f".{file.stem}.part")
    await mailer.send(a_mail())
    assert list(tmp_path.iterdir()) == [file]


async def test_a_mail_is_seen_whole_or_not_at_all(tmp_path: Path) -> None:
    mailer = EmlMailer(tmp_path)
    mails = [a_mail("🔌" * 255, number) for number in range(50)]
    seen: set[bytes] = set()
    sending = asyncio.gather(*(mailer.send(mail) for mail in mails))
    while not sending.done():
        seen |= {file.read_bytes() for file in tmp_path.glob("*.eml")}
        await asyncio.sleep(0)
    assert seen <= set(mails)
    assert {file.read_bytes() for file in tmp_path.iterdir()} == set(mails)


async def test_a_disk_that_refuses_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "mail").write_text("no folder")
    with pytest.raises(OSError, match="mail"):
        await EmlMailer(tmp_path / "mail").send(a_mail())
