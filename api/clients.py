"""The applications that may call with Basic authorization: names, hashed secrets, scopes (contract §1)."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from pathlib import Path
from typing import Final

READ: Final = "read"
ACCOUNTS: Final = "accounts"
SCOPES: Final = frozenset({READ, ACCOUNTS})
MIN_SECRET_LENGTH: Final = 16
FILE_PREFIX: Final = "file:"
SHA256_HEX_LENGTH: Final = 64


class WrongClients(ValueError):
    """The setting can't be understood; says which client, never its secret."""


@dataclass(frozen=True, slots=True)
class Client:
    """A known application. secret_hash: SHA-256; scopes: some of `read`, `accounts`."""

    name: str
    secret_hash: bytes
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Clients:
    """All known applications, by name."""

    by_name: dict[str, Client]

    def find(self, name: str, secret: str) -> Client | None:
        """The client of that name, if that is its secret; takes the same time for an unknown name."""
        client = self.by_name.get(name)
        expected = bytes(hashlib.sha256().digest_size) if client is None else client.secret_hash
        right = hmac.compare_digest(hashlib.sha256(secret.encode()).digest(), expected)
        return client if right else None


def parse_clients(text: str) -> Clients:
    """`name:secret[:scope+scope],…`, or `file:PATH` with a line `name:sha256-hex[:scope+scope]` for each.

    raises: WrongClients; OSError where the file can't be read
    """
    if text.startswith(FILE_PREFIX):
        lines = Path(text.removeprefix(FILE_PREFIX)).read_text("utf-8").splitlines()
        clients = [_client(line, is_hashed=True) for line in lines if line.strip() and not line.startswith("#")]
    else:
        clients = [_client(part, is_hashed=False) for part in text.split(",") if part.strip()]
    by_name = {client.name: client for client in clients}
    if not clients or len(by_name) != len(clients):
        msg = "needs at least one client, each name once"
        raise WrongClients(msg)
    return Clients(by_name)


def _client(text: str, *, is_hashed: bool) -> Client:
    name, _, rest = text.strip().partition(":")
    secret, _, scopes = rest.partition(":")
    granted = frozenset(scopes.split("+")) if scopes else SCOPES
    if not name or not granted <= SCOPES:
        msg = f"client {name!r}: scopes are read and accounts"
        raise WrongClients(msg)
    return Client(name, _hashed(name, secret) if is_hashed else _hash(name, secret), granted)


def _hash(name: str, secret: str) -> bytes:
    if len(secret) < MIN_SECRET_LENGTH:
        msg = f"client {name!r}: its secret needs at least {MIN_SECRET_LENGTH} characters"
        raise WrongClients(msg)
    return hashlib.sha256(secret.encode()).digest()


def _hashed(name: str, digest: str) -> bytes:
    try:
        if len(digest) == SHA256_HEX_LENGTH:
            return bytes.fromhex(digest)
    except ValueError:
        pass
    msg = f"client {name!r}: expected the SHA-256 of its secret, 64 hexadecimal digits"
    raise WrongClients(msg)
