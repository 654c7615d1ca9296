"""Finds the known name that a part of an address ends with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from write_side.adapters.address_words import BINDING_WORDS
from write_side.adapters.gazetteer import Gazetteer, Name

LONGEST_NAME: Final = 8
"""Words of the longest name in the gazetteer."""
_PREFIXES: Final = {
    ("city", "of"): "city",
    ("lungsod", "ng"): "city",
    ("municipality", "of"): "town",
    ("bayan", "ng"): "town",
    ("province", "of"): "province",
    ("lalawigan", "ng"): "province",
}
_SUFFIXES: Final = {"city": "city", "province": "province", "prov": "province"}


@dataclass(frozen=True, slots=True)
class Mention:
    """A known name at the end of a part. said_as: "city", "town", "province" or ""; before: the words left of it."""

    name: Name
    said_as: str
    before: list[str]


def mention_in(gazetteer: Gazetteer, words: Sequence[str]) -> Mention | None:
    """The longest known name at the end of a part."""
    if not words:
        return None
    named = _longest(gazetteer, words)
    said_as = ""
    if named is None and words[-1] in _SUFFIXES:
        said_as = _SUFFIXES[words[-1]]
        words = words[:-1]
        named = _longest(gazetteer, words)
    if named is None:
        return None
    name, size = named
    before = list(words[: len(words) - size])
    prefix = _PREFIXES.get((before[-2], before[-1])) if len(before) > 1 else None
    if prefix is not None:
        return Mention(name, prefix, before[:-2])
    if before and before[-1] in BINDING_WORDS:
        return None
    return Mention(name, said_as, before)


def _longest(gazetteer: Gazetteer, words: Sequence[str]) -> tuple[Name, int] | None:
    for size in range(min(LONGEST_NAME, len(words)), 0, -1):
        name = gazetteer.names.get(" ".join(words[-size:]))
        if name is not None:
            return name, size
    return None
