"""Operators replace a CPO's secrets: it gets new ones by mail, and whoever is logged in for it is not any more (§2)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from write_side.commands.letters import sealed_letter
from write_side.commands.personal import contact_of
from write_side.domain import cpo as cpos
from write_side.domain.changes import Changes, Decision, NewTokenC, PasswordReset
from write_side.domain.cpo import Cpo
from write_side.domain.errors import ForgottenCpo, UnknownCpo
from write_side.events.ranges import Position
from write_side.events.streams import cpo_stream

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from ocpi.identifiers import Party
    from write_side.commands.wishes import ForgetCpo, ResetPassword, RotateTokenC
    from write_side.domain.changes import SealedMail
    from write_side.events.cpo import ContactData
    from write_side.ports import World

SUCCESS = "SUCCESS"


@dataclass(frozen=True, slots=True)
class TokenCFacts:
    """The new token's hash, and the mail that tells it."""

    at: datetime
    token_hash: bytes
    mail: SealedMail


@dataclass(frozen=True, slots=True)
class PasswordFacts:
    """The temporary password's hash, its end, and the mail that tells it."""

    at: datetime
    password_hash: str
    temporary_until: datetime
    mail: SealedMail


@dataclass(frozen=True, slots=True)
class CpoState:
    """The CPO as it is."""

    cpo: Cpo
    position: Position


async def _cpo(party: Party, world: World) -> CpoState:
    stream = cpo_stream(party)
    history = await world.events.load([stream])
    cpo = history.of(stream)
    if not isinstance(cpo, Cpo):
        raise UnknownCpo(f"no CPO {party} is registered")
    return CpoState(cpo, history.positions[stream])


async def _reachable(cpo: Cpo, world: World) -> ContactData:
    contact = await contact_of(world, cpo)
    if contact is None:
        raise ForgottenCpo(f"{cpo.party} was forgotten: there is nobody to send a mail to")
    return contact


async def prepare_token_c(command: RotateTokenC, world: World, _command_id: UUID) -> TokenCFacts:
    """A new token. raises: UnknownCpo, ForgottenCpo."""
    cpo = (await _cpo(command.party, world)).cpo
    contact = await _reachable(cpo, world)
    at, token = world.clock(), world.secrets.new_token()
    told = {"Country code": cpo.party.country_code, "Party ID": cpo.party.party_id, "Token C": token}
    text = "Your machine token was replaced. The one before does not work any more."
    return TokenCFacts(at, world.secrets.token_hash(token), sealed_letter(world, contact, text, told, at=at))


async def prepare_password(command: ResetPassword, world: World, _command_id: UUID) -> PasswordFacts:
    """A new temporary password. raises: UnknownCpo."""
    cpo = (await _cpo(command.party, world)).cpo
    contact = await _reachable(cpo, world)
    at, password = world.clock(), world.secrets.new_password()
    text = "Your password was replaced. Log in and change the temporary one."
    told = {
        "Username": cpo.username,
        "Temporary password": password,
        "Country code": cpo.party.country_code,
        "Party ID": cpo.party.party_id,
    }
    return PasswordFacts(
        at,
        await world.secrets.password_hash(password),
        at + timedelta(days=world.rules.temporary_password_days),
        sealed_letter(world, contact, text, told, at=at),
    )


async def load_cpo(command: RotateTokenC | ResetPassword | ForgetCpo, _facts: object, world: World) -> CpoState:
    """The CPO. raises: UnknownCpo."""
    return await _cpo(command.party, world)


def decide_token_c(command: RotateTokenC, facts: TokenCFacts, state: CpoState) -> Decision:
    """The CPO has this token, and no other."""
    changes = Changes(
        command.party,
        (cpos.rotate_token_c(state.cpo, at=facts.at),),
        tokens=(NewTokenC(facts.token_hash, state.cpo.cpo_owner_id, replaces=True),),
        mails=(facts.mail,),
        ends_sessions=True,
    )
    return Decision(changes, SUCCESS)


def decide_password(command: ResetPassword, facts: PasswordFacts, state: CpoState) -> Decision:
    """The CPO's user has this password, and no other."""
    changes = Changes(
        command.party,
        (cpos.reset_password(state.cpo, at=facts.at),),
        resets=(PasswordReset(state.cpo.username, facts.password_hash, facts.temporary_until),),
        mails=(facts.mail,),
        ends_sessions=True,
    )
    return Decision(changes, SUCCESS)


async def prepare_forget(_command: ForgetCpo, world: World, _command_id: UUID) -> datetime:
    """The time."""
    return world.clock()


def decide_forget(command: ForgetCpo, at: datetime, state: CpoState) -> Decision:
    """The CPO's personal data can't be read any more, and nobody speaks for it. raises: ForgottenCpo."""
    if "clear" in state.cpo.contact:
        # An event is never changed, and this one was written before contacts were sealed.
        raise ForgottenCpo(f"{command.party} was registered before personal data were sealed, and can't be forgotten")
    event = cpos.forget(state.cpo, at=at)
    if event is None:
        return Decision(None, SUCCESS)
    return Decision(Changes(command.party, (event,), ends_sessions=True, forgets=True), SUCCESS)
