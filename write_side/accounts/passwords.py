"""R6: what a password of one's own must be, and how it takes the place of the one before (contract §2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ocpi.identifiers import folded
from write_side.domain.errors import Faults, PasswordsDoNotMatch, WeakPassword

if TYPE_CHECKING:
    import asyncpg

    from write_side.accounts.tokens import Bearer

SHORTEST: Final = 10
LONGEST: Final = 128

REPLACE_PASSWORD: Final = """
    update es.users
       set password_hash = $3,
           temporary_until = null
     where user_key = $1
       and password_hash = $2
 returning user_key
"""

END_OTHER_SESSIONS: Final = """
    update es.sessions
       set ended_at = now()
     where user_key = $1
       and id <> $2
       and ended_at is null
"""


@dataclass(frozen=True, slots=True)
class PasswordChange:
    """What a user sends. Nothing of it is trimmed."""

    old: str
    new: str
    confirmed: str


def check_new_password(wish: PasswordChange, *, username: str) -> None:
    """Pass where the new password will do. raises: Faults  PASSWORDS_DO_NOT_MATCH, then WEAK_PASSWORD."""
    if wish.new != wish.confirmed:
        raise Faults([PasswordsDoNotMatch().at("confirm_password")])
    is_long_enough = SHORTEST <= len(wish.new) <= LONGEST
    if not is_long_enough or folded(wish.new) == folded(username) or wish.new == wish.old:
        raise Faults([WeakPassword().at("new_password")])


async def replace_password(pool: asyncpg.Pool[Any], bearer: Bearer, old_hash: str, new_hash: str) -> bool:
    """The new hash instead of the old one, and the user's other sessions end. returns: False where it is not that."""
    async with pool.acquire() as connection, connection.transaction():
        if await connection.fetchval(REPLACE_PASSWORD, bearer.username, old_hash, new_hash) is None:
            return False
        await connection.execute(END_OTHER_SESSIONS, bearer.username, bearer.session_id)
        return True
