"""Rows in the binary format of COPY (PostgreSQL manual, COPY, "Binary Format").

asyncpg asks every element of an array what it is: that took most of the time of copying a location.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from struct import Struct, pack
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from uuid import UUID

    Encode = Callable[[Any], bytes]
    """A value with its length before it."""
    EncodeRow = Callable[[Any], bytes]
    """A row, with the number of its columns before it."""

BEGIN: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
END: Final = b"\xff\xff"
ROWS_AT_ONCE: Final = 500

EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)
INT4_OID: Final = 23
TEXT_OID: Final = 25
POINT_OF_THREE: Final = 0x80000003
"""A cube that is a point (its high bit) of three dimensions."""
KEPT: Final = 4_096
"""How many words, and lists of words, are remembered: EVSEs are of few kinds."""
NULL: Final = b"\xff\xff\xff\xff"

_COUNT: Final = Struct("!h").pack
_LENGTH: Final = Struct("!i").pack
_INT4: Final = Struct("!ii").pack
_OF_UUID: Final = _LENGTH(16)
_INT8: Final = Struct("!iq").pack
_CUBE: Final = Struct("!iI3d").pack
_EMPTY: Final = Struct("!iiii").pack
_ARRAY: Final = Struct("!iiiiii").pack


def int4(value: int) -> bytes:
    """Integer."""
    return _INT4(4, value)


def int8(value: int) -> bytes:
    """Bigint."""
    return _INT8(8, value)


def boolean(value: bool) -> bytes:  # noqa: FBT001 - a value, not a switch
    """Boolean."""
    return b"\0\0\0\1\1" if value else b"\0\0\0\1\0"


def text(value: str) -> bytes:
    """Text."""
    data = value.encode()
    return _LENGTH(len(data)) + data


def text_or_null(value: str | None) -> bytes:
    """Text that may be null."""
    return NULL if value is None else text(value)


@lru_cache(KEPT)
def word(value: str) -> bytes:
    """Text that many rows have."""
    return text(value)


def uuid(value: UUID) -> bytes:
    """Uuid."""
    return _OF_UUID + value.bytes


def microseconds(value: datetime) -> int:
    """A timestamptz without its length."""
    return (value - EPOCH) // MICROSECOND


def timestamptz(value: datetime) -> bytes:
    """Timestamptz."""
    return _INT8(8, microseconds(value))


def cube(point: tuple[float, float, float]) -> bytes:
    """cube, of a point."""
    return _CUBE(28, POINT_OF_THREE, *point)


def int4_array(values: Sequence[int]) -> bytes:
    """integer[]."""
    lengths_and_values = [4] * (2 * len(values))
    lengths_and_values[1::2] = values
    return _array(INT4_OID, len(values), pack(f"!{2 * len(values)}i", *lengths_and_values))


def text_array(values: Sequence[str]) -> bytes:
    """text[]."""
    return _text_array(tuple(values))


@lru_cache(KEPT)
def _text_array(values: tuple[str, ...]) -> bytes:
    return _array(TEXT_OID, len(values), b"".join(map(text, values)))


def _array(oid: int, count: int, elements: bytes) -> bytes:
    if not count:
        return _EMPTY(12, 0, 0, oid)
    return _ARRAY(20 + len(elements), 1, 0, oid, count, 1) + elements


def row_of(columns: Sequence[Encode]) -> EncodeRow:
    """How rows of these columns are encoded."""
    count = _COUNT(len(columns))
    return lambda row: count + b"".join([encode(value) for encode, value in zip(columns, row, strict=True)])


async def file_of(rows: Sequence[bytes]) -> AsyncIterator[bytes]:
    """What COPY reads: these rows, encoded."""
    yield BEGIN
    for start in range(0, len(rows), ROWS_AT_ONCE):
        yield b"".join(rows[start : start + ROWS_AT_ONCE])
    yield END
