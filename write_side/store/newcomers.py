"""What a command brings besides its events, in the append's transaction: user, token hash, sealed mail, images."""

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


def brings_more(changes: Changes) -> bool:
    """Whether there is anything to write besides events and claims."""
    brought = (changes.users, changes.tokens, changes.mails, changes.images_used, changes.images_replaced)
    return any(brought)


async def insert_newcomers(connection: asyncpg.Connection[Any], changes: Changes) -> None:
    """Write the users, tokens, mails and images of accepted changes."""
    party = changes.party
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
