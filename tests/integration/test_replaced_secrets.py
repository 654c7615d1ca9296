"""What an operator replaces: secrets, sessions, mail and event, all of it or nothing, whatever happens at once."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import asyncpg
import pytest

from tests.support.builders import CODEC, PARTY, cpo_password_reset, cpo_registered, cpo_token_c_rotated
from tests.support.store import SECRETS, Store, a_command, a_store
from write_side.accounts.login import Accounts, LoginRules
from write_side.accounts.sessions import Liveness
from write_side.accounts.tokens import Keys
from write_side.commands.dispatch import dispatch
from write_side.commands.personal import open_contact, seal_contact
from write_side.commands.wishes import ForgetCpo, ResetPassword, RotateTokenC
from write_side.domain.changes import Changes, NewTokenC, NewUser, PasswordReset, SealedMail
from write_side.domain.errors import ForgottenCpo, UnknownCpo
from write_side.events.cpo import ContactData, CpoRegistered
from write_side.events.ranges import Position
from write_side.events.streams import cpo_stream
from write_side.ports import Origin, Submission

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

KEYS: Final = Keys(b"access-key-of-a-test-deployment-0001", b"refresh-key-of-a-test-deployment-001")
OPERATOR: Final = Origin("cli-1", "operator")
PASSWORD: Final = "a-password-of-luzon"
OLD_TOKEN: Final = b"\x01" * 32
CONTACT: Final[ContactData] = {"name": "Maria Santos", "number": "+639171234567", "email": "maria@cpo.example"}
ALL_OF_IT: Final = """
    select (select array_agg(token_hash order by token_hash) from es.tokens_c) as tokens,
           (select array_agg(password_hash order by user_key) from es.users) as passwords,
           (select count(*) from es.sessions where ended_at is null) as alive,
           (select array_agg(message_id order by id) from es.outbox_mail) as mails,
           (select count(*) from es.events) as events
"""


def brought(*events: Any, **more: Any) -> Submission:
    return Submission(uuid4(), OPERATOR, Changes(PARTY, events, **more), "SUCCESS", (), Position(0))


@pytest.fixture
async def store(empty_store: str) -> AsyncIterator[Store]:
    """A store where one CPO is registered, with its user Luzon and its token."""
    async with a_store(empty_store) as store:
        password_hash = await SECRETS.password_hash(PASSWORD)
        until = datetime.now(UTC) + timedelta(days=14)
        sealed, key = seal_contact(store.world, CONTACT, stream=cpo_stream(PARTY), version=1)
        await store.events.append(
            brought(
                cpo_registered(contact=sealed),
                personal_keys=(key,),
                users=(NewUser("Luzon", 7, "CPO_OWNER", password_hash, until),),
                tokens=(NewTokenC(OLD_TOKEN, 7),),
                mails=(SealedMail("<welcome@emsp.example>", b"sealed"),),
            )
        )
        yield store


@pytest.fixture
async def accounts(store: Store) -> Accounts:
    return Accounts(
        store.pool, SECRETS, KEYS, LoginRules(), lambda: datetime.now(UTC), uuid4, Liveness(store.pool.fetch)
    )


async def all_of_it(store: Store) -> tuple[Any, ...]:
    row = await store.session.fetchrow(ALL_OF_IT)
    assert row is not None
    return tuple(row)


async def test_a_rotation_is_written_as_one(store: Store, accounts: Accounts) -> None:
    await accounts.log_in("luzon", PASSWORD, address="here")
    _, passwords, _, _, _ = await all_of_it(store)
    await dispatch(RotateTokenC(PARTY), OPERATOR, store.world)
    tokens, passwords_after, alive, mails, events = await all_of_it(store)
    assert len(tokens) == 1
    assert tokens != [OLD_TOKEN]
    assert (passwords_after, alive, len(mails), events) == (passwords, 0, 2, 2)
    (_, rotated) = await store.log()
    assert (rotated.topic, rotated.actor, rotated.correlation_id) == ("cpo.token_c_rotated", "operator", "cli-1")


async def test_a_reset_is_written_as_one(store: Store, accounts: Accounts) -> None:
    await accounts.log_in("luzon", PASSWORD, address="here")
    _, passwords, _, _, _ = await all_of_it(store)
    await dispatch(ResetPassword(PARTY), OPERATOR, store.world)
    tokens, passwords_after, alive, mails, events = await all_of_it(store)
    assert passwords_after != passwords
    assert (tokens, alive, len(mails), events) == ([OLD_TOKEN], 0, 2, 2)
    until = await store.session.fetchval("select temporary_until from es.users")
    assert timedelta(days=13, hours=23) < until - datetime.now(UTC) <= timedelta(days=14)


@pytest.mark.parametrize(
    "changed",
    [
        {"events": cpo_token_c_rotated(), "tokens": (NewTokenC(b"\x02" * 32, 7, replaces=True),)},
        {
            "events": cpo_password_reset(),
            "resets": (PasswordReset("Luzon", "$argon2id$another", datetime.now(UTC)),),
        },
    ],
    ids=["rotation", "reset"],
)
async def test_where_its_mail_can_not_be_kept_nothing_is_written(
    store: Store, accounts: Accounts, changed: dict[str, Any]
) -> None:
    await accounts.log_in("luzon", PASSWORD, address="here")
    before = await all_of_it(store)
    # The mail is written last, and another one has its name.
    mail = SealedMail("<welcome@emsp.example>", b"sealed")
    more = {name: value for name, value in changed.items() if name != "events"}
    with pytest.raises(asyncpg.UniqueViolationError):
        await store.events.append(brought(changed["events"], mails=(mail,), ends_sessions=True, **more))
    assert await all_of_it(store) == before
    await store.events.append(a_command(cpo_token_c_rotated()))


async def test_another_cpos_sessions_and_token_stay(store: Store, accounts: Accounts) -> None:
    other = type(PARTY)("PH", "XYZ")
    password_hash = await SECRETS.password_hash(PASSWORD)
    changes = Changes(
        other,
        (cpo_registered(other, cpo_owner_id=8),),
        users=(NewUser("Visayas", 8, "CPO_OWNER", password_hash, datetime.now(UTC) + timedelta(days=1)),),
        tokens=(NewTokenC(b"\x08" * 32, 8),),
    )
    await store.events.append(Submission(uuid4(), OPERATOR, changes, "SUCCESS", (), Position(0)))
    session = await accounts.log_in("visayas", PASSWORD, address="here")
    await dispatch(RotateTokenC(PARTY), OPERATOR, store.world)
    await dispatch(ResetPassword(PARTY), OPERATOR, store.world)
    await accounts.bearer(session.access_token)
    await accounts.log_in("visayas", PASSWORD, address="here")
    tokens, *_ = await all_of_it(store)
    assert b"\x08" * 32 in tokens


async def test_of_many_rotations_at_once_the_last_mail_tells_the_token(store: Store) -> None:
    await asyncio.gather(*(dispatch(RotateTokenC(PARTY), OPERATOR, store.world) for _ in range(5)))
    tokens, _, _, mails, events = await all_of_it(store)
    assert (len(tokens), len(mails), events) == (1, 6, 6)
    sealed = await store.session.fetch("select sealed from es.outbox_mail order by id desc limit 1")
    (line,) = [
        line for line in SECRETS.unseal(sealed[0]["sealed"]).decode().splitlines() if line.startswith("Token C: ")
    ]
    assert tokens == [SECRETS.token_hash(line.removeprefix("Token C: "))]


async def test_an_unknown_cpo_is_refused_and_nothing_is_written(store: Store) -> None:
    before = await all_of_it(store)
    for wish in (RotateTokenC, ResetPassword):
        with pytest.raises(UnknownCpo):
            await dispatch(wish(type(PARTY)("PH", "QQQ")), OPERATOR, store.world)
    assert await all_of_it(store) == before


async def test_a_forgotten_contact_opens_no_more_and_nobody_speaks_for_the_cpo(
    store: Store, accounts: Accounts
) -> None:
    await accounts.log_in("luzon", PASSWORD, address="here")
    registered = CODEC.decode((await store.log())[0])
    assert isinstance(registered, CpoRegistered)
    where = {"stream": cpo_stream(PARTY), "version": 1}
    assert await open_contact(store.world, registered.contact, **where) == CONTACT  # type: ignore[arg-type]
    first = await dispatch(ForgetCpo(PARTY), OPERATOR, store.world)
    assert await open_contact(store.world, registered.contact, **where) is None  # type: ignore[arg-type]
    tokens, _, alive, mails, events = await all_of_it(store)
    assert (tokens, alive, mails, events) == (None, 0, None, 2)
    # Again: it is so already, and no event says it twice.
    assert (await dispatch(ForgetCpo(PARTY), OPERATOR, store.world)).position == first.position
    assert len(await store.log()) == 2
    for wish in (ResetPassword(PARTY), RotateTokenC(PARTY)):
        with pytest.raises(ForgottenCpo):
            await dispatch(wish, OPERATOR, store.world)


async def test_a_sealed_contact_opens_for_its_own_event_alone(store: Store) -> None:
    sealed, key = seal_contact(store.world, CONTACT, stream=cpo_stream(PARTY), version=1)
    await store.session.execute(
        "insert into es.personal_keys (key_id, country_code, party_id, sealed_key) values ($1, 'PH', 'ABC', $2)",
        key.key_id,
        key.sealed_key,
    )
    for stream, version in ((cpo_stream(PARTY), 2), (cpo_stream(type(PARTY)("PH", "XYZ")), 1)):
        with pytest.raises(ValueError, match="another key"):
            await open_contact(store.world, sealed, stream=stream, version=version)


async def test_a_contact_of_before_contacts_were_sealed_cannot_be_forgotten(store: Store) -> None:
    other = type(PARTY)("PH", "OLD")
    changes = Changes(other, (cpo_registered(other, contact={"clear": CONTACT}),))
    await store.events.append(Submission(uuid4(), OPERATOR, changes, "SUCCESS", (), Position(0)))
    with pytest.raises(ForgottenCpo, match="before personal data were sealed"):
        await dispatch(ForgetCpo(other), OPERATOR, store.world)
    assert len(await store.log()) == 2
