"""Reads an address from its end, where the places stand, and tells its city, or nothing where that isn't sure.

What comes first from the right is the wider place: country, province, city. A street, mall or barangay that is named
for a place stands further left and is never asked. A wrong place is worse than none: a client can send coordinates.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from write_side.adapters.address_words import (
    COUNTRY,
    POSTAL_WORDS,
    REMARK_WORDS,
    STREET_WORDS,
    plain,
    segments,
    without_remarks,
)
from write_side.adapters.gazetteer import Gazetteer, Town
from write_side.adapters.mentions import Mention, mention_in
from write_side.domain.place import Place

MOST_SKIPPED: Final = 4
"""Unknown parts between a province and its city: barangay, street, building."""


@dataclass(slots=True)
class Reading:
    """What is known so far.

    parts:     what isn't read yet
    code:      the postal code
    provinces: those that are possible; None: all
    areas:     how many provinces and regions were named
    skipped:   how many unknown parts were passed since
    is_joined: the last part had a province behind these words, with no comma between
    """

    parts: list[list[str]]
    code: str | None = None
    provinces: frozenset[str] | None = None
    areas: int = 0
    skipped: int = 0
    is_joined: bool = False


def place_of(gazetteer: Gazetteer, address: str) -> Place | None:
    """The city where an address lies, with the address's postal code where it has one; None: not sure."""
    text = plain(address)
    found = _read(gazetteer, segments(without_remarks(text))) if "(" in text else None
    return found or _read(gazetteer, segments(text)) or _read_before_street(gazetteer, segments(text))


def _read_before_street(gazetteer: Gazetteer, parts: list[list[str]]) -> Place | None:
    """`Talisay City, Negros Occidental, Lacson St.`: only where city and province stand before the street."""
    if len(parts) < 3 or parts[-1][-1] not in STREET_WORDS:
        return None
    province = mention_in(gazetteer, parts[-2])
    if province is None or not province.name.provinces or not _is_whole(province):
        return None
    return _read(gazetteer, parts[:-1]) if _is_whole(mention_in(gazetteer, parts[-3])) else None


def _read(gazetteer: Gazetteer, parts: list[list[str]]) -> Place | None:
    reading = Reading(parts)
    _drop_remarks(reading.parts)
    town = _town(gazetteer, reading)
    if town is None:
        return None
    return town.place if reading.code is None else replace(town.place, postal_code=reading.code)


def _drop_remarks(parts: list[list[str]]) -> None:
    while len(parts) > 1 and (parts[-1][0] in REMARK_WORDS or _is_telephone(parts[-1])):
        parts.pop()


def _is_telephone(words: list[str]) -> bool:
    return all(word.isdigit() for word in words) and sum(map(len, words)) >= 7


def _town(gazetteer: Gazetteer, reading: Reading) -> Town | None:
    city_of_area: Town | None = None
    while reading.skipped <= MOST_SKIPPED:
        _take_country_and_code(gazetteer, reading)
        if not reading.parts:
            break
        mention = mention_in(gazetteer, reading.parts[-1])
        if mention is not None and _is_area(mention, reading):
            city_of_area = _city_of_area(mention, reading)
            continue
        town = None if mention is None else _chosen(gazetteer, mention, reading)
        if mention is not None and town is not None:
            return _unless_contradicted(gazetteer, town, mention, reading)
        if reading.provinces is None:
            return None
        _skip(reading)
    return _by_code(gazetteer, reading) or _unless_elsewhere(gazetteer, city_of_area, reading.code)


def _skip(reading: Reading) -> None:
    reading.parts.pop()
    reading.skipped += 1
    reading.is_joined = False


def _take_country_and_code(gazetteer: Gazetteer, reading: Reading) -> None:
    """Take country and postal code off the end, in either order: `Makati 1226 Philippines`, `1226 Makati, PH`."""
    parts = reading.parts
    while parts and (_took_country(reading) or _took_code(gazetteer, reading)):
        if not parts[-1]:
            parts.pop()
            reading.is_joined = False
            _drop_remarks(parts)


def _took_country(reading: Reading) -> bool:
    words = reading.parts[-1]
    if reading.provinces is not None or words[-1] not in COUNTRY:
        return False
    words.pop()
    if words == ["republic", "of", "the"]:
        words.clear()
    return True


def _took_code(gazetteer: Gazetteer, reading: Reading) -> bool:
    words = reading.parts[-1]
    if reading.code is not None:
        return False
    if _is_code(words[-1]) and (len(words) > 1 or len(reading.parts) > 1):
        reading.code = words.pop()
        while words and words[-1] in POSTAL_WORDS:
            words.pop()
        return True
    if _is_code(words[0]) and _is_whole(mention_in(gazetteer, words[1:])):
        reading.code = words.pop(0)
        return True
    return False


def _is_code(word: str) -> bool:
    return len(word) == 4 and word.isdigit() and word[0] != "0"


def _is_whole(mention: Mention | None) -> bool:
    return mention is not None and not mention.before


def _is_area(mention: Mention, reading: Reading) -> bool:
    """Whether a name is said as a province or region here: it narrows what is known (`Quezon` in `Quezon, Calabarzon`).

    Where it narrows nothing more it is the city of that name: `Tarlac, Tarlac`, `Quezon, Bukidnon`.
    """
    provinces = mention.name.provinces
    if not provinces or mention.said_as in {"city", "town"}:
        return False
    if reading.provinces is None or mention.said_as == "province":
        return True
    both = provinces & reading.provinces
    return bool(both) and (both != reading.provinces or not _fitting(mention, reading))


def _city_of_area(mention: Mention, reading: Reading) -> Town | None:
    """Note an area. returns: the city that is meant where a bare area follows a street: `J.P. Laurel Ave, Davao`."""
    known = reading.provinces
    narrowed = mention.name.provinces if known is None else mention.name.provinces & known
    reading.areas += 1
    if not narrowed:
        _skip(reading)
        return None
    reading.provinces = narrowed
    reading.is_joined = bool(mention.before)
    if mention.before:
        reading.parts[-1] = mention.before
    else:
        reading.parts.pop()
    if reading.areas > 1 or mention.said_as or not reading.parts or reading.parts[-1][-1] not in STREET_WORDS:
        return None
    return next((town for town in mention.name.towns if town.is_alone and town.is_city), None)


def _fitting(mention: Mention, reading: Reading) -> list[Town]:
    return [
        town
        for town in mention.name.towns
        if (reading.provinces is None or town.place.province in reading.provinces)
        and (town.is_city or mention.said_as != "city" or reading.provinces is not None)
        and (not town.is_city or mention.said_as != "town")
        and mention.said_as != "province"
    ]


def _chosen(gazetteer: Gazetteer, mention: Mention, reading: Reading) -> Town | None:
    """The one town that a mention can mean, if it is sure enough."""
    towns = _fitting(mention, reading)
    if len(towns) > 1:
        towns = _by_preference(towns, mention, reading)
    if len(towns) != 1:
        return None
    town = towns[0]
    is_told_by_code = reading.code is not None and reading.code in town.codes
    is_backed = reading.provinces is not None or is_told_by_code
    if not is_backed and _is_elsewhere(gazetteer, town, reading.code):
        return None
    return town if _is_sure(town, mention, reading, is_backed=is_backed) else None


def _is_sure(town: Town, mention: Mention, reading: Reading, *, is_backed: bool) -> bool:
    """Whether a name at this place of the address is the town's, not that of a street, a barangay or a shop.

    is_backed: the province or the postal code agrees
    """
    is_told = town.is_alone or (town.is_city and mention.said_as == "city")
    is_whole = not mention.before
    if reading.skipped:
        return is_told or (town.is_city and is_whole)
    if is_told or not is_backed:
        return is_told
    follows_street = not is_whole and (mention.before[-1] in STREET_WORDS or mention.before[-1].isdigit())
    return is_whole or town.is_city or follows_street or reading.is_joined


def _by_preference(towns: list[Town], mention: Mention, reading: Reading) -> list[Town]:
    """Those of several towns with one name that the postal code tells, or "City", or that are far better known."""
    by_code = [town for town in towns if reading.code in town.codes]
    if by_code:
        return by_code
    cities = [town for town in towns if town.is_city]
    if mention.said_as == "city" and len(cities) == 1:
        return cities
    return [town for town in towns if town.is_alone] if reading.provinces is None else towns


def _is_elsewhere(gazetteer: Gazetteer, town: Town, code: str | None) -> bool:
    """Whether a postal code that we know belongs to other provinces only."""
    having = gazetteer.by_code.get(code or "", ())
    return bool(having) and all(other.place.province != town.place.province for other in having)


def _unless_elsewhere(gazetteer: Gazetteer, town: Town | None, code: str | None) -> Town | None:
    return None if town is None or _is_elsewhere(gazetteer, town, code) else town


def _unless_contradicted(gazetteer: Gazetteer, town: Town, mention: Mention, reading: Reading) -> Town | None:
    """The town; or where the part before names another city of its province, that one for Manila, else None.

    People say Manila for all of the capital region: `Ayala Avenue, Makati, Manila`. Where `Mandaue City, Cebu City`
    lies is anybody's guess.
    """
    left = mention.before or (reading.parts[-2] if len(reading.parts) > 1 else [])
    other = mention_in(gazetteer, left)
    if other is None or (other.name.provinces and other.said_as != "city"):
        return town
    near = Reading([left], provinces=frozenset({town.place.province}))
    others = [each for each in _fitting(other, near) if each.place.city != town.place.city and each.is_city]
    if len(others) != 1 or (other.before and other.before[-1] not in STREET_WORDS):
        return town
    if town.place.city == "Manila" and (others[0].is_alone or other.said_as == "city"):
        return others[0]
    is_clash = other.said_as == "city" and not other.before and len(_fitting(other, near)) == 1
    return None if is_clash else town


def _by_code(gazetteer: Gazetteer, reading: Reading) -> Town | None:
    """The one town of the known provinces that has the postal code: `Balibago, Laguna 4026`."""
    having = gazetteer.by_code.get(reading.code or "", ())
    within = [town for town in having if reading.provinces and town.place.province in reading.provinces]
    return within[0] if len(within) == 1 else None
