"""EMSP_SMTP_URL: what it may say, and what stops the start."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from write_side.adapters.smtp_server import SmtpServer, parse_smtp_url


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://mail.example", SmtpServer("mail.example", 587, "starttls")),
        ("smtp://mail.example:587/", SmtpServer("mail.example", 587, "starttls")),
        ("smtp://mail.example:2525?tls=starttls", SmtpServer("mail.example", 2525, "starttls")),
        ("smtps://mail.example", SmtpServer("mail.example", 465, "smtps")),
        ("smtps://mail.example:4650", SmtpServer("mail.example", 4650, "smtps")),
        ("smtp://me:p%40ss%2F@mail.example", SmtpServer("mail.example", 587, "starttls", "me", "p@ss/")),
        ("smtps://mail.example?ca=/etc/ca.pem", SmtpServer("mail.example", 465, "smtps", ca="/etc/ca.pem")),
        ("smtp://localhost:25", SmtpServer("localhost", 25, "none")),
        ("smtp://127.0.0.1:1025", SmtpServer("127.0.0.1", 1025, "none")),
        ("smtp://[::1]:1025", SmtpServer("::1", 1025, "none")),
        ("smtp://localhost:587?tls=none", SmtpServer("localhost", 587, "none")),
    ],
)
def test_a_mail_server_is_told_by_its_url(url: str, server: SmtpServer) -> None:
    assert parse_smtp_url(url) == server


@pytest.mark.parametrize(
    "url",
    [
        "smtp://mail.example:25",
        "smtp://mail.example:587?tls=none",
        "smtp://10.0.0.5:1025",
        "smtp://localhost.mail.example:25",
        "smtp://127.0.0.1.mail.example:25",
        "smtp://me:secret@mail.example:25",
    ],
)
def test_plain_smtp_to_another_machine_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"^mail to another machine needs TLS: "):
        parse_smtp_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "mail.example",
        "http://mail.example",
        "smtp://",
        "smtp:///path",
        "smtps://mail.example/inbox",
        "smtp://mail.example:99999",
        "smtp://mail.example:0",
        "smtp://me:sec/ret@mail.example",
        "smtp://me:sec#ret@mail.example",
        "smtp://me:sec?ret@mail.example",
        "smtp://mail.example?tls=maybe",
        "smtps://mail.example?tls=none",
        "smtps://mail.example?verify=no",
        "smtp://[::1",
        "",
    ],
)
def test_what_is_no_mail_server_is_refused_without_being_quoted(url: str) -> None:
    with pytest.raises(ValueError, match=r"^(needs|takes|has|tls|smtps)") as refusal:
        parse_smtp_url(url)
    assert "sec" not in str(refusal.value)


def test_a_password_is_not_shown() -> None:
    assert "p4ss" not in repr(parse_smtp_url("smtps://me:p4ss@mail.example"))


@given(st.text() | st.text().map("smtp://{}".format) | st.text().map("smtps://me:pw@{}".format))
def test_rubbish_is_refused_or_understood(url: str) -> None:
    try:
        server = parse_smtp_url(url)
    except ValueError:
        return
    assert server.host
    assert 0 < server.port < 65_536
