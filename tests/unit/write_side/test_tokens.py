"""JWTs: ours are read, all others are refused."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import jwt
import orjson
import pytest

from tests.support.builders import PARTY
from write_side.accounts.tokens import ALGORITHM, Bearer, Keys, TokenExpired, Unauthorized, issue, read

KEYS: Final = Keys(b"access-key-of-a-test-deployment-0001", b"refresh-key-of-a-test-deployment-001")
BEARER: Final = Bearer("maria", UUID(int=1), UUID(int=2), PARTY, 7)
LIFETIME: Final = timedelta(minutes=15)


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def an_access_token() -> str:
    return issue(BEARER, "access", KEYS, at=now(), lifetime=LIFETIME)


def claims() -> dict[str, Any]:
    decoded: dict[str, Any] = jwt.decode(an_access_token(), KEYS.access, [ALGORITHM], audience="emsp-cpo")
    return decoded


def forged(key: bytes = KEYS.access, algorithm: str = ALGORITHM, typ: str = "at+jwt", **spoiled: Any) -> str:
    said = {name: value for name, value in (claims() | spoiled).items() if value is not None}
    return jwt.encode(said, key, algorithm=algorithm, headers={"typ": typ})


def unsigned(header: dict[str, str]) -> str:
    parts = (header, claims())
    return ".".join(base64.urlsafe_b64encode(orjson.dumps(part)).rstrip(b"=").decode() for part in parts) + "."


def test_a_token_says_who_it_speaks_for() -> None:
    assert read(an_access_token(), "access", KEYS, at=now()) == BEARER
    refresh = issue(BEARER, "refresh", KEYS, at=now(), lifetime=LIFETIME)
    assert read(refresh, "refresh", KEYS, at=now()) == BEARER


def test_a_forgery_without_a_fault_is_read() -> None:
    assert read(forged(), "access", KEYS, at=now()) == BEARER


def test_a_token_of_a_machine_whose_clock_is_ahead_is_read() -> None:
    ahead = forged(iat=(now() + timedelta(seconds=30)).timestamp())
    assert read(ahead, "access", KEYS, at=now()) == BEARER


def test_a_token_that_is_over_is_refused_as_expired() -> None:
    late = issue(BEARER, "access", KEYS, at=now() - LIFETIME - timedelta(seconds=1), lifetime=LIFETIME)
    with pytest.raises(TokenExpired):
        read(late, "access", KEYS, at=now())


def test_a_refresh_token_is_no_access_token_and_the_reverse() -> None:
    with pytest.raises(Unauthorized):
        read(issue(BEARER, "refresh", KEYS, at=now(), lifetime=LIFETIME), "access", KEYS, at=now())
    with pytest.raises(Unauthorized):
        read(an_access_token(), "refresh", KEYS, at=now())


def test_with_one_key_for_both_their_types_still_tell_them_apart() -> None:
    same = Keys(KEYS.access, KEYS.access)
    with pytest.raises(Unauthorized):
        read(issue(BEARER, "refresh", same, at=now(), lifetime=LIFETIME), "access", same, at=now())


@pytest.mark.parametrize("algorithm", ["none", "None", "HS256"])
def test_an_unsigned_token_is_refused(algorithm: str) -> None:
    with pytest.raises(Unauthorized) as refused:
        read(unsigned({"alg": algorithm, "typ": "at+jwt"}), "access", KEYS, at=now())
    assert not isinstance(refused.value, TokenExpired)


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(lambda: forged(key=b"another-key-of-a-test-deployment-0001"), id="another key"),
        pytest.param(lambda: forged(key=b"k" * 64, algorithm="HS512"), id="another key and algorithm"),
        pytest.param(lambda: forged(key=KEYS.access * 2, algorithm="HS512"), id="another algorithm"),
        pytest.param(lambda: forged(typ="JWT"), id="another typ"),
        pytest.param(lambda: forged(typ="rt+jwt"), id="typ of a refresh token"),
        pytest.param(lambda: forged(iss="someone"), id="another issuer"),
        pytest.param(lambda: forged(iss=None), id="no issuer"),
        pytest.param(lambda: forged(aud="someone"), id="another audience"),
        pytest.param(lambda: forged(aud=None), id="no audience"),
        pytest.param(lambda: forged(exp=None), id="no end"),
        pytest.param(lambda: forged(sid=None), id="no session"),
        pytest.param(lambda: forged(sub=None), id="no subject"),
        pytest.param(lambda: forged(sid="no uuid"), id="a session that is no id"),
        pytest.param(lambda: an_access_token()[:-2], id="cut off"),
        pytest.param(lambda: an_access_token().swapcase(), id="another case"),
        pytest.param(lambda: "", id="nothing"),
        pytest.param(lambda: "a.b.c", id="no token"),
        pytest.param(lambda: "\udcff.\udcff.\udcff", id="bytes that are no text"),
        pytest.param(lambda: "é" * 300, id="beyond ASCII"),
    ],
)
def test_every_other_token_is_refused(token: Any) -> None:
    with pytest.raises(Unauthorized) as refused:
        read(token(), "access", KEYS, at=now())
    assert not isinstance(refused.value, TokenExpired)
