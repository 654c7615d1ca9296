"""R3 to R6: a pair of name and password becomes a session, which is renewed and ended; and the password is changed."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from ocpi.identifiers import Party, folded
from write_side.accounts import sessions, tokens
from write_side.accounts.passwords import check_new_password, replace_password
from write_side.accounts.secrets import token_hash
from write_side.accounts.tokens import Bearer, RefreshTokenReused, Unauthorized
from write_side.accounts.tries import count_try, forget_try
from write_side.domain.errors import Faults, InvalidOldPassword
from write_side.trouble import reaching_the_store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from datetime import datetime
    from uuid import UUID

    import asyncpg

    from write_side.accounts.passwords import PasswordChange
    from write_side.accounts.secrets import SystemSecrets
    from write_side.accounts.tokens import Keys

USER: Final = """
    select user_key, cpo_owner_id, country_code, party_id, role, password_hash, temporary_until
      from es.users
     where user_key = $1
"""

TURNS: Final = 3
"""How many passwords a process looks at at once: as many as it hashes, and one that is being counted meanwhile."""

LONGEST_WAIT_S: Final = 30.0
"""For a turn; who waits longer is answered that the store is too busy."""


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
    """Logging in and telling who a token is. clock: UTC now; new_id: a random UUID; turns: of looking at passwords."""

    pool: asyncpg.Pool[Any]
    secrets: SystemSecrets
    keys: Keys
    rules: LoginRules
    clock: Callable[[], datetime]
    new_id: Callable[[], UUID]
    liveness: sessions.Liveness
    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(TURNS))

    async def log_in(self, username: str, password: str, *, address: str) -> LoggedIn:
        """A new session. address: where the call comes from.

        raises: Unauthorized  wrong user, wrong password or a temporary password that is over: all the same
                TooManyTries  too many wrong pairs, counted over all replicas
                StoreOutOfReach
        """
        if "\0" in username:
            # Nobody is called so, and PostgreSQL's text can't even ask.
            raise Unauthorized
        with reaching_the_store():
            return await self._open(await self._user_of(folded(username), password, address))

    async def refresh(self, refresh_token: str) -> LoggedIn:
        """Another pair of tokens for the session of that refresh token, which is then used up.

        raises: TokenExpired, Unauthorized  it is not good, or its session was ended or is over
                RefreshTokenReused          it was used before, maybe by a thief: its session is ended
                StoreOutOfReach
        """
        at, used = self.clock(), token_hash(refresh_token)
        bearer = tokens.read(refresh_token, "refresh", self.keys, at=at)
        with reaching_the_store():
            user = await self.pool.fetchrow(USER, bearer.username)
            if user is None:
                raise Unauthorized
            pair = self._pair(user, bearer.session_id, at)
            rotated = await sessions.rotate(
                self.pool,
                bearer.session_id,
                used=used,
                new=token_hash(pair.refresh_token),
                at=at,
                expires_at=at + self.rules.refresh_lifetime,
            )
            if rotated:
                return pair
            if await sessions.end_where_used(self.pool, bearer.session_id, used):
                raise RefreshTokenReused
        raise Unauthorized

    async def log_out(self, bearer: Bearer) -> None:
        """End that session: its access and refresh tokens stop at once. raises: StoreOutOfReach."""
        with reaching_the_store():
            await sessions.end(self.pool, bearer.session_id)

    async def change_password(self, bearer: Bearer, wish: PasswordChange, *, address: str) -> None:
        """Replace the user's password by one of its own; all its other sessions end.

        raises: in this order: Faults  INVALID_OLD_PASSWORD, PASSWORDS_DO_NOT_MATCH, WEAK_PASSWORD
                TooManyTries  wrong passwords count as they do at login: an access token may be stolen
                StoreOutOfReach
        """
        with reaching_the_store():
            try:
                user = await self._user_of(bearer.username, wish.old, address)
            except Unauthorized:
                raise Faults([InvalidOldPassword().at("old_password")]) from None
            check_new_password(wish, username=bearer.username)
            new_hash = await self.secrets.password_hash(wish.new)
            if not await replace_password(self.pool, bearer, user["password_hash"], new_hash):
                # Somebody else has replaced it meanwhile: what was sent as the old one no longer is.
                raise Faults([InvalidOldPassword().at("old_password")])

    async def bearer(self, access_token: str) -> Bearer:
        """Who that access token speaks for. raises: TokenExpired, Unauthorized, StoreOutOfReach."""
        at = self.clock()
        bearer = tokens.read(access_token, "access", self.keys, at=at)
        with reaching_the_store():
            is_alive = await self.liveness.is_alive(bearer.session_id, at=at)
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

    async def _user_of(self, user_key: str, password: str, address: str) -> asyncpg.Record:
        """The user whose password that is. raises: Unauthorized, TooManyTries; one that is being tried is counted."""
        async with self._turn():
            attempt = await count_try(self.pool, user_key, address, self.rules)
            user: asyncpg.Record | None = await self.pool.fetchrow(USER, user_key)
            # An unknown user's password is hashed too: that nobody is called so must take as long to find out.
            right = await self.secrets.password_is(password, None if user is None else user["password_hash"])
            until = None if user is None else user["temporary_until"]
            if user is None or not right or (until is not None and until <= self.clock()):
                raise Unauthorized
            await forget_try(self.pool, attempt)
        return user

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """A place among the few that are tried at once.

        A try counts as wrong while it is looked at, so that a hundred guesses at once are not free. Were they all
        looked at at once, a hundred right passwords would be refused for each other's sake: they wait instead.
        """
        async with asyncio.timeout(LONGEST_WAIT_S):
            await self.turns.acquire()
        try:
            yield
        finally:
            self.turns.release()

    async def _open(self, user: asyncpg.Record) -> LoggedIn:
        session_id, at = self.new_id(), self.clock()
        pair = self._pair(user, session_id, at)
        opened = await sessions.open_session(
            self.pool,
            session_id,
            user_key=user["user_key"],
            password_hash=user["password_hash"],
            refresh_hash=token_hash(pair.refresh_token),
            at=at,
            expires_at=at + self.rules.refresh_lifetime,
        )
        if not opened:
            raise Unauthorized
        return pair

    def _pair(self, user: asyncpg.Record, session_id: UUID, at: datetime) -> LoggedIn:
        rules, party = self.rules, Party(user["country_code"], user["party_id"])
        access = Bearer(user["user_key"], session_id, self.new_id(), party, user["cpo_owner_id"])
        refresh = Bearer(user["user_key"], session_id, self.new_id(), party, user["cpo_owner_id"])
        return LoggedIn(
            tokens.issue(access, "access", self.keys, at=at, lifetime=rules.access_lifetime),
            int((at + rules.access_lifetime).timestamp()),
            tokens.issue(refresh, "refresh", self.keys, at=at, lifetime=rules.refresh_lifetime),
            int((at + rules.refresh_lifetime).timestamp()),
            user["role"],
            user["temporary_until"] is not None,
        )
