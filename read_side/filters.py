"""The arguments of a root field, understood: a filter, or an error that names the argument (contract §5). Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import combinations, product
from math import isfinite
from typing import Any, Final, TypeAlias

from ocpi import codes
from ocpi.facets import EVSE_LISTS, FACETS, PAIRS
from ocpi.identifiers import folded
from read_side.errors import BadUserInput
from read_side.geo import chord_of, unit_point

DEFAULT_LIMIT: Final = 10
MAX_POSITION: Final = 2**63 - 1
MAX_TEXT: Final = 255
"""No name is longer (contract §1 "Values"), so no longer one can be found."""

LISTS_OF_LOCATION: Final = (codes.FACILITIES, codes.PARKING_TYPES, codes.PARKING_RESTRICTIONS)
KNOWN_OF_EVSE: Final[tuple[Collection[str] | codes.CodeList, ...]] = (
    codes.CAPABILITIES,
    codes.PAYMENT_TYPES,
    codes.CONNECTOR_TYPES,
    codes.ACCEPTED_POWER_TYPES,
)
"""What each of EVSE_LISTS may hold."""

Arguments: TypeAlias = Mapping[str, Any]
"""The arguments of a field as GraphQL's types coerced them: an Int is an int, a list a list, null None."""


@dataclass(frozen=True, slots=True)
class Page:
    """Which of the answers. limit: [0, cap + 1]: the one more tells that there are more than the cap.

    cap: None where the client's own limit holds. after: id or uid that was seen last.
    """

    limit: int
    offset: int = 0
    cap: int | None = None
    after: int | str | None = None


@dataclass(frozen=True, slots=True)
class Near:
    """Nearest first. point: on the unit sphere; chord: the radius, None for all the earth."""

    point: tuple[float, float, float]
    chord: float | None


@dataclass(frozen=True, slots=True)
class EvseWanted:
    """What one and the same EVSE must have, where no facet says it: one of each list that is not empty.

    connectors: `standard/power` words of evse_view, one connector each.
    """

    capabilities: tuple[str, ...] = ()
    payment_types: tuple[str, ...] = ()
    connectors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OwnEvses:
    """`evse`. contains: folded part of the location's name."""

    page: Page
    contains: str | None
    is_by_location: bool
    is_descending: bool


@dataclass(frozen=True, slots=True)
class OwnLocations:
    """`locations`."""

    page: Page


@dataclass(frozen=True, slots=True)
class OneLocation:
    """`location`. location_id: None where the client names none, which is no location."""

    location_id: int | None


@dataclass(frozen=True, slots=True)
class LocationAsOf:
    """`location` with `as_of`: as it was then."""

    location_id: int | None
    moment: datetime


@dataclass(frozen=True, slots=True)
class LocationHistory:
    """`location_history`. page.after: the position that was seen last."""

    location_id: int | None
    page: Page


@dataclass(frozen=True, slots=True)
class PublicLocations:
    """`find_ev_locations` and `find_ev_filter_locations`. any_of: facets (`ocpi.facets`), one of each tuple."""

    page: Page
    near: Near | None = None
    city_key: str | None = None
    province_key: str | None = None
    any_of: tuple[tuple[int, ...], ...] = ()
    evse: EvseWanted = EvseWanted()


Filter: TypeAlias = OwnEvses | OwnLocations | OneLocation | LocationAsOf | LocationHistory | PublicLocations


def understood(field: str, arguments: Arguments, *, cap: int) -> Filter:
    """What a root field with these arguments asks for. cap: most answers of one field.

    raises: BadUserInput, naming the argument
    """
    return _UNDERSTAND[field](arguments, cap)


def _own_evses(arguments: Arguments, cap: int) -> OwnEvses:
    order_by = _one_of(arguments, "order_by", ("date_created", "location"))
    order = _one_of(arguments, "order", ("ASC", "DESC"))
    contains = _text(arguments, "location_name")
    return OwnEvses(
        page=_page(arguments, cap, default=DEFAULT_LIMIT, after=_text(arguments, "after")),
        contains=contains,
        is_by_location=order_by == "location",
        is_descending=order == "DESC",
    )


def _own_locations(arguments: Arguments, cap: int) -> OwnLocations:
    return OwnLocations(_page(arguments, cap, default=DEFAULT_LIMIT, after=arguments.get("after")))


def _one_location(arguments: Arguments, _cap: int) -> OneLocation | LocationAsOf:
    moment = _moment(arguments, "as_of")
    return OneLocation(arguments.get("id")) if moment is None else LocationAsOf(arguments.get("id"), moment)


def _location_history(arguments: Arguments, cap: int) -> LocationHistory:
    page = _page(arguments, cap, default=DEFAULT_LIMIT, after=_position(arguments, "after"))
    return LocationHistory(arguments.get("id"), page)


def _public_locations(arguments: Arguments, cap: int) -> PublicLocations:
    return PublicLocations(_page(arguments, cap, default=None, after=arguments.get("after")))


def _filtered_locations(arguments: Arguments, cap: int) -> PublicLocations:
    of_location = {known.name: _codes(arguments, known.name, known) for known in LISTS_OF_LOCATION}
    of_evse = {name: _codes(arguments, name, known) for name, known in zip(EVSE_LISTS, KNOWN_OF_EVSE, strict=True)}
    any_of = [tuple(FACETS[kind, code] for code in wanted) for kind, wanted in of_location.items()]
    any_of += _facets_of_evse({kind: wanted for kind, wanted in of_evse.items() if wanted})
    return PublicLocations(
        page=_page(arguments, cap, default=None, after=None),
        near=_near(arguments),
        city_key=_text(arguments, "city"),
        province_key=_text(arguments, "province"),
        any_of=tuple(facets for facets in any_of if facets),
        evse=_evse_wanted(of_evse),
    )


def _facets_of_evse(asked: Mapping[str, tuple[str, ...]]) -> list[tuple[int, ...]]:
    """Those of one list; of several lists those of each two, which an EVSE has only where both are its own."""
    if len(asked) == 1:
        return [tuple(FACETS[kind, code] for kind, wanted in asked.items() for code in wanted)]
    return [
        tuple(PAIRS[kinds, one, other] for one, other in product(asked[kinds[0]], asked[kinds[1]]))
        for kinds in combinations(asked, 2)
    ]


def _evse_wanted(of_evse: Mapping[str, tuple[str, ...]]) -> EvseWanted:
    """What facets leave open: three lists may be met in pairs by three EVSEs."""
    if sum(map(bool, of_evse.values())) < 3:
        return EvseWanted()
    return EvseWanted(
        of_evse["capabilities"],
        of_evse["payment_types"],
        _connector_words(of_evse["connector_types"], of_evse["power_types"]),
    )


def _page(arguments: Arguments, cap: int, *, default: int | None, after: int | str | None) -> Page:
    limit = arguments.get("limit")
    limit = default if limit is None else _not_negative("limit", limit)
    offset = _not_negative("offset", arguments.get("offset") or 0)
    if limit is None or limit > cap:
        return Page(cap + 1, offset, cap, after)
    return Page(limit, offset, None, after)


def _not_negative(name: str, value: int) -> int:
    if value < 0:
        raise BadUserInput(f"{name}: must not be negative")
    return value


def _moment(arguments: Arguments, name: str) -> datetime | None:
    """In UTC."""
    text = arguments.get(name)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        """As one without an offset."""
    raise BadUserInput(f"{name}: must be ISO 8601 with an offset from UTC, as in 2026-11-23T01:02:03Z")


def _position(arguments: Arguments, name: str) -> int | None:
    text = arguments.get(name)
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < MAX_TEXT and int(text) <= MAX_POSITION):
        raise BadUserInput(f"{name}: must be a position")
    return int(text)


def _text(arguments: Arguments, name: str) -> str | None:
    """The folded text, None for one that doesn't filter."""
    text = arguments.get(name)
    if not text:
        return None
    if len(text) > MAX_TEXT:
        raise BadUserInput(f"{name}: must not be longer than {MAX_TEXT} characters")
    if any(_is_no_text(character) for character in text):
        raise BadUserInput(f"{name}: must not hold control characters or lone surrogates")
    return folded(text)


def _is_no_text(character: str) -> bool:
    return character < " " or character == "\x7f" or "\ud800" <= character <= "\udfff"


def _one_of(arguments: Arguments, name: str, allowed: tuple[str, ...]) -> str:
    value = arguments.get(name) or allowed[0]
    for known in allowed:
        if folded(value) == folded(known):
            return known
    raise BadUserInput(f"{name}: must be one of {', '.join(allowed)}")


def _codes(arguments: Arguments, name: str, known: Collection[str] | codes.CodeList) -> tuple[str, ...]:
    """The codes asked for, each once; null and "" among them do not filter."""
    given = [code for code in arguments.get(name) or () if code]
    for code in given:
        # Tartiflette takes a variable of any type inside a list.
        if not isinstance(code, str) or code not in known:
            raise BadUserInput(f"{name}: {_shortened(code)} is no code of this list")
    return tuple(dict.fromkeys(given))


def _shortened(code: object) -> str:
    text = code if isinstance(code, str) else str(code)
    return repr(text if len(text) <= 40 else f"{text[:40]}…")


def _connector_words(standards: tuple[str, ...], powers: tuple[str, ...]) -> tuple[str, ...]:
    if not standards and not powers:
        return ()
    return tuple(f"{standard}/{power}" for standard in standards or ("*",) for power in powers or ("*",))


def _near(arguments: Arguments) -> Near | None:
    lat, lng = arguments.get("lat"), arguments.get("lng")
    distance_km = arguments.get("distance") or None
    _check_distance(distance_km)
    if lat is None and lng is None:
        if distance_km is not None:
            raise BadUserInput("distance: needs lat and lng")
        return None
    if lat is None or lng is None:
        given, missing = ("lng", "lat") if lat is None else ("lat", "lng")
        raise BadUserInput(f"{given}: needs {missing}")
    _check_degrees("lat", lat, 90)
    _check_degrees("lng", lng, 180)
    return Near(unit_point(lat, lng), None if distance_km is None else chord_of(distance_km))


def _check_distance(distance_km: float | None) -> None:
    if distance_km is None:
        return
    if not isfinite(distance_km):
        raise BadUserInput("distance: must be a finite number")
    if distance_km < 0:
        raise BadUserInput("distance: must not be negative")


def _check_degrees(name: str, value: float, most: int) -> None:
    if not -most <= value <= most:
        raise BadUserInput(f"{name}: must lie within ±{most}")


_UNDERSTAND: Final[dict[str, Callable[[Arguments, int], Filter]]] = {
    "evse": _own_evses,
    "evses": _own_evses,
    "locations": _own_locations,
    "location": _one_location,
    "location_history": _location_history,
    "find_ev_locations": _public_locations,
    "find_ev_filter_locations": _filtered_locations,
}
