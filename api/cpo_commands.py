"""`emsp cpo …`: an operator replaces a CPO's secrets, which it gets by mail (contract §2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import asyncpg
from rich.console import Console

from api.compose import databases, new_id, write_side
from api.roles import NotReady
from ocpi.identifiers import Party
from write_side.commands.dispatch import dispatch
from write_side.domain.errors import StoreOutOfReach
from write_side.ports import Origin

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.settings import Settings
    from write_side.commands.wishes import ResetPassword, RotateTokenC

OPERATOR: Final = "operator"


class WrongParty(ValueError):
    """The name of a CPO can't be understood."""


class Unanswered(Exception):
    """The event store was reached, and then did not answer: it may be done or not."""


def party_named(name: str) -> Party:
    """The party of `COUNTRY/PARTY`, in any case. raises: WrongParty."""
    country_code, _, party_id = name.upper().partition("/")
    if not (country_code.isalpha() and party_id.isalpha() and (len(country_code), len(party_id)) == (2, 3)):
        raise WrongParty(f"{name}: expected COUNTRY/PARTY, as in PH/ABC")
    return Party(country_code, party_id)


async def replace_secret(
    settings: Settings, party: Party, wish: Callable[[Party], RotateTokenC | ResetPassword]
) -> None:
    """Replace it, by one event; the mail waits for whoever sends mails.

    raises: UnknownCpo; NotReady before `emsp migrate`; Unanswered
    """
    try:
        async with databases(settings) as urls, write_side(settings, urls) as opened:
            answer = await dispatch(wish(party), Origin(f"cli-{new_id()}", OPERATOR), opened.world)
    except asyncpg.UndefinedTableError:
        raise NotReady("the databases are not migrated: run `emsp migrate` first") from None
    except StoreOutOfReach:
        raise Unanswered(
            f"the event store does not answer; whether it was done is told by `emsp events --stream cpo/{party}`"
        ) from None
    Console().print(
        f"Done for {party}, at position {answer.position}: its sessions are ended, and a mail with what is new is on "
        "its way (`emsp run` or `emsp mail` sends it)."
    )
