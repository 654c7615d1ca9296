"""A real SMTP server of a test's own, which refuses, waits or hangs up when it is told to."""

from __future__ import annotations

import asyncio
import ssl
import warnings
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTPUTF8
from typing import Any, Final, Self, cast

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

TAKEN: Final = "250 2.0.0 taken"
USER: Final = "emsp"
PASSWORD: Final = "p@ss/word:1"
"""With letters that a URL must encode."""


class MailServer:
    """Listens on a loopback port while it is entered; `stop` and `start` as often as wanted, on the same port.

    taken:     the envelopes whose DATA was answered with 250, in their order
    at_rcpt, at_data: what it answers; at_data is asked for anew at each mail
    answers:   cleared, it holds every DATA back until it is set
    hangs_up:  it takes the mail, but cuts the connection instead of saying so
    holds:     set as soon as a mail's DATA has come
    held:      how many it holds back now
    """

    def __init__(
        self,
        *,
        starttls: ssl.SSLContext | None = None,
        tls: ssl.SSLContext | None = None,
        wants_login: bool = False,
        smtputf8: bool = True,
    ) -> None:
        self.taken: list[Envelope] = []
        self.logins: list[bytes] = []
        self.at_rcpt = ""
        self.at_data = TAKEN
        self.hangs_up = False
        self.answers = asyncio.Event()
        self.answers.set()
        self.holds = asyncio.Event()
        self.held = 0
        self.port = 0
        self._tls = tls
        self._protocol: dict[str, Any] = {
            "hostname": "mail.example",
            "enable_SMTPUTF8": smtputf8,
            "tls_context": starttls,
            "require_starttls": starttls is not None,
            "authenticator": self._authenticate if wants_login else None,
            "auth_required": wants_login,
            "auth_require_tls": False,
        }
        self._server: asyncio.Server | None = None
        self._connections: set[SMTP] = set()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen; the second time on the same port."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._connected, "127.0.0.1", self.port, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Away, without a farewell."""
        if self._server is None:
            return
        self._server.close()
        for connection in self._connections:
            _cut(connection)
        self._connections.clear()
        await self._server.wait_closed()
        self._server = None

    @property
    def mails(self) -> list[EmailMessage]:
        """What was taken, read."""
        return [read(envelope) for envelope in self.taken]

    @property
    def message_ids(self) -> list[str]:
        """Of what was taken, in its order."""
        return [str(mail["Message-ID"]) for mail in self.mails]

    def _connected(self) -> SMTP:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it says that logins without TLS are unsafe
            connection = SMTP(self, **self._protocol)
        self._connections.add(connection)
        return connection

    def _authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, login: LoginPassword
    ) -> AuthResult:
        self.logins.append(login.login)
        return AuthResult(handled=False, success=login == LoginPassword(USER.encode(), PASSWORD.encode()))

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if self.at_rcpt:
            return self.at_rcpt.format(address=address)
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 fine"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - as above
        self.holds.set()
        self.held += 1
        await self.answers.wait()
        self.held -= 1
        if not self.at_data.startswith("250"):
            return self.at_data
        self.taken.append(envelope)
        if self.hangs_up:
            _cut(server)
        return self.at_data


def _cut(connection: SMTP) -> None:
    if connection.transport is not None:
        cast("asyncio.WriteTransport", connection.transport).abort()


def read(envelope: Envelope) -> EmailMessage:
    """The mail of an envelope."""
    assert isinstance(envelope.content, bytes)
    message = message_from_bytes(envelope.content, policy=SMTPUTF8)
    assert isinstance(message, EmailMessage)
    return message


def lines_of(mail: EmailMessage) -> list[str]:
    """The lines of its plain-text part."""
    body = mail.get_body(("plain",))
    assert body is not None
    text: str = body.get_content()
    return text.splitlines()
