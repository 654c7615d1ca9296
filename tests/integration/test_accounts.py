"""R3 and what tokens say: the right pair opens a session, the wrong one costs a try, whoever comes at once."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import asyncpg
import jwt
import pytest

from ocpi.identifiers import Party
from tests.support.proxy import Proxy
from tests.support.store import SECRETS
from write_side.accounts import sessions, tokens
from write_side.accounts.login import Accounts, LoggedIn, LoginRules
from write_side.accounts.passwords import PasswordChange
from write_side.accounts.secrets import token_hash
from write_side.accounts.sessions import Liveness
from write_side.accounts.tokens import Bearer, Keys, RefreshTokenReused, TokenExpired, TooManyTries, Unauthorized
from write_side.accounts.tries import TAKE_TURNS, forget_old_tries
from write_side.domain.errors import Faults, StoreOutOfReach

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

KEYS: Final = Keys(b"access-key-of-a-test-deployment-0001", b"refresh-key-of-a-test-deployment-001")
PASSWORD: Final = "a-password-of-maria"
HERE: Final = "192.0.2.1"
ADD_USER: Final = """
    insert into es.users
           (user_key, username, cpo_owner_id, country_code, party_id, role, password_hash, temporary_until)
    values ($1, $2, 7, 'PH', 'ISL', 'CPO_OWNER', $3, $4)
"""
WAITING: Final = """
    select count(*)
      from pg_stat_activity
     where datname = current_database()
       and wait_event_type = 'Lock'
"""


class Clock:
    """The time, which a test may move."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@asynccontextmanager
async def opened(
    dsn: str, clock: Clock, *, rules: LoginRules | None = None, via: Proxy | None = None
) -> AsyncIterator[Accounts]:
    where: dict[str, Any] = {} if via is None else {"host": "127.0.0.1", "port": via.port}
    async with asyncpg.create_pool(dsn, min_size=0, max_size=10, timeout=5, **where) as pool:
        yield Accounts(pool, SECRETS, KEYS, rules or LoginRules(), clock, uuid4, Liveness(pool.fetch))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
async def password_hash() -> str:
    return await SECRETS.password_hash(PASSWORD)


@pytest.fixture
async def dsn(empty_store: str, password_hash: str) -> str:
    """A store with the user Maria, whose password is temporary, and Juan, who has chosen his."""
    connection = await asyncpg.connect(empty_store)
    await connection.execute(ADD_USER, "maria", "Maria", password_hash, datetime.now(UTC) + timedelta(days=14))
    await connection.execute(ADD_USER, "juan", "Juan", password_hash, None)
    await connection.execute(
        "insert into es.tokens_c (token_hash, country_code, party_id, cpo_owner_id) values ($1, 'PH', 'ISL', 7)",
        token_hash("token-c"),
    )
    await connection.close()
    return empty_store


@pytest.fixture
async def accounts(dsn: str, clock: Clock) -> AsyncIterator[Accounts]:
    async with opened(dsn, clock) as accounts:
        yield accounts


async def tries(accounts: Accounts) -> int:
    count: int = await accounts.pool.fetchval("select count(*) from es.login_tries")
    return count


def verdicts(of: list[Any]) -> Counter[str]:
    return Counter(type(one).__name__ for one in of)


async def test_the_right_pair_opens_a_session(accounts: Accounts) -> None:
    before = datetime.now(UTC).timestamp()
    session = await accounts.log_in("Maria", PASSWORD, address=HERE)
    assert (session.role, session.must_change_password) == ("CPO_OWNER", True)
    assert 15 * 60 - 1 <= session.access_expires_in - before <= 15 * 60 + 10
    assert 30 * 86_400 - 1 <= session.refresh_expires_in - before <= 30 * 86_400 + 10
    bearer = await accounts.bearer(session.access_token)
    assert (bearer.username, bearer.party, bearer.cpo_owner_id) == ("maria", Party("PH", "ISL"), 7)
    claims = jwt.decode(session.access_token, KEYS.access, ["HS256"], audience="emsp-cpo")
    assert claims["exp"] == session.access_expires_in
    row = await accounts.pool.fetchrow("select * from es.sessions")
    assert row is not None
    assert (row["id"], row["user_key"]) == (bearer.session_id, "maria")
    assert row["refresh_hash"] == token_hash(session.refresh_token)
    assert row["expires_at"].timestamp() == pytest.approx(session.refresh_expires_in, abs=1)
    assert session.refresh_token not in str(tuple(row))
    assert await tries(accounts) == 0


async def test_login_ignores_the_names_case(accounts: Accounts) -> None:
    assert not (await accounts.log_in("JUAN", PASSWORD, address=HERE)).must_change_password


async def test_two_logins_are_two_sessions(accounts: Accounts) -> None:
    one, other = [await accounts.log_in("juan", PASSWORD, address=HERE) for _ in range(2)]
    sessions = {(await accounts.bearer(each.access_token)).session_id for each in (one, other)}
    assert len(sessions) == 2


@pytest.mark.parametrize(
    ("username", "password"),
    [
        ("maria", "wrong"),
        ("nobody", PASSWORD),
        ("maria", PASSWORD + " "),
        (" maria", PASSWORD),
        ("nobody' or '1'='1", PASSWORD),
        ("maria", "\0"),
        ("👩", PASSWORD),
    ],
)
async def test_every_wrong_pair_is_refused_alike_and_counted(accounts: Accounts, username: str, password: str) -> None:
    with pytest.raises(Unauthorized) as refused:
        await accounts.log_in(username, password, address=HERE)
    assert (type(refused.value), refused.value.args) == (Unauthorized, ())
    assert await tries(accounts) == 1
    assert await accounts.pool.fetchval("select count(*) from es.sessions") == 0


async def test_a_name_that_no_text_can_hold_is_nobodys(accounts: Accounts) -> None:
    with pytest.raises(Unauthorized):
        await accounts.log_in("ma\0ria", PASSWORD, address=HERE)


async def test_a_temporary_password_is_good_until_its_end(accounts: Accounts, clock: Clock) -> None:
    clock.ahead = timedelta(days=14) - timedelta(minutes=1)
    await accounts.log_in("maria", PASSWORD, address=HERE)
    clock.ahead = timedelta(days=14)
    with pytest.raises(Unauthorized):
        await accounts.log_in("maria", PASSWORD, address=HERE)
    await accounts.log_in("juan", PASSWORD, address=HERE)


async def test_after_ten_wrong_pairs_even_the_right_one_waits(accounts: Accounts) -> None:
    for _ in range(10):
        with pytest.raises(Unauthorized):
            await accounts.log_in("MARIA" if await tries(accounts) % 2 else "maria", "wrong", address=HERE)
    with pytest.raises(TooManyTries) as refused:
        await accounts.log_in("maria", PASSWORD, address=HERE)
    assert refused.value.retry_after_s == 600
    assert await tries(accounts) == 10
    await accounts.log_in("juan", PASSWORD, address=HERE)
    await accounts.log_in("maria", PASSWORD, address="192.0.2.2")
    await accounts.pool.execute("update es.login_tries set at = at - interval '10 minutes 1 second'")
    await accounts.log_in("maria", PASSWORD, address=HERE)


async def test_old_tries_are_forgotten_and_young_ones_stay(accounts: Accounts) -> None:
    for aged in (True, False):
        for _ in range(3):
            with pytest.raises(Unauthorized):
                await accounts.log_in("maria", "wrong", address=HERE)
        if aged:
            await accounts.pool.execute("update es.login_tries set at = at - interval '1 hour 1 second'")
    await forget_old_tries(accounts.pool, timedelta(hours=1))
    assert await tries(accounts) == 3


async def test_of_a_hundred_tries_at_once_ten_are_looked_at(dsn: str, clock: Clock) -> None:
    async with opened(dsn, clock) as one, opened(dsn, clock) as other:
        asked = [(one, other)[n % 2].log_in("nobody", f"guess {n}", address=HERE) for n in range(100)]
        said = await asyncio.gather(*asked, return_exceptions=True)
        assert verdicts(said) == {"Unauthorized": 10, "TooManyTries": 90}
        assert await tries(one) == 10


async def test_an_address_that_tries_many_names_is_stopped_too(dsn: str, clock: Clock) -> None:
    async with opened(dsn, clock, rules=LoginRules(wrong_pairs_of_address=20)) as accounts:
        asked = [accounts.log_in(f"nobody {n}", "guess", address=HERE) for n in range(60)]
        said = await asyncio.gather(*asked, return_exceptions=True)
        assert verdicts(said) == {"Unauthorized": 20, "TooManyTries": 40}
        await accounts.log_in("maria", PASSWORD, address="192.0.2.2")


async def test_right_pairs_leave_no_trace_among_the_tries(accounts: Accounts) -> None:
    for _ in range(12):
        await accounts.log_in("maria", PASSWORD, address=HERE)
    assert await tries(accounts) == 0


async def test_a_session_that_is_ended_or_over_or_unknown_speaks_for_nobody(accounts: Accounts, clock: Clock) -> None:
    session = await accounts.log_in("juan", PASSWORD, address=HERE)
    await accounts.bearer(session.access_token)
    clock.ahead = timedelta(days=30)
    with pytest.raises(Unauthorized):
        await accounts.bearer(session.access_token)
    clock.ahead = timedelta()
    await accounts.pool.execute("update es.sessions set ended_at = now()")
    with pytest.raises(Unauthorized):
        await accounts.bearer(session.access_token)
    stranger = Bearer("juan", UUID(int=1), UUID(int=2), Party("PH", "ISL"), 7)
    forged = tokens.issue(stranger, "access", KEYS, at=datetime.now(UTC), lifetime=timedelta(minutes=15))
    with pytest.raises(Unauthorized):
        await accounts.bearer(forged)


async def test_a_refresh_token_and_an_expired_one_are_no_access_tokens(accounts: Accounts, clock: Clock) -> None:
    clock.ahead = -timedelta(minutes=16)
    session = await accounts.log_in("juan", PASSWORD, address=HERE)
    await accounts.bearer(session.access_token)
    clock.ahead = timedelta()
    with pytest.raises(TokenExpired):
        await accounts.bearer(session.access_token)
    with pytest.raises(Unauthorized) as refused:
        await accounts.bearer(session.refresh_token)
    assert not isinstance(refused.value, TokenExpired)


async def test_a_token_c_is_its_cpos(accounts: Accounts) -> None:
    assert await accounts.machine("token-c") == (Party("PH", "ISL"), 7)


@pytest.mark.parametrize("token", ["", "token-C", "token-c ", "\0", "\udcff", "x" * 4_000])
async def test_any_other_token_is_nobodys(accounts: Accounts, token: str) -> None:
    with pytest.raises(Unauthorized):
        await accounts.machine(token)


async def test_accounts_that_are_away_are_out_of_reach_and_come_back(dsn: str, clock: Clock) -> None:
    at = urlsplit(dsn)
    async with Proxy(at.hostname or "", at.port or 5432) as proxy, opened(dsn, clock, via=proxy) as accounts:
        session = await accounts.log_in("juan", PASSWORD, address=HERE)
        proxy.refuse()
        for asking in (
            accounts.log_in("juan", PASSWORD, address=HERE),
            accounts.bearer(session.access_token),
            accounts.machine("token-c"),
        ):
            with pytest.raises(StoreOutOfReach):
                await asking
        proxy.accept()
        await accounts.bearer(session.access_token)
        assert await accounts.machine("token-c") == (Party("PH", "ISL"), 7)


async def test_a_login_of_another_user_does_not_wait_for_the_tries_of_an_address(dsn: str, clock: Clock) -> None:
    async with opened(dsn, clock) as accounts:
        holder = await asyncpg.connect(dsn)
        await holder.execute("begin")
        await holder.execute(TAKE_TURNS, HERE)
        waiting = asyncio.create_task(accounts.log_in("juan", PASSWORD, address=HERE))
        await accounts.log_in("juan", PASSWORD, address="192.0.2.2")
        assert not waiting.done()
        await holder.close()
        await waiting


def test_the_rules_are_those_of_the_contract() -> None:
    assert LoginRules() == LoginRules(
        access_lifetime=timedelta(minutes=15),
        refresh_lifetime=timedelta(days=30),
        wrong_pairs=10,
        wrong_pairs_of_address=100,
        window=timedelta(minutes=10),
    )


async def test_a_refresh_token_is_good_once_and_its_second_use_ends_the_session(accounts: Accounts) -> None:
    first = await accounts.log_in("maria", PASSWORD, address=HERE)
    second = await accounts.refresh(first.refresh_token)
    assert second.must_change_password
    assert len({first.refresh_token, second.refresh_token, first.access_token, second.access_token}) == 4
    bearers = [await accounts.bearer(one.access_token) for one in (first, second)]
    assert bearers[0].session_id == bearers[1].session_id
    other = await accounts.log_in("maria", PASSWORD, address=HERE)
    for _ in range(2):
        with pytest.raises(RefreshTokenReused):
            await accounts.refresh(first.refresh_token)
    for token in (first.access_token, second.access_token):
        with pytest.raises(Unauthorized):
            await accounts.bearer(token)
    # It was never used, but its session is over.
    with pytest.raises(Unauthorized):
        await accounts.refresh(second.refresh_token)
    await accounts.bearer(other.access_token)


async def test_of_two_uses_at_once_one_wins_and_the_session_ends(accounts: Accounts) -> None:
    opened = await accounts.log_in("juan", PASSWORD, address=HERE)
    said = await asyncio.gather(*(accounts.refresh(opened.refresh_token) for _ in range(5)), return_exceptions=True)
    assert verdicts(list(said)) == {"LoggedIn": 1, "RefreshTokenReused": 4}
    with pytest.raises(Unauthorized):
        await accounts.bearer(opened.access_token)


async def test_a_renewed_session_lives_thirty_days_more(accounts: Accounts, clock: Clock) -> None:
    clock.ahead = -timedelta(days=29)
    opened = await accounts.log_in("juan", PASSWORD, address=HERE)
    clock.ahead = timedelta()
    renewed = await accounts.refresh(opened.refresh_token)
    assert renewed.refresh_expires_in - opened.refresh_expires_in == pytest.approx(29 * 86_400, abs=10)
    clock.ahead = timedelta(days=29)
    assert await accounts.liveness.is_alive(session_of(accounts, renewed), at=clock())
    clock.ahead = timedelta(days=31)
    with pytest.raises(Unauthorized):
        await accounts.refresh(renewed.refresh_token)


def session_of(accounts: Accounts, opened: LoggedIn) -> UUID:
    return tokens.read(opened.refresh_token, "refresh", accounts.keys, at=accounts.clock()).session_id


async def test_only_a_refresh_token_renews(accounts: Accounts, clock: Clock) -> None:
    clock.ahead = -timedelta(days=31)
    late = await accounts.log_in("juan", PASSWORD, address=HERE)
    clock.ahead = timedelta()
    with pytest.raises(TokenExpired):
        await accounts.refresh(late.refresh_token)
    opened = await accounts.log_in("juan", PASSWORD, address=HERE)
    for token in (opened.access_token, "x.y.z", "", "token-c"):
        with pytest.raises(Unauthorized):
            await accounts.refresh(token)
    await accounts.pool.execute("delete from es.sessions")
    with pytest.raises(Unauthorized):
        await accounts.refresh(opened.refresh_token)


async def test_logging_out_ends_that_session_alone(accounts: Accounts) -> None:
    one, other = [await accounts.log_in("juan", PASSWORD, address=HERE) for _ in range(2)]
    await accounts.log_out(await accounts.bearer(one.access_token))
    with pytest.raises(Unauthorized):
        await accounts.bearer(one.access_token)
    with pytest.raises(Unauthorized):
        await accounts.refresh(one.refresh_token)
    await accounts.refresh(other.refresh_token)


GOOD: Final = "another, longer one"


async def change(accounts: Accounts, bearer: Bearer, old: str = PASSWORD, new: str = GOOD, typed: str = GOOD) -> None:
    await accounts.change_password(bearer, PasswordChange(old, new, typed), address=HERE)


async def test_a_token_stops_at_once_however_many_ask_meanwhile(accounts: Accounts) -> None:
    ending = await accounts.log_in("juan", PASSWORD, address=HERE)
    staying = await accounts.log_in("juan", PASSWORD, address=HERE)
    bearer = await accounts.bearer(ending.access_token)
    is_ended = False

    async def ask() -> None:
        for _ in range(50):
            was_ended = is_ended
            try:
                await accounts.bearer(ending.access_token)
                assert not was_ended
            except Unauthorized:
                pass
            await accounts.bearer(staying.access_token)

    async def end() -> None:
        nonlocal is_ended
        await asyncio.sleep(0)
        await accounts.log_out(bearer)
        is_ended = True

    await asyncio.gather(*(ask() for _ in range(20)), end())
    with pytest.raises(Unauthorized):
        await accounts.bearer(ending.access_token)


async def test_a_changed_password_ends_the_other_sessions_and_is_not_temporary(accounts: Accounts) -> None:
    one, other = [await accounts.log_in("maria", PASSWORD, address=HERE) for _ in range(2)]
    await change(accounts, await accounts.bearer(one.access_token))
    await accounts.bearer(one.access_token)
    assert not (await accounts.refresh(one.refresh_token)).must_change_password
    with pytest.raises(Unauthorized):
        await accounts.bearer(other.access_token)
    with pytest.raises(Unauthorized):
        await accounts.log_in("maria", PASSWORD, address=HERE)
    assert not (await accounts.log_in("maria", GOOD, address=HERE)).must_change_password


@pytest.mark.parametrize(
    ("old", "new", "typed", "code", "field"),
    [
        ("wrong", "short", "shorter", "INVALID_OLD_PASSWORD", "old_password"),
        ("", GOOD, GOOD, "INVALID_OLD_PASSWORD", "old_password"),
        (PASSWORD, "short", "shorter", "PASSWORDS_DO_NOT_MATCH", "confirm_password"),
        (PASSWORD, "123456789", "123456789", "WEAK_PASSWORD", "new_password"),
        (PASSWORD, "x" * 129, "x" * 129, "WEAK_PASSWORD", "new_password"),
        (PASSWORD, PASSWORD, PASSWORD, "WEAK_PASSWORD", "new_password"),
        (PASSWORD, "", "", "WEAK_PASSWORD", "new_password"),
    ],
)
async def test_a_password_that_will_not_do_changes_nothing(
    accounts: Accounts, old: str, new: str, typed: str, code: str, field: str
) -> None:
    one, other = [await accounts.log_in("juan", PASSWORD, address=HERE) for _ in range(2)]
    with pytest.raises(Faults) as refused:
        await change(accounts, await accounts.bearer(one.access_token), old, new, typed)
    assert [(fault.rule, fault.field) for fault in refused.value.faults] == [(code, field)]
    await accounts.bearer(other.access_token)
    await accounts.log_in("juan", PASSWORD, address=HERE)


async def test_the_username_is_no_password_and_ten_letters_are_enough(accounts: Accounts) -> None:
    await accounts.pool.execute("update es.users set user_key = 'juan-de-la-cruz' where user_key = 'juan'")
    bearer = await accounts.bearer((await accounts.log_in("juan-de-la-cruz", PASSWORD, address=HERE)).access_token)
    with pytest.raises(Faults, match="WEAK_PASSWORD"):
        await change(accounts, bearer, new="JUAN-de-la-cruz", typed="JUAN-de-la-cruz")
    await change(accounts, bearer, new="0123456789", typed="0123456789")


async def test_guessing_the_old_password_is_limited_too(accounts: Accounts) -> None:
    bearer = await accounts.bearer((await accounts.log_in("juan", PASSWORD, address=HERE)).access_token)
    said = await asyncio.gather(
        *(change(accounts, bearer, old=f"guess {n}") for n in range(30)), return_exceptions=True
    )
    assert verdicts(list(said)) == {"Faults": 10, "TooManyTries": 20}


async def test_of_two_changes_at_once_one_wins(accounts: Accounts) -> None:
    bearer = await accounts.bearer((await accounts.log_in("juan", PASSWORD, address=HERE)).access_token)
    wishes = [f"a new one, number {n}" for n in range(4)]
    said = await asyncio.gather(
        *(change(accounts, bearer, new=wish, typed=wish) for wish in wishes), return_exceptions=True
    )
    assert verdicts(list(said)) == {"NoneType": 1, "Faults": 3}
    await accounts.log_in("juan", wishes[said.index(None)], address=HERE)


async def test_a_login_with_the_password_that_is_being_replaced_opens_no_session(accounts: Accounts, dsn: str) -> None:
    changing = await asyncpg.connect(dsn)
    await changing.execute("begin; update es.users set password_hash = 'another' where user_key = 'juan'")
    late = asyncio.create_task(accounts.log_in("juan", PASSWORD, address=HERE))
    async with asyncio.timeout(10):
        while not await accounts.pool.fetchval(WAITING):
            await asyncio.sleep(0.01)
    await changing.execute("update es.sessions set ended_at = now(); commit")
    with pytest.raises(Unauthorized):
        await late
    assert await accounts.pool.fetchval("select count(*) from es.sessions") == 0
    await changing.close()


async def test_ended_sessions_are_forgotten_after_their_time(accounts: Accounts) -> None:
    one, other = [await accounts.log_in("juan", PASSWORD, address=HERE) for _ in range(2)]
    await accounts.log_out(await accounts.bearer(one.access_token))
    await sessions.forget_ended(accounts.pool, timedelta(days=1))
    assert await accounts.pool.fetchval("select count(*) from es.sessions") == 2
    await accounts.pool.execute("update es.sessions set ended_at = ended_at - interval '2 days'")
    await sessions.forget_ended(accounts.pool, timedelta(days=1))
    assert await accounts.pool.fetchval("select count(*) from es.sessions") == 1
    await accounts.refresh(other.refresh_token)
