"""What Accept-Encoding asks for (RFC 9110 §12.5.3)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.compression import PREFERRED, negotiated


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ([], "identity"),
        ([""], "identity"),
        (["br"], "br"),
        (["gzip"], "gzip"),
        (["x-gzip"], "gzip"),
        (["GZip"], "gzip"),
        (["gzip, deflate, br"], "br"),
        (["gzip, deflate, br, zstd"], "br"),
        (["gzip", "br"], "br"),
        (["gzip;q=1.0, br;q=0.5"], "gzip"),
        (["gzip ; q=0.001"], "gzip"),
        (["br;q=0, gzip"], "gzip"),
        (["br;q=0.000, gzip;q=0"], "identity"),
        (["*"], "br"),
        (["*;q=0.5, br;q=0"], "gzip"),
        (["*;q=0"], "identity"),
        (["identity;q=0"], "identity"),
        (["identity"], "identity"),
        (["identity, gzip;q=0.5"], "identity"),
        (["identity;q=0.5, gzip"], "gzip"),
        (["deflate"], "identity"),
        (["zstd, deflate;q=0.9"], "identity"),
        (["gzip;q=2"], "identity"),
        (["gzip;q=nan"], "identity"),
        (["gzip;q"], "identity"),
        (["br;level=9, gzip"], "gzip"),
        ([",,,"], "identity"),
    ],
)
def test_what_a_client_likes_most_is_taken(accepted: list[str], coding: str) -> None:
    assert negotiated(accepted) == coding


@given(st.lists(st.text(st.characters(codec="latin-1"), max_size=40), max_size=3))
def test_rubbish_is_understood_as_something(accepted: list[str]) -> None:
    assert negotiated(accepted) in PREFERRED
