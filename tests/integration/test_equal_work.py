"""A login that is refused does the same work whatever it is refused for: the work is counted, not the time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import asyncpg
import pytest
from argon2 import PasswordHasher, extract_parameters

from tests.support.store import SECRETS
from write_side.accounts.login import Accounts, LoginRules
from write_side.accounts.tokens import Keys, Unauthorized

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
        counted.hashes.append(extract_parameters(str(hashed)))
        return verify(self, hashed, password)

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
        yield Accounts(pool, SECRETS, KEYS, LoginRules(), lambda: datetime.now(UTC), uuid4)


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
    with pytest.raises(Exception, match="600"):
        await accounts.log_in("nobody", "wrong", address="192.0.2.1")
    assert work.taken()[0] == []
