"""The mails that bring a CPO its secrets: plain text with the lines that the contract fixes, sealed at once (R1)."""

from __future__ import annotations

from email.message import EmailMessage
from email.policy import SMTPUTF8
from typing import TYPE_CHECKING, Final

from write_side.domain.changes import SealedMail

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from write_side.events.cpo import ContactData
    from write_side.ports import World

SUBJECT: Final = "Your charge point operator account"


def new_message_id(world: World) -> str:
    """The name of a mail, the same at every try to deliver it."""
    return f"<{world.new_id()}@{world.rules.mail_sender.rpartition('@')[2]}>"


def letter(
    contact: ContactData, text: str, told: Mapping[str, str], *, sender: str, message_id: str, at: datetime
) -> bytes:
    """A mail to that contact, RFC 5322. told: what follows the text, a line each, `name: value`."""
    message = EmailMessage()
    message["From"] = sender
    message["To"] = contact["email"]
    message["Subject"] = SUBJECT
    message["Date"] = at
    message["Message-ID"] = message_id
    lines = "".join(f"{name}: {value}\n" for name, value in told.items())
    message.set_content(f"Hello {contact['name']},\n\n{text}\n\n{lines}", cte="8bit")
    # An address may hold letters beyond ASCII (RFC 6532).
    return message.as_bytes(policy=SMTPUTF8)


def sealed_letter(
    world: World, contact: ContactData, text: str, told: Mapping[str, str], *, at: datetime
) -> SealedMail:
    """The same, encrypted, from the configured sender."""
    message_id = new_message_id(world)
    mail = letter(contact, text, told, sender=world.rules.mail_sender, message_id=message_id, at=at)
    return SealedMail(message_id, world.secrets.seal(mail))
