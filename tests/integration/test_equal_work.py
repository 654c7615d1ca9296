"""A login that is refused does the same work whatever it is refused for: the work is counted, not the time."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import asyncpg
import pytest
from argon2 import PasswordHasher, extract_parameters

from tests.support.store import SECRETS
from write_side.accounts import login
from write_side.accounts.login import Accounts, LoginRules
from write_side.accounts.sessions import Liveness
from write_side.accounts.tokens import Keys, TooManyTries, Unauthorized
from write_side.domain.errors import StoreOutOfReach

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from argon2 import Parameters

PASSWORD: Final = "a-password-of-maria"
KEYS: Final = Keys(b"access-key-of-a-test-deployment-0001", b"refresh-key-of-a-test-deployment-001")
ADD_USER: Final = """
    insert into es.users
           (user_key, username, cpo_owner_id, country_code, party_id, role, password_hash, temporary_until)
    values ($1, $1, 7, 'PH', 'ISL', 'CPO_OWNER', $2, $3)
"""


class Work:
    """What was asked of argon2 and of the database."""

    def __init__(self) -> None:
        self.hashes: list[Parameters] = []
        self.statements: list[str] = []
        self.running = 0
        self.peak = 0
        self.lock = threading.Lock()

    def begun(self, hashed: str) -> None:
        """A hash is being computed, in a thread."""
        with self.lock:
            self.hashes.append(extract_parameters(hashed))
            self.running += 1
            self.peak = max(self.peak, self.running)

    def ended(self) -> None:
        """It is done."""
        with self.lock:
            self.running -= 1

    def taken(self) -> tuple[list[Parameters], list[str]]:
        """All that was done since the last time."""
        done = (self.hashes[:], self.statements[:])
        self.hashes.clear()
        self.statements.clear()
        return done


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    """Counts every password that argon2 verifies, with the memory, rounds and lanes that it costs."""
    counted, verify = Work(), PasswordHasher.verify

    def counting(self: PasswordHasher, hashed: str | bytes, password: str | bytes) -> bool:
        counted.begun(str(hashed))
        try:
            return verify(self, hashed, password)
        finally:
            counted.ended()

    monkeypatch.setattr(PasswordHasher, "verify", counting)
    return counted


@pytest.fixture
async def accounts(empty_store: str, work: Work) -> AsyncIterator[Accounts]:
    """With Maria, and Lola whose temporary password is over."""
    now = datetime.now(UTC)
    password_hash = await SECRETS.password_hash(PASSWORD)

    async def watched(connection: Any) -> None:
        connection.add_query_logger(lambda query: work.statements.append(query.query.strip()))

    async with asyncpg.create_pool(empty_store, min_size=1, max_size=1, timeout=5, init=watched) as pool:
        for name, until in (("maria", None), ("lola", now - timedelta(seconds=1))):
            await pool.execute(ADD_USER, name, password_hash, until)
        yield Accounts(pool, SECRETS, KEYS, LoginRules(), lambda: datetime.now(UTC), uuid4, Liveness(pool.fetch))


async def test_every_refused_pair_costs_one_hash_of_the_same_price_and_the_same_statements(
    accounts: Accounts, work: Work
) -> None:
    wrong = {
        "a wrong password": ("maria", "wrong"),
        "an unknown user": ("nobody", PASSWORD),
        "an unknown user and a wrong password": ("nobody", "wrong"),
        "a temporary password that is over": ("lola", PASSWORD),
        "a very long password": ("maria", "x" * 1_000),
    }
    done = {}
    for kind, (username, password) in wrong.items():
        work.taken()
        with pytest.raises(Unauthorized):
            await accounts.log_in(username, password, address="192.0.2.1")
        done[kind] = work.taken()
    hashes, statements = done["a wrong password"]
    assert len(hashes) == 1
    assert hashes[0].memory_cost >= 64 * 1024
    assert len(statements) >= 3
    assert [kind for kind, one in done.items() if one != (hashes, statements)] == []


async def test_a_refused_try_too_many_costs_no_hash(accounts: Accounts, work: Work) -> None:
    for _ in range(10):
        with pytest.raises(Unauthorized):
            await accounts.log_in("nobody", "wrong", address="192.0.2.1")
    work.taken()
    with pytest.raises(TooManyTries):
        await accounts.log_in("nobody", "wrong", address="192.0.2.1")
    assert work.taken()[0] == []


async def test_a_flood_of_logins_hashes_two_at_a_time(accounts: Accounts, work: Work) -> None:
    said = await asyncio.gather(
        *(accounts.log_in(f"nobody {n}", "wrong", address=f"192.0.2.{n}") for n in range(24)), return_exceptions=True
    )
    assert [type(one) for one in said] == [Unauthorized] * 24
    assert (len(work.hashes), work.peak) == (24, 2)


async def test_who_never_gets_a_turn_is_told_so_and_not_counted(
    accounts: Accounts, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(login, "LONGEST_WAIT_S", 0.01)
    for _ in range(login.TURNS):
        await accounts.turns.acquire()
    with pytest.raises(StoreOutOfReach):
        await accounts.log_in("maria", PASSWORD, address="192.0.2.1")
    assert (work.hashes, await accounts.pool.fetchval("select count(*) from es.login_tries")) == ([], 0)
    accounts.turns.release()
    await accounts.log_in("maria", PASSWORD, address="192.0.2.1")
