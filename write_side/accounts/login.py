"""R3: a pair of name and password becomes a session with two tokens, or a refusal that takes as long."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from ocpi.identifiers import Party, folded
from write_side.accounts import sessions, tokens
from write_side.accounts.secrets import token_hash
from write_side.accounts.tokens import Bearer, TooManyTries, Unauthorized
from write_side.trouble import reaching_the_store

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from uuid import UUID

    import asyncpg

    from write_side.accounts.secrets import SystemSecrets
    from write_side.accounts.tokens import Keys

USER: Final = """
    select user_key, cpo_owner_id, country_code, party_id, role, password_hash, temporary_until
      from es.users
     where user_key = $1
"""

TAKE_TURNS: Final = """
    select pg_advisory_xact_lock(hashtextextended('login from ' || $1, 0))
"""
"""Tries of one address are counted one after the other: those that come at once see each other."""

COUNT_THIS_TRY: Final = """
    insert into es.login_tries (user_key, address)
    values ($1, $2)
    returning id
"""

TRIES: Final = """
    select count(*) filter (where user_key = $2) as of_pair,
           count(*) as of_address
      from es.login_tries
     where address = $1
       and at > now() - $3::interval
"""

FORGET_TRY: Final = """
    delete from es.login_tries
     where id = $1
"""

FORGET_OLD_TRIES: Final = """
    delete from es.login_tries
     where at < now() - $1::interval
"""


@dataclass(frozen=True, slots=True)
class LoginRules:
    """How long tokens live and how many wrong pairs are borne (contract R3)."""

    access_lifetime: timedelta = timedelta(minutes=15)
    refresh_lifetime: timedelta = timedelta(days=30)
    wrong_pairs: int = 10
    wrong_pairs_of_address: int = 100
    window: timedelta = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """What R3 answers. …_expires_in: epoch seconds."""

    access_token: str
    access_expires_in: int
    refresh_token: str
    refresh_expires_in: int
    role: str
    must_change_password: bool


@dataclass(frozen=True, slots=True)
class Accounts:
    """Logging in and telling who a token is. clock: UTC now; new_id: a random UUID."""

    pool: asyncpg.Pool[Any]
    secrets: SystemSecrets
    keys: Keys
    rules: LoginRules
    clock: Callable[[], datetime]
    new_id: Callable[[], UUID]

    async def log_in(self, username: str, password: str, *, address: str) -> LoggedIn:
        """A new session. address: where the call comes from.

        raises: Unauthorized  wrong user, wrong password or a temporary password that is over: all the same
                TooManyTries  too many wrong pairs, counted over all replicas; one that is being tried counts as wrong
                StoreOutOfReach
        """
        if "\0" in username:
            # Nobody is called so, and PostgreSQL's text can't even ask.
            raise Unauthorized
        user_key = folded(username)
        with reaching_the_store():
            attempt = await self._count(user_key, address)
            user = await self.pool.fetchrow(USER, user_key)
            right = await self.secrets.password_is(password, None if user is None else user["password_hash"])
            at = self.clock()
            if user is None or not right or (user["temporary_until"] is not None and user["temporary_until"] <= at):
                raise Unauthorized
            await self.pool.execute(FORGET_TRY, attempt)
            return await self._open(user, at)

    async def bearer(self, access_token: str) -> Bearer:
        """Who that access token speaks for. raises: TokenExpired, Unauthorized, StoreOutOfReach."""
        bearer = tokens.read(access_token, "access", self.keys)
        with reaching_the_store():
            is_alive = await sessions.is_alive(self.pool, bearer.session_id, at=self.clock())
        if not is_alive:
            raise Unauthorized
        return bearer

    async def machine(self, token_c: str) -> tuple[Party, int]:
        """The CPO whose CREDENTIALS_TOKEN_C that is, and its cpo_owner_id. raises: Unauthorized, StoreOutOfReach."""
        with reaching_the_store():
            owner = await sessions.token_c_owner(self.pool, token_hash(token_c))
        if owner is None:
            raise Unauthorized
        return Party(owner["country_code"], owner["party_id"]), owner["cpo_owner_id"]

    async def _count(self, user_key: str, address: str) -> int:
        rules = self.rules
        async with self.pool.acquire() as connection, connection.transaction():
            await connection.execute(TAKE_TURNS, address)
            (tries,) = await connection.fetch(TRIES, address, user_key, rules.window)
            if tries["of_pair"] >= rules.wrong_pairs or tries["of_address"] >= rules.wrong_pairs_of_address:
                raise TooManyTries(int(rules.window.total_seconds()))
            attempt: int = await connection.fetchval(COUNT_THIS_TRY, user_key, address)
        await self.pool.execute(FORGET_OLD_TRIES, rules.window)
        return attempt

    async def _open(self, user: asyncpg.Record, at: datetime) -> LoggedIn:
        party = Party(user["country_code"], user["party_id"])
        session_id = self.new_id()
        access_until, refresh_until = at + self.rules.access_lifetime, at + self.rules.refresh_lifetime
        access = Bearer(user["user_key"], session_id, self.new_id(), party, user["cpo_owner_id"])
        refresh = Bearer(user["user_key"], session_id, self.new_id(), party, user["cpo_owner_id"])
        refresh_token = tokens.issue(refresh, "refresh", self.keys, at=at, lifetime=self.rules.refresh_lifetime)
        await sessions.open_session(
            self.pool,
            session_id,
            user_key=user["user_key"],
            refresh_hash=token_hash(refresh_token),
            at=at,
            expires_at=refresh_until,
        )
        return LoggedIn(
            tokens.issue(access, "access", self.keys, at=at, lifetime=self.rules.access_lifetime),
            int(access_until.timestamp()),
            refresh_token,
            int(refresh_until.timestamp()),
            user["role"],
            user["temporary_until"] is not None,
        )
