"""What a command brings besides its events, in the append's transaction: credentials, sealed mail, images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ocpi.identifiers import folded
from write_side.store.loose_images import write_images

if TYPE_CHECKING:
    import asyncpg

    from write_side.domain.changes import Changes

INSERT_USER: Final = """
    insert into es.users
           (user_key, username, cpo_owner_id, country_code, party_id, role, password_hash, temporary_until)
    values ($1, $2, $3, $4, $5, $6, $7, $8)
"""

INSERT_TOKEN_C: Final = """
    insert into es.tokens_c (token_hash, country_code, party_id, cpo_owner_id)
    values ($1, $2, $3, $4)
"""

INSERT_MAIL: Final = """
    insert into es.outbox_mail (message_id, sealed, party)
    values ($1, $2, $3)
"""


DROP_TOKENS_C: Final = """
    delete from es.tokens_c
     where country_code = $1
       and party_id = $2
"""

RESET_PASSWORD: Final = """
    update es.users
       set password_hash = $2,
           temporary_until = $3
     where user_key = $1
"""

END_SESSIONS: Final = """
    update es.sessions
       set ended_at = now()
      from es.users
     where users.user_key = sessions.user_key
       and users.country_code = $1
       and users.party_id = $2
       and sessions.ended_at is null
"""


INSERT_PERSONAL_KEY: Final = """
    insert into es.personal_keys (key_id, country_code, party_id, sealed_key)
    values ($1, $2, $3, $4)
"""

DROP_PERSONAL_KEYS: Final = """
    delete from es.personal_keys
     where country_code = $1
       and party_id = $2
"""

DROP_MAILS: Final = """
    delete from es.outbox_mail
     where party = $1
"""


def brings_more(changes: Changes) -> bool:
    """Whether there is anything to write besides events and claims."""
    secrets = (
        changes.users,
        changes.tokens,
        changes.mails,
        changes.resets,
        changes.ends_sessions,
        changes.personal_keys,
    )
    return changes.forgets or any((*secrets, changes.images_used, changes.images_replaced))


async def insert_newcomers(connection: asyncpg.Connection[Any], changes: Changes) -> None:
    """Write the users, tokens, passwords, mails and images of accepted changes; end the sessions that they end."""
    party = changes.party
    await _take_away(connection, changes)
    for key in changes.personal_keys:
        await connection.execute(INSERT_PERSONAL_KEY, key.key_id, party.country_code, party.party_id, key.sealed_key)
    for user in changes.users:
        await connection.execute(
            INSERT_USER,
            folded(user.username),
            user.username,
            user.cpo_owner_id,
            party.country_code,
            party.party_id,
            user.role,
            user.password_hash,
            user.temporary_until,
        )
    for token in changes.tokens:
        await connection.execute(
            INSERT_TOKEN_C, token.token_hash, party.country_code, party.party_id, token.cpo_owner_id
        )
    for mail in changes.mails:
        await connection.execute(INSERT_MAIL, mail.message_id, mail.sealed, str(party))
    await write_images(connection, changes)


async def _take_away(connection: asyncpg.Connection[Any], changes: Changes) -> None:
    """What is not good any more: passwords, sessions, tokens, keys, mails."""
    party = changes.party
    for reset in changes.resets:
        await connection.execute(RESET_PASSWORD, folded(reset.username), reset.password_hash, reset.temporary_until)
    if changes.ends_sessions:
        # After the password: a login that read the old one, and waits for this, then finds another (accounts/sessions).
        await connection.execute(END_SESSIONS, party.country_code, party.party_id)
    if changes.forgets:
        await connection.execute(DROP_PERSONAL_KEYS, party.country_code, party.party_id)
        await connection.execute(DROP_MAILS, str(party))
    if changes.forgets or any(token.replaces for token in changes.tokens):
        await connection.execute(DROP_TOKENS_C, party.country_code, party.party_id)
