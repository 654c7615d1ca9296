"""R1: a CPO registers, and gets its party_id, its token and a temporary password by mail."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from ocpi.identifiers import Party, folded
from write_side.commands.letters import letter, new_message_id
from write_side.commands.logos import taken
from write_side.commands.personal import seal_contact
from write_side.domain import cpo as cpos
from write_side.domain.changes import Changes, Claim, Decision, NewPersonalKey, NewTokenC, NewUser, SealedMail
from write_side.domain.cpo import Cpo, change_logo
from write_side.domain.errors import CpoOwnerNameExists, Fault, Faults, NoPartyIdLeft, UsernameExists
from write_side.events.ranges import Position
from write_side.events.streams import cpo_stream

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from write_side.commands.wishes import RegisterCpo
    from write_side.domain.cpo import Upload
    from write_side.events.cpo import CpoEvent, PersonalData
    from write_side.ports import World

SUCCESS = "SUCCESS"
USERNAMES = "username"
CPO_OWNER_NAMES = "cpo_owner_name"
CPO_OWNER = "CPO_OWNER"


@dataclass(frozen=True, slots=True)
class RegisterFacts:
    """What registration needs and only chance or the world can give. The secrets themselves are only in the mail."""

    at: datetime
    command_id: UUID
    party: Party
    cpo_owner_id: int
    password_hash: str
    temporary_until: datetime
    token_hash: bytes
    mail: SealedMail
    contact: PersonalData
    contact_key: NewPersonalKey


@dataclass(frozen=True, slots=True)
class RegisterState:
    """Which of the names are taken, ignoring case. logo: the only upload that the draft's logo can mean, or None."""

    username_taken: bool
    name_taken: bool
    position: Position
    logo: Upload | None = None


def _claims(command: RegisterCpo) -> list[tuple[str, str]]:
    return [
        (USERNAMES, folded(command.draft.username)),
        (CPO_OWNER_NAMES, folded(command.draft.cpo_owner_name)),
    ]


async def _reserve_party(command: RegisterCpo, world: World, command_id: UUID) -> Party:
    country_code = world.rules.country_code
    for candidates in (cpos.preferred_party_ids(command.draft.cpo_owner_name), list(cpos.all_party_ids())):
        party_id = await world.events.reserve_party_id(country_code, candidates, command_id)
        if party_id is not None:
            return Party(country_code, party_id)
    raise NoPartyIdLeft


async def prepare_register(command: RegisterCpo, world: World, command_id: UUID) -> RegisterFacts:
    """Secrets, ids, the reserved party_id and the sealed mail.

    Refuses taken names before anything is reserved; the append's claims hold the rule.
    """
    refuse_taken_names(await load_register(command, None, world))
    at = world.clock()
    password, token = world.secrets.new_password(), world.secrets.new_token()
    password_hash = await world.secrets.password_hash(password)
    (cpo_owner_id,) = await world.events.take_ids("cpo_owner", 1)
    party = await _reserve_party(command, world, command_id)
    contact, contact_key = seal_contact(world, command.draft.contact, stream=cpo_stream(party), version=1)
    message_id = new_message_id(world)
    mail = welcome_mail(command, party, password, token, sender=world.rules.mail_sender, message_id=message_id, at=at)
    return RegisterFacts(
        at,
        command_id,
        party,
        cpo_owner_id,
        password_hash,
        at + timedelta(days=world.rules.temporary_password_days),
        world.secrets.token_hash(token),
        SealedMail(message_id, world.secrets.seal(mail)),
        contact,
        contact_key,
    )


def welcome_mail(
    command: RegisterCpo, party: Party, password: str, token: str, *, sender: str, message_id: str, at: datetime
) -> bytes:
    """The mail of R1, RFC 5322, with the lines that the contract fixes."""
    text = f"{command.draft.cpo_owner_name} is registered. Log in and change the temporary password."
    told = {
        "Username": command.draft.username,
        "Temporary password": password,
        "Country code": party.country_code,
        "Party ID": party.party_id,
        "Token C": token,
    }
    return letter(command.draft.contact, text, told, sender=sender, message_id=message_id, at=at)


async def load_register(command: RegisterCpo, _facts: RegisterFacts | None, world: World) -> RegisterState:
    """Whether the names are free, and whether the logo was uploaded."""
    filename = command.draft.logo
    uploads = [] if filename is None else await world.loose_images.shared(filename)
    owners = await world.events.claim_owners(_claims(command))
    scopes = {scope for scope, _ in owners}
    logo = uploads[0] if len(uploads) == 1 else None
    return RegisterState(USERNAMES in scopes, CPO_OWNER_NAMES in scopes, Position(0), logo)


def refuse_taken_names(state: RegisterState) -> None:
    """Pass where both names are free. raises: Faults  USERNAME_EXISTS, CPO_OWNER_NAME_EXISTS, or both."""
    faults: list[Fault] = []
    if state.username_taken:
        faults.append(UsernameExists().at("username"))
    if state.name_taken:
        faults.append(CpoOwnerNameExists().at("cpo_owner_name"))
    if faults:
        raise Faults(faults)


def decide_register(command: RegisterCpo, facts: RegisterFacts, state: RegisterState) -> Decision:
    """The registration with its user, token and mail, or every reason against it."""
    refuse_taken_names(state)
    event = cpos.register(command.draft, facts.contact, party=facts.party, cpo_owner_id=facts.cpo_owner_id, at=facts.at)
    owner = str(facts.cpo_owner_id)
    events: tuple[CpoEvent, ...] = (event,)
    claims = [Claim(scope, key, owner) for scope, key in _claims(command)]
    if state.logo is not None and (changed := change_logo(Cpo.from_registered(event), state.logo, at=facts.at)):
        events = (event, changed)
        claims.append(taken(state.logo, facts.cpo_owner_id))
    changes = Changes(
        facts.party,
        events,
        tuple(claims),
        (NewUser(command.draft.username, facts.cpo_owner_id, CPO_OWNER, facts.password_hash, facts.temporary_until),),
        (NewTokenC(facts.token_hash, facts.cpo_owner_id),),
        (facts.mail,),
        personal_keys=(facts.contact_key,),
        images_used=() if state.logo is None else (state.logo.name,),
    )
    return Decision(changes, SUCCESS)


async def abandon_register(_command: RegisterCpo, facts: RegisterFacts, world: World) -> None:
    """Gives the reserved party_id back."""
    await world.events.release_party_id(facts.party.country_code, facts.party.party_id, facts.command_id)
