"""Access and refresh tokens: JWTs that say which session they belong to (contract §1)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Literal
from uuid import UUID

import jwt

from ocpi.identifiers import Party

if TYPE_CHECKING:
    from datetime import datetime, timedelta

ALGORITHM: Final = "HS256"
ISSUER: Final = "emsp"
AUDIENCE: Final = "emsp-cpo"
KEPT: Final = 4_096
"""So many of the last good tokens are not looked at anew; some 2 kB each."""

REQUIRED_CLAIMS: Final = ["exp", "iat", "iss", "aud", "sub", "sid", "jti", "party", "cpo_owner_id"]

TokenType = Literal["access", "refresh"]


class Unauthorized(Exception):
    """The token, or the pair of name and password, is not good."""


class TokenExpired(Unauthorized):
    """The token was good once."""


class RefreshTokenReused(Exception):
    """A refresh token was used a second time: its session is ended."""


class TooManyTries(Exception):
    """Too many wrong pairs. retry_after_s: seconds until the next try."""

    def __init__(self, retry_after_s: int) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(retry_after_s)


@dataclass(frozen=True, slots=True)
class Bearer:
    """Who a token speaks for. username: folded; token_id: of this very token."""

    username: str
    session_id: UUID
    token_id: UUID
    party: Party
    cpo_owner_id: int


@dataclass(frozen=True, slots=True)
class Keys:
    """The two signing keys, at least 32 bytes each: a refresh token is no access token, whatever it claims."""

    access: bytes
    refresh: bytes

    def of(self, kind: TokenType) -> bytes:
        """The key of that kind of token."""
        return self.access if kind == "access" else self.refresh


def issue(bearer: Bearer, kind: TokenType, keys: Keys, *, at: datetime, lifetime: timedelta) -> str:
    """A signed token, good from `at` for `lifetime`."""
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": bearer.username,
        "sid": str(bearer.session_id),
        "jti": str(bearer.token_id),
        "party": str(bearer.party),
        "cpo_owner_id": bearer.cpo_owner_id,
        "iat": at,
        "exp": at + lifetime,
    }
    return jwt.encode(claims, keys.of(kind), algorithm=ALGORITHM, headers={"typ": _typ(kind)})


def read(token: str, kind: TokenType, keys: Keys, *, at: datetime) -> Bearer:
    """Who the token speaks for, after signature, alg, iss, aud, typ and exp; its session is not looked at here.

    raises: TokenExpired, Unauthorized
    """
    bearer, expires_at_s = _verified(token, kind, keys)
    if at.timestamp() >= expires_at_s:
        raise TokenExpired
    return bearer


@lru_cache(maxsize=KEPT)
def _verified(token: str, kind: TokenType, keys: Keys) -> tuple[Bearer, float]:
    """Who a token of ours speaks for, and until when (epoch seconds): what time can't change is found out once.

    raises: Unauthorized, and that is not kept
    """
    try:
        if jwt.get_unverified_header(token).get("typ") != _typ(kind):
            raise Unauthorized
        claims = jwt.decode(
            token,
            keys.of(kind),
            algorithms=[ALGORITHM],
            issuer=ISSUER,
            audience=AUDIENCE,
            # `read` looks at exp. Another machine of ours may be some seconds ahead: what it has just issued is good.
            options={"require": REQUIRED_CLAIMS, "verify_exp": False, "verify_iat": False},
        )
        country_code, _, party_id = claims["party"].partition("/")
        bearer = Bearer(
            claims["sub"],
            UUID(claims["sid"]),
            UUID(claims["jti"]),
            Party(country_code, party_id),
            claims["cpo_owner_id"],
        )
        return bearer, float(claims["exp"])
    except (jwt.InvalidTokenError, ValueError, TypeError) as wrong:
        raise Unauthorized from wrong


def _typ(kind: TokenType) -> str:
    return "at+jwt" if kind == "access" else "rt+jwt"
