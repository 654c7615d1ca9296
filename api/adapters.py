"""The adapters that the settings choose: what stands behind the write side's ports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from write_side.adapters.mailers import EmlMailer, SmtpMailer
from write_side.adapters.smtp_server import parse_smtp_url

if TYPE_CHECKING:
    from api.settings import Settings
    from write_side.ports import Mailer


def mailer_of(settings: Settings) -> Mailer:
    """Where mail goes: the configured mail server, else a file for each in DATA_DIR/mail."""
    if settings.smtp_url is None:
        return EmlMailer(settings.data_dir / "mail")
    return SmtpMailer(parse_smtp_url(settings.smtp_url.get_secret_value()))
