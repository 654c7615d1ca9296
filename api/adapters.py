"""The adapters that the settings choose: what stands behind the write side's ports."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import aiohttp

from write_side.adapters.geocoders import GazetteerGeocoder
from write_side.adapters.google import GoogleAccount, GoogleGeocoder
from write_side.adapters.mailers import EmlMailer, SmtpMailer
from write_side.adapters.smtp_server import parse_smtp_url

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from api.settings import Settings
    from write_side.adapters.google import GeocodingState
    from write_side.ports import Geocoder, Mailer

MAIL_FOLDER: Final = "mail"
"""In DATA_DIR, of the .eml files."""


def mailer_of(settings: Settings) -> Mailer:
    """Where mail goes: the configured mail server, else a file for each in DATA_DIR/mail."""
    if settings.smtp_url is None:
        return EmlMailer(settings.data_dir / MAIL_FOLDER)
    return SmtpMailer(parse_smtp_url(settings.smtp_url.get_secret_value()))


@asynccontextmanager
async def geocoder_of(settings: Settings, state: GeocodingState) -> AsyncIterator[Geocoder]:
    """Who places addresses: the gazetteer, or Google over connections of its own. state: counts the calls."""
    if settings.geocoder == "offline" or settings.google_api_key is None:
        yield GazetteerGeocoder()
        return
    account = GoogleAccount(
        settings.google_api_key.get_secret_value(), settings.google_url, settings.google_calls_per_second
    )
    async with aiohttp.ClientSession() as session:
        yield GoogleGeocoder(session, account, state)
