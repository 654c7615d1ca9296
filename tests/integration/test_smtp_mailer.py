"""SmtpMailer against real servers: what is handed over, what is refused for good, what for now."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest

from ocpi.identifiers import Party
from tests.support.builders import NOON
from tests.support.certificates import certified
from tests.support.drafts import a_cpo_draft
from tests.support.mail_server import PASSWORD, USER, MailServer, lines_of
from write_side.adapters.mailers import SmtpMailer
from write_side.adapters.smtp_server import parse_smtp_url
from write_side.commands.cpos import welcome_mail
from write_side.commands.wishes import RegisterCpo
from write_side.domain.errors import MailRefused, MailServerOutOfReach

LOGIN = f"{USER}:{quote(PASSWORD, safe='')}@"


def a_mail(name: str = "maria", number: int = 1, to: str = "maria@islacharge.example") -> bytes:
    draft = a_cpo_draft(name, name)
    draft.contact["email"] = to
    return welcome_mail(
        RegisterCpo(draft),
        Party("PH", "ISL"),
        "a-password",
        "a-token-c",
        sender="no-reply@emsp.example",
        message_id=f"<{number}@emsp.example>",
        at=NOON,
    )


def mailer(
    server: MailServer, rest: str = "", *, scheme: str = "smtp", login: str = "", limit_s: float = 20
) -> SmtpMailer:
    return SmtpMailer(parse_smtp_url(f"{scheme}://{login}127.0.0.1:{server.port}{rest}"), limit_s=limit_s)


async def test_a_mail_is_handed_over_with_its_lines() -> None:
    async with MailServer() as server:
        await mailer(server).send(a_mail())
    (envelope,), (mail,) = server.taken, server.mails
    assert (envelope.mail_from, envelope.rcpt_tos) == ("no-reply@emsp.example", ["maria@islacharge.example"])
    assert mail["Message-ID"] == "<1@emsp.example>"
    assert lines_of(mail)[-5:] == [
        "Username: maria",
        "Temporary password: a-password",
        "Country code: PH",
        "Party ID: ISL",
        "Token C: a-token-c",
    ]
    assert envelope.content == a_mail()


@pytest.mark.parametrize("name", ["é" * 255, "🔌" * 255, ".", "long " * 50 + "name"])
@pytest.mark.parametrize("to", ["maria@islacharge.example", "mañana@islacharge.example", "maria@mañana.example"])
async def test_letters_beyond_ascii_and_long_lines_arrive(name: str, to: str) -> None:
    async with MailServer() as server:
        await mailer(server).send(a_mail(name, to=to))
    (envelope,), (mail,) = server.taken, server.mails
    assert envelope.rcpt_tos == [to]
    assert mail["To"] == to
    assert lines_of(mail)[-5] == f"Username: {name}"
    assert isinstance(envelope.content, bytes)
    assert max(map(len, envelope.content.split(b"\r\n"))) <= 998


@pytest.mark.parametrize(
    "to",
    [
        "o'brien+tag@islacharge.example",
        "maria@islacharge.test",
        "a!#$%&'*+/=?^_`{|}~-b@islacharge.example",
        "x" * 64 + "@" + ".".join(["y" * 63, "z" * 63, "w" * 40]) + ".example",
        "ñ" * 32 + "@" + ".".join(["y" * 63, "z" * 63]) + ".example",
    ],
)
async def test_an_odd_address_is_told_as_it_stands(to: str) -> None:
    async with MailServer() as server:
        await mailer(server).send(a_mail(to=to))
    (envelope,) = server.taken
    assert envelope.rcpt_tos == [to]


@pytest.mark.parametrize("to", ["maria", "maria@a.example, jose@b.example", "<maria@a.example> x", "", "@"])
async def test_what_is_no_address_is_refused(to: str) -> None:
    message = a_mail().replace(b"To: maria@islacharge.example", f"To: {to}".encode())
    async with MailServer() as server:
        with pytest.raises(MailRefused):
            await mailer(server).send(message)
    assert server.taken == []


@pytest.mark.parametrize("name", ["maria", "é" * 255, "🔌" * 255])
async def test_a_server_without_smtputf8_gets_the_ascii_name_of_a_domain(name: str) -> None:
    async with MailServer(smtputf8=False) as server:
        await mailer(server).send(a_mail(name, to="maria@mañana.example"))
    (envelope,), (mail,) = server.taken, server.mails
    assert envelope.rcpt_tos == ["maria@xn--maana-pta.example"]
    assert mail["To"] == "maria@xn--maana-pta.example"
    assert lines_of(mail)[-5] == f"Username: {name}"
    assert isinstance(envelope.content, bytes)
    assert envelope.content.isascii()


async def test_a_server_without_smtputf8_can_not_take_an_address_that_needs_it() -> None:
    async with MailServer(smtputf8=False) as server:
        with pytest.raises(MailRefused, match="SMTPUTF8"):
            await mailer(server).send(a_mail(to="mañana@islacharge.example"))
    assert server.taken == []


@pytest.mark.parametrize("answer", ["550 5.1.1 <{address}>: no such user", "553 what is {address}", "554 5.7.1 spam"])
async def test_a_recipient_refused_is_refused_for_good_and_its_address_not_told(answer: str) -> None:
    async with MailServer() as server:
        server.at_rcpt = answer
        with pytest.raises(MailRefused) as refused:
            await mailer(server).send(a_mail())
    assert str(refused.value) in {"550 5.1.1", "553", "554 5.7.1"}
    assert "maria" not in repr(refused.value)


@pytest.mark.parametrize("answer", ["451 4.7.1 <{address}>: greylisted", "450 busy", "421 4.3.2 going down"])
async def test_a_recipient_deferred_is_tried_again(answer: str) -> None:
    async with MailServer() as server:
        server.at_rcpt = answer
        with pytest.raises(MailServerOutOfReach) as trouble:
            await mailer(server).send(a_mail())
        assert "maria" not in repr(trouble.value)
        server.at_rcpt = ""
        await mailer(server).send(a_mail())
    assert server.message_ids == ["<1@emsp.example>"]


@pytest.mark.parametrize(
    ("answer", "error", "text"),
    [
        ("554 5.6.0 no thanks", MailRefused, "554 5.6.0"),
        ("552 too much", MailRefused, "552"),
        ("452 4.2.2 mailbox full", MailServerOutOfReach, "452 4.2.2"),
        ("421 4.3.2 going down", MailServerOutOfReach, "421 4.3.2"),
    ],
)
async def test_a_mail_is_refused_by_what_is_answered_to_its_data(
    answer: str, error: type[Exception], text: str
) -> None:
    async with MailServer() as server:
        server.at_data = answer
        with pytest.raises(error, match=rf"^{text}$"):
            await mailer(server).send(a_mail())
    assert server.taken == []


async def test_a_server_that_is_away_is_out_of_reach_and_then_back() -> None:
    async with MailServer() as server:
        await server.stop()
        with pytest.raises(MailServerOutOfReach):
            await mailer(server).send(a_mail())
        await server.start()
        await mailer(server).send(a_mail())
    assert server.message_ids == ["<1@emsp.example>"]


async def test_a_connection_cut_before_the_answer_sends_again_under_the_same_id() -> None:
    async with MailServer() as server:
        server.hangs_up = True
        with pytest.raises(MailServerOutOfReach):
            await mailer(server).send(a_mail())
        server.hangs_up = False
        await mailer(server).send(a_mail())
    assert server.message_ids == ["<1@emsp.example>"] * 2


async def test_a_server_that_never_answers_is_out_of_reach() -> None:
    async with MailServer() as server:
        server.answers.clear()
        with pytest.raises(MailServerOutOfReach):
            await mailer(server, limit_s=0.3).send(a_mail())


async def test_starttls_with_an_authority_of_its_own_and_a_login(tmp_path: Path) -> None:
    tls = certified(tmp_path)
    async with MailServer(starttls=tls.context, wants_login=True) as server:
        await mailer(server, f"?tls=starttls&ca={tls.authority}", login=LOGIN).send(a_mail())
    assert server.message_ids == ["<1@emsp.example>"]
    assert server.logins == [USER.encode()]


async def test_tls_from_the_first_byte_and_a_login(tmp_path: Path) -> None:
    tls = certified(tmp_path)
    async with MailServer(tls=tls.context, wants_login=True) as server:
        await mailer(server, f"?ca={tls.authority}", scheme="smtps", login=LOGIN).send(a_mail())
    assert server.message_ids == ["<1@emsp.example>"]


@pytest.mark.parametrize("name", [(), ("mail.example",)], ids=["unknown authority", "another name"])
@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
async def test_a_certificate_that_can_not_be_verified_gets_no_login_and_no_mail(
    tmp_path: Path, scheme: str, name: tuple[str, ...]
) -> None:
    tls = certified(tmp_path, *name)
    ca = f"ca={tls.authority}" if name else ""
    server = MailServer(tls=tls.context) if scheme == "smtps" else MailServer(starttls=tls.context, wants_login=True)
    async with server:
        rest = f"?tls=starttls&{ca}" if scheme == "smtp" else f"?{ca}"
        with pytest.raises(MailServerOutOfReach, match=r"(?i)certificate"):
            await mailer(server, rest, scheme=scheme, login=LOGIN).send(a_mail())
    assert (server.taken, server.logins) == ([], [])


async def test_a_server_without_starttls_gets_no_login_and_no_mail() -> None:
    async with MailServer(wants_login=True) as server:
        with pytest.raises(MailServerOutOfReach):
            await mailer(server, "?tls=starttls", login=LOGIN).send(a_mail())
    assert (server.taken, server.logins) == ([], [])


async def test_a_wrong_password_is_the_accounts_fault_and_no_mails() -> None:
    async with MailServer(wants_login=True) as server:
        with pytest.raises(MailServerOutOfReach, match=r"535") as trouble:
            await mailer(server, login="emsp:wr0ng@").send(a_mail())
    assert "wr0ng" not in repr(trouble.value)
    assert server.taken == []


async def test_a_server_that_wants_a_login_and_gets_none_is_no_fault_of_the_mail() -> None:
    async with MailServer(wants_login=True) as server:
        with pytest.raises(MailServerOutOfReach):
            await mailer(server).send(a_mail())
    assert server.taken == []
