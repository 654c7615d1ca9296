"""Where mail goes. EmlMailer: the embedded default, a file for each mail. SmtpMailer: a mail server."""

from __future__ import annotations

import asyncio
import os
import re
from email import message_from_bytes, message_from_string
from email.policy import SMTP as SMTP_POLICY
from email.policy import SMTPUTF8, compat32
from hashlib import sha256
from socket import gethostname
from ssl import create_default_context
from typing import TYPE_CHECKING, Final, cast

from aiosmtplib import (
    SMTP,
    SMTPDataError,
    SMTPException,
    SMTPRecipientsRefused,
    SMTPResponseException,
)
from email_validator import validate_email

from write_side.domain.errors import MailRefused, MailServerOutOfReach

if TYPE_CHECKING:
    from email.message import EmailMessage
    from email.policy import EmailPolicy
    from pathlib import Path

    from ocpi.identifiers import Party
    from write_side.adapters.smtp_server import SmtpServer

FOLDER_MODE: Final = 0o700
FILE_MODE: Final = 0o600

SEND_LIMIT_S: Final = 60.0
COMMAND_LIMIT_S: Final = 20.0
LONGEST_LINE: Final = 998
"""Bytes of a line without its end (RFC 5321 §4.5.3.1.6)."""
PERMANENT: Final = 5
ENHANCED_STATUS: Final = re.compile(r"[245]\.\d{1,3}\.\d{1,3}\b")


class EmlMailer:
    """Writes each mail as an .eml file, named by its Message-ID, so that the same mail sent twice is one file.

    folder: made where it is missing; only its owner may read it and the mails, since they hold secrets (contract R1)
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def send(self, message: bytes) -> None:
        """The mail as a file, whole or not at all. raises: OSError where the disk refuses."""
        await asyncio.to_thread(self._write, message)

    async def forget(self, party: Party) -> int:
        """Delete the mails to that CPO, which name its party. returns: how many there were."""
        return await asyncio.to_thread(self._forget, party)

    def _forget(self, party: Party) -> int:
        named = {f"Country code: {party.country_code}", f"Party ID: {party.party_id}"}
        found = [path for path in self._folder.glob("*.eml") if named <= set(path.read_text("utf-8").splitlines())]
        for path in found:
            path.unlink()
        return len(found)

    def _write(self, message: bytes) -> None:
        self._folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        self._folder.chmod(FOLDER_MODE)
        message_id = str(message_from_bytes(message, policy=SMTP_POLICY)["Message-ID"])
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


class SmtpMailer:
    """Hands each mail to a mail server, over a connection of its own. The server's certificate is always verified.

    limit_s: how long one mail may take, from connecting to the server's answer
    """

    def __init__(self, server: SmtpServer, *, limit_s: float = SEND_LIMIT_S) -> None:
        self._server = server
        self._limit_s = limit_s
        self._tls = None if server.tls == "none" else create_default_context(cafile=server.ca)

    async def send(self, message: bytes) -> None:
        """The mail is the server's. raises: MailRefused, MailServerOutOfReach."""
        client = self._client()
        try:
            async with asyncio.timeout(self._limit_s):
                await client.connect()
                await _hand_over(client, message)
        except SMTPRecipientsRefused as refused:
            raise _refusal(refused.recipients[0]) from None
        except SMTPDataError as refused:
            raise _refusal(refused) from None
        except SMTPResponseException as trouble:
            # Greeting, EHLO, STARTTLS, AUTH, MAIL FROM: the server or our account is at fault, not this mail.
            raise MailServerOutOfReach(f"{type(trouble).__name__}: {_codes(trouble)}") from None
        except (SMTPException, OSError) as trouble:
            raise MailServerOutOfReach(f"{type(trouble).__name__}: {trouble}") from None
        except ValueError:
            raise MailRefused("an address that can't be sent to") from None
        finally:
            client.close()

    def _client(self) -> SMTP:
        server = self._server
        return SMTP(
            hostname=server.host,
            port=server.port,
            username=server.user,
            password=server.password,
            use_tls=server.tls == "smtps",
            start_tls=server.tls == "starttls",
            tls_context=self._tls,
            # Its own default asks the DNS, in a thread that would hold up the end of the process.
            local_hostname=gethostname(),
            timeout=min(COMMAND_LIMIT_S, self._limit_s),
        )


async def _hand_over(client: SMTP, message: bytes) -> None:
    # Both are addresses alone; read as they stand, nothing decoded.
    headers = message_from_string(message.decode(), policy=compat32)
    sender, recipient = ("".join(headers[name].split()) for name in ("From", "To"))
    # What the server can do is known after EHLO; a connection with STARTTLS or AUTH has said it already.
    if client.last_ehlo_response is None:
        await client.ehlo()
    options = ["BODY=8BITMIME"] if client.supports_extension("8bitmime") else []
    in_ascii = _in_ascii(recipient)
    if recipient.isascii():
        if not options or max(map(len, message.split(b"\r\n"))) > LONGEST_LINE:
            message = _in_short_lines(message, recipient, SMTP_POLICY)
    elif client.supports_extension("smtputf8"):
        options.append("SMTPUTF8")
        message = _in_short_lines(message, recipient, SMTPUTF8)
    elif in_ascii is None:
        raise MailRefused("the server has no SMTPUTF8, which this address needs")
    else:
        recipient = in_ascii
        message = _in_short_lines(message, recipient, SMTP_POLICY)
    await client.sendmail(sender, [recipient], message, mail_options=options)
    # The mail is taken. Waiting for the answer to a farewell could only make it be sent again.
    cast("asyncio.WriteTransport", client.transport).write(b"QUIT\r\n")


def _in_ascii(recipient: str) -> str | None:
    """The same address by its domain's ASCII name; None where what is before the @ needs more.

    raises: EmailNotValidError (a ValueError)  it is none, or several; asked as strictly as at the registration
    """
    return validate_email(recipient, check_deliverability=False, test_environment=True).ascii_email


def _in_short_lines(message: bytes, recipient: str, policy: EmailPolicy[EmailMessage]) -> bytes:
    """The same mail with a text of short ASCII lines, which every server takes."""
    mail = message_from_bytes(message, policy=policy)
    mail.set_content(mail.get_content(), cte="quoted-printable")
    mail.replace_header("To", recipient)
    return mail.as_bytes()


def _refusal(refused: SMTPResponseException) -> MailRefused | MailServerOutOfReach:
    """5xx is for good (RFC 5321 §4.2.1), anything else for now."""
    return (MailRefused if refused.code // 100 == PERMANENT else MailServerOutOfReach)(_codes(refused))


def _codes(trouble: SMTPResponseException) -> str:
    """The code and the enhanced status code (RFC 3463). What the server says besides may quote the address."""
    enhanced = ENHANCED_STATUS.match(trouble.message)
    return f"{trouble.code} {enhanced[0]}" if enhanced else str(trouble.code)
