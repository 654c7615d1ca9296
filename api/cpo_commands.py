"""`emsp cpo …`: an operator replaces a CPO's secrets, which it gets by mail (contract §2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import asyncpg
from rich.console import Console

from api.adapters import MAIL_FOLDER
from api.command_faults import NotReady, Unanswered
from api.compose import new_id, write_side
from api.connections import databases
from ocpi.identifiers import Party
from write_side.adapters.mailers import EmlMailer
from write_side.commands.dispatch import dispatch
from write_side.commands.wishes import ForgetCpo
from write_side.domain.errors import StoreOutOfReach
from write_side.ports import Origin

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.settings import Settings
    from write_side.commands.wishes import ResetPassword, RotateTokenC
    from write_side.events.ranges import Position

OPERATOR: Final = "operator"


class WrongParty(ValueError):
    """The name of a CPO can't be understood."""


def party_named(name: str) -> Party:
    """The party of `COUNTRY/PARTY`, in any case. raises: WrongParty."""
    country_code, _, party_id = name.upper().partition("/")
    if not (country_code.isalpha() and party_id.isalpha() and (len(country_code), len(party_id)) == (2, 3)):
        raise WrongParty(f"{name}: expected COUNTRY/PARTY, as in PH/ABC")
    return Party(country_code, party_id)


async def forget(settings: Settings, party: Party) -> None:
    """Make a CPO's personal data unreadable, for ever; its mails, sessions and Token C go too. Again: finish that.

    raises: UnknownCpo; ForgottenCpo where it can't be; NotReady before `emsp migrate`; Unanswered
    """
    position = await _dispatched(settings, ForgetCpo(party))
    files = await EmlMailer(settings.data_dir / MAIL_FOLDER).forget(party)
    Console().print(
        f"{party} is forgotten, at position {position}: the key of its contact is destroyed, its sessions and "
        f"its Token C are ended, its mails that waited are deleted, and {files} .eml files with them."
    )


async def replace_secret(
    settings: Settings, party: Party, wish: Callable[[Party], RotateTokenC | ResetPassword]
) -> None:
    """Replace it, by one event; the mail waits for whoever sends mails.

    raises: UnknownCpo; NotReady before `emsp migrate`; Unanswered
    """
    position = await _dispatched(settings, wish(party))
    Console().print(
        f"Done for {party}, at position {position}: its sessions are ended, and a mail with what is new is on "
        "its way (`emsp run` or `emsp mail` sends it)."
    )


async def _dispatched(settings: Settings, wish: RotateTokenC | ResetPassword | ForgetCpo) -> Position:
    try:
        async with databases(settings) as urls, write_side(settings, urls) as opened:
            answer = await dispatch(wish, Origin(f"cli-{new_id()}", OPERATOR), opened.world)
    except asyncpg.UndefinedTableError:
        raise NotReady("the databases are not migrated: run `emsp migrate` first") from None
    except StoreOutOfReach:
        raise Unanswered(
            f"the event store does not answer; whether it was done is told by `emsp events --stream cpo/{wish.party}`"
        ) from None
    return answer.position
