"""Passwords, tokens and the seal: random, hashed, and hidden."""

from __future__ import annotations

import asyncio
import hashlib
import math

import pytest

from write_side.accounts.secrets import PASSWORD_LENGTH, PASSWORD_LETTERS, SystemSecrets, token_hash


@pytest.fixture(scope="module")
def secrets() -> SystemSecrets:
    return SystemSecrets(b"seal-key-of-a-test-deployment-0000001")


def test_tokens_are_random_with_128_bits_at_least(secrets: SystemSecrets) -> None:
    tokens = {secrets.new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert all(len(token) * 6 >= 128 and token.isascii() and token.isprintable() for token in tokens)


def test_passwords_are_random_and_can_be_typed(secrets: SystemSecrets) -> None:
    passwords = {secrets.new_password() for _ in range(100)}
    assert len(passwords) == 100
    assert all(len(password) == PASSWORD_LENGTH and set(password) <= set(PASSWORD_LETTERS) for password in passwords)
    assert PASSWORD_LENGTH * math.log2(len(PASSWORD_LETTERS)) > 90
    assert not set(PASSWORD_LETTERS) & set("l1IoO0i")


def test_a_token_is_known_by_its_sha_256(secrets: SystemSecrets) -> None:
    assert secrets.token_hash("abc") == token_hash("abc") == hashlib.sha256(b"abc").digest()


def test_a_token_of_any_characters_has_a_hash() -> None:
    assert len({token_hash("\udcff"), token_hash("ÿ"), token_hash("")}) == 3


async def test_a_password_is_kept_as_argon2id_with_a_salt(secrets: SystemSecrets) -> None:
    one, other = await asyncio.gather(secrets.password_hash("s3cret"), secrets.password_hash("s3cret"))
    assert one.startswith("$argon2id$")
    assert one != other
    assert await secrets.password_is("s3cret", one)
    assert not await secrets.password_is("S3cret", one)


@pytest.mark.parametrize("hashed", [None, "", "no hash", "$argon2id$v=19$broken"])
async def test_nobodys_password_is_right(secrets: SystemSecrets, hashed: str | None) -> None:
    assert not await secrets.password_is("s3cret", hashed)


def test_a_seal_hides_its_text_and_gives_it_back(secrets: SystemSecrets) -> None:
    text = b"Temporary password: s3cret"
    sealed = secrets.seal(text)
    assert b"s3cret" not in sealed
    assert secrets.seal(text) != sealed
    assert secrets.unseal(sealed) == text


@pytest.mark.parametrize(
    "spoil", [lambda sealed: sealed[:-1], lambda sealed: sealed[:20] + bytes([sealed[20] ^ 1]) + sealed[21:]]
)
def test_a_broken_seal_is_an_error(secrets: SystemSecrets, spoil: object) -> None:
    assert callable(spoil)
    with pytest.raises(ValueError, match="sealed with another key"):
        secrets.unseal(spoil(secrets.seal(b"some text of a mail")))


@pytest.mark.parametrize("sealed", [b"", b"short", b"0" * 12])
def test_what_was_never_sealed_is_an_error(secrets: SystemSecrets, sealed: bytes) -> None:
    with pytest.raises(ValueError, match=r"sealed with another key|Nonce"):
        secrets.unseal(sealed)


def test_another_key_does_not_open_a_seal(secrets: SystemSecrets) -> None:
    other = SystemSecrets(b"another-key-of-a-test-deployment-0001")
    with pytest.raises(ValueError, match="sealed with another key"):
        other.unseal(secrets.seal(b"text"))
