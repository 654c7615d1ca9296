"""Random tokens and passwords, their hashes, and the seal of mails that wait."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

TOKEN_BYTES: Final = 32
NONCE_BYTES: Final = 12
PASSWORD_LETTERS: Final = "abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""Without the letters that people confuse (l 1 I, o 0 O, i)."""

PASSWORD_LENGTH: Final = 16


def token_hash(token: str) -> bytes:
    """SHA-256 of a token; enough, since our tokens are random with at least 128 bits (contract §1)."""
    # A header may bring bytes that are no UTF-8, as lone surrogates: no token of ours, and no error.
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()


class SystemSecrets:
    """The `Secrets` port over the system's randomness, argon2id and AES-GCM.

    seal_key: any bytes, at least 32 of them; hashed into the AES-256 key
    parallel_hashes: password hashes that may run at once, each some 64 MiB and tens of milliseconds
    """

    def __init__(self, seal_key: bytes, *, parallel_hashes: int = 2) -> None:
        self._aes = AESGCM(hashlib.sha256(b"emsp mail seal" + seal_key).digest())
        self._hasher = PasswordHasher()
        self._places = asyncio.Semaphore(parallel_hashes)
        self._nobody = self._hasher.hash(secrets.token_urlsafe(TOKEN_BYTES))

    def new_token(self) -> str:
        """256 random bits in URL-safe letters."""
        return secrets.token_urlsafe(TOKEN_BYTES)

    def new_password(self) -> str:
        """Sixteen random letters and digits: some 92 bits."""
        return "".join(secrets.choice(PASSWORD_LETTERS) for _ in range(PASSWORD_LENGTH))

    def token_hash(self, token: str) -> bytes:
        """SHA-256 of a token."""
        return token_hash(token)

    async def password_hash(self, password: str) -> str:
        """Argon2id of a password, in a thread."""
        async with self._places:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def password_is(self, password: str, hashed: str | None) -> bool:
        """Whether that is the password. hashed None: there is no such user, which takes the same time to find out."""
        async with self._places:
            right = await asyncio.to_thread(self._verify, hashed or self._nobody, password)
        return right and hashed is not None

    def _verify(self, hashed: str, password: str) -> bool:
        try:
            return self._hasher.verify(hashed, password)
        except (VerificationError, InvalidHashError):
            return False

    def new_key(self) -> bytes:
        """A random AES-256 key."""
        return AESGCM.generate_key(256)

    def seal_with(self, key: bytes, text: bytes, about: bytes) -> bytes:
        """The text encrypted with that key, for what it is about."""
        return _sealed(AESGCM(key), text, about)

    def unseal_with(self, key: bytes, sealed: bytes, about: bytes) -> bytes:
        """The text again. raises: ValueError where the key, or what it is about, is another one."""
        return _unsealed(AESGCM(key), sealed, about)

    def seal(self, text: bytes) -> bytes:
        """The text encrypted with the configured key."""
        return _sealed(self._aes, text, None)

    def unseal(self, sealed: bytes) -> bytes:
        """The text again. raises: ValueError where the key is another one."""
        return _unsealed(self._aes, sealed, None)


def _sealed(aes: AESGCM, text: bytes, about: bytes | None) -> bytes:
    """Nonce, then AES-GCM."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + aes.encrypt(nonce, text, about)


def _unsealed(aes: AESGCM, sealed: bytes, about: bytes | None) -> bytes:
    try:
        return aes.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], about)
    except InvalidTag as wrong:
        msg = "sealed with another key"
        raise ValueError(msg) from wrong
