"""What locations are searched by, as integers: projections write them beside a location, the read side asks for them.

A facet is a code that a location or one of its EVSEs has, a pair of codes that one EVSE has together, or its city or
province. The index over them keeps of each row, and of each of its own pages, a signature: bit `facet % SIGNATURE_BITS`
is set. Every kind has bits of its own, so that a rare facility never shares one with a common connector. Where a kind
outgrows its bits (towns do), two facets share one and the index has to look at the row: slower, never wrong.

A gram is one to three letters in a row of a location's name, with the party whose location it is. Pure.
"""

from __future__ import annotations

from itertools import combinations, product
from typing import TYPE_CHECKING, Final
from zlib import crc32

from ocpi.codes import (
    ACCEPTED_POWER_TYPES,
    CAPABILITIES,
    CONNECTOR_TYPES,
    FACILITIES,
    PARKING_RESTRICTIONS,
    PARKING_TYPES,
    PAYMENT_TYPES,
)

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from ocpi.identifiers import Party

SIGNATURE_BITS: Final = 528
"""As `siglen` of the indexes over facets says, in bytes (projections/schema.sql)."""

_BITS: Final = {
    "facilities": (0, 64),
    "parking_types": (64, 8),
    "parking_restrictions": (72, 16),
    "capabilities": (88, 16),
    "payment_types": (104, 16),
    "connector_types": (120, 32),
    "power_types": (152, 8),
    "city": (160, 96),
    "province": (256, 64),
}
"""First bit and number of bits of each kind."""

_BITS_OF_PAIR: Final = {
    ("capabilities", "payment_types"): (320, 4, 4),
    ("capabilities", "connector_types"): (336, 4, 8),
    ("capabilities", "power_types"): (368, 4, 8),
    ("payment_types", "connector_types"): (400, 4, 8),
    ("payment_types", "power_types"): (432, 4, 8),
    ("connector_types", "power_types"): (464, 8, 8),
}
"""First bit, and of how many codes each of the two lists has bits."""

EVSE_LISTS: Final = ("capabilities", "payment_types", "connector_types", "power_types")
"""The lists that one and the same EVSE must meet, in the order in which they are paired."""

LONGEST_GRAM: Final = 3
_HASHES: Final = 1 << 20
_SIGN: Final = 1 << 31


def _facet(first: int, count: int, number: int) -> int:
    above, bit = divmod(number, count)
    return first + bit + above * SIGNATURE_BITS


def _pair(kinds: tuple[str, str], one: int, other: int) -> int:
    first, ones, others = _BITS_OF_PAIR[kinds]
    above_one, bit_of_one = divmod(one, ones)
    above_other, bit_of_other = divmod(other, others)
    above = above_one * 1024 + above_other
    return first + bit_of_one * others + bit_of_other + above * SIGNATURE_BITS


_NUMBERS: Final = {
    known.name: {one.code: one.id for one in known.codes}
    for known in (FACILITIES, PARKING_TYPES, PARKING_RESTRICTIONS, CAPABILITIES, PAYMENT_TYPES, CONNECTOR_TYPES)
} | {"power_types": {code: number for number, code in enumerate(ACCEPTED_POWER_TYPES, start=1)}}

FACETS: Final = {
    (kind, code): _facet(*_BITS[kind], number) for kind, known in _NUMBERS.items() for code, number in known.items()
}
"""The facet of a code, by its list and itself. power_types: OCPI's words too; a location with AC_… has AC as well."""

PAIRS: Final = {
    (kinds, one, other): _pair(kinds, _NUMBERS[kinds[0]][one], _NUMBERS[kinds[1]][other])
    for kinds in combinations(EVSE_LISTS, 2)
    for one, other in product(_NUMBERS[kinds[0]], _NUMBERS[kinds[1]])
}
"""The facet of two codes of one EVSE; of a connector type and a power type: of one connector."""


def place_facets(kind: str, key: str) -> tuple[int, int]:
    """A city or province has two facets, to be met both: towns that share both bits are rare. kind: city, province."""
    crc = crc32(key.encode())
    return (
        _facet(*_BITS[kind], crc % _HASHES),
        _facet(*_BITS[kind], crc32(b"/", crc) % _HASHES),
    )


def grams_of(party: Party, name_key: str) -> list[int]:
    """Every gram of a casefolded name, as a 32-bit integer; sorted."""
    return _sorted(party, {part for size in range(1, LONGEST_GRAM + 1) for part in _parts(name_key, size)})


def grams_wanted(party: Party, part: str) -> list[int]:
    """The grams of every name that contains this casefolded part, which is not empty: the longest alone."""
    return _sorted(party, set(_parts(part, min(len(part), LONGEST_GRAM))))


def _parts(text: str, size: int) -> list[str]:
    return [text[start : start + size] for start in range(len(text) - size + 1)]


def _sorted(party: Party, parts: AbstractSet[str]) -> list[int]:
    seed = crc32(f"{party}/".encode())
    # Different parts may be one gram.
    return sorted({crc32(part.encode(), seed) - _SIGN for part in parts})
