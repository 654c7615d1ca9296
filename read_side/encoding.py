"""Stored JSON → JSON of what is selected of it: functions made once per selection, whatever texts select it. Pure.

What is selected whole, in stored order, is copied. Any other selection under its own names is cut by structs that read
nothing but what is selected, and keep scalars as they are written; the rest by dictionaries (`cut`), at a third of the
speed (docs/decisions/0018).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, TypeAlias

import msgspec
import orjson

from ocpi.codes import REMOVED
from read_side.cut import GAP, Node, Tree, dictionary_cut
from read_side.fields import DISTANCE, EVSES, FIELDS, LOCATION_OF_EVSE
from read_side.selection import TYPENAME

Fragment: TypeAlias = tuple[bytes, ...]
"""JSON of one document as selected, in pieces: between them comes the distance, as often as it is selected."""

Encode: TypeAlias = Callable[[str, str | None], Fragment]
"""(document, what is stored beside it) → its fragment. Beside: the EVSEs of a location, the location of an EVSE."""

BESIDE: Final = {"LOCATIONS": EVSES, "EVSE": LOCATION_OF_EVSE}
"""The key of what a document of this type has in a text of its own."""

STATUS: Final = "status"
REMOVED_TEXT: Final = f'"{REMOVED}"'
KEPT_SHAPES: Final = 1_000
NULL: Final = msgspec.Raw(b"null")
_GAP: Final = msgspec.Raw(GAP)


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """One way to encode documents. Known by its identity: equal selections have the same, as long as it is kept."""

    encode: Encode


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Shape:
    """What an answer takes of a root field's documents.

    keys: of the document, top level; own, public: for the owning CPO and for everybody else; one where both see alike
    """

    keys: frozenset[str]
    own: Cut
    public: Cut


@lru_cache(maxsize=KEPT_SHAPES)
def shape_of(tree: Tree, type_name: str) -> Shape:
    """How documents of this type are cut to that selection."""
    own = Cut(_encoder(tree, type_name, is_owner=True))
    public = Cut(_encoder(tree, type_name, is_owner=False)) if _differs(tree, type_name) else own
    keys = frozenset(FIELDS[type_name][node.name].key for node in tree if node.name != TYPENAME)
    return Shape(keys, own, public)


def _differs(tree: Tree, type_name: str) -> bool:
    """Whether the owner sees something else than everybody."""
    for node in tree:
        if node.name == TYPENAME:
            continue
        field = FIELDS[type_name][node.name]
        if field.is_owners_only or field.key == EVSES:
            return True
        if field.of is not None and node.below is not None and _differs(node.below, field.of):
            return True
    return False


def _encoder(tree: Tree, type_name: str, *, is_owner: bool) -> Encode:
    if not (_keeps_names(tree, type_name) and (is_owner or type_name == "LOCATIONS")):
        return _by_dictionaries(tree, type_name, is_owner=is_owner)
    if type_name in BESIDE and _is_as_stored(tree, type_name):
        return _by_joining(tree, type_name, is_owner=is_owner)
    return _by_structs(tree, type_name, is_owner=is_owner)


def _by_dictionaries(tree: Tree, type_name: str, *, is_owner: bool) -> Encode:
    cut = dictionary_cut(tree, type_name, is_owner=is_owner)
    beside = BESIDE.get(type_name, "")

    def encode(stored: str, stored_beside: str | None) -> Fragment:
        document = orjson.loads(stored)
        if stored_beside is not None:
            document[beside] = orjson.loads(stored_beside)
        return tuple(orjson.dumps(cut(document)).split(GAP))

    return encode


def _keeps_names(tree: Tree, type_name: str) -> bool:
    """Whether every key is its field's own, so that what is read under a name is written under it."""
    known = FIELDS[type_name]
    for node in tree:
        if node.name == TYPENAME:
            if node.key in known or node.key == DISTANCE:
                return False
            continue
        field = known[node.name]
        if node.key != field.key:
            return False
        if field.of is not None and node.below is not None and not _keeps_names(node.below, field.of):
            return False
    return True


_encode: Final = msgspec.json.Encoder().encode


def _by_structs(tree: Tree, type_name: str, *, is_owner: bool) -> Encode:
    beside = BESIDE.get(type_name, "")
    names = _names(tree)
    decode = msgspec.json.Decoder(_struct(tree, type_name)).decode
    distance, name_beside = names.get(DISTANCE), names.get(beside)
    read_beside = _reader_beside(tree, type_name, is_owner=is_owner)

    def encode(stored: str, stored_beside: str | None) -> Fragment:
        document = decode(stored)
        if name_beside is not None and stored_beside is not None:
            setattr(document, name_beside, read_beside(stored_beside))
        if distance is None:
            return (_encode(document),)
        setattr(document, distance, _GAP)
        return tuple(_encode(document).split(GAP))

    return encode


def _by_joining(tree: Tree, type_name: str, *, is_owner: bool) -> Encode:
    """Of what is selected whole: the text as it is stored, with the gap and what is beside it behind."""
    text_beside = _text_beside(tree, type_name, is_owner=is_owner)
    begins = f',"{BESIDE[type_name]}":'
    gap = f',"{DISTANCE}":' if DISTANCE in FIELDS[type_name] else None

    def encode(stored: str, stored_beside: str | None) -> Fragment:
        rest = f"{begins}{'null' if stored_beside is None else text_beside(stored_beside)}}}"
        if gap is None:
            return (f"{stored[:-1]}{rest}".encode(),)
        return f"{stored[:-1]}{gap}".encode(), rest.encode()

    return encode


def _text_beside(tree: Tree, type_name: str, *, is_owner: bool) -> Callable[[str], str]:
    """As `_reader_beside`, and written again."""
    read = _reader_beside(tree, type_name, is_owner=is_owner)
    return str if read is _as_it_is else lambda stored: _encode(read(stored)).decode()


def _as_it_is(stored: str) -> msgspec.Raw:
    return msgspec.Raw(stored.encode())


def _reader_beside(tree: Tree, type_name: str, *, is_owner: bool) -> Callable[[str], Any]:
    beside = BESIDE.get(type_name, "")
    below = next((node.below for node in tree if node.name == beside), None)
    if below is None:
        return lambda _stored: NULL
    of = FIELDS[type_name][beside].of or ""
    if (is_owner or type_name == "EVSE") and _is_as_stored(below, of):
        return _as_it_is
    if type_name == "EVSE":
        return msgspec.json.Decoder(_struct(below, of)).decode
    if is_owner:
        return msgspec.json.Decoder(list[_struct(below, of)]).decode  # type: ignore[misc] # made at run time
    return _public_evses(below, of)


def _public_evses(tree: Tree, type_name: str) -> Callable[[str], list[Any]]:
    """EVSEs as everybody sees them: without the REMOVED ones, and without what is the owner's only."""
    names = _names(tree)
    is_status_selected = STATUS in names
    status = names.get(STATUS, f"f{len(tree)}")
    hidden = [names[key] for key, one in FIELDS[type_name].items() if one.is_owners_only and key in names]
    decode = msgspec.json.Decoder(list[_struct(tree, type_name, has_status=True)]).decode  # type: ignore[misc]

    def read(stored: str) -> list[Any]:
        evses: list[Any] = decode(stored)
        if REMOVED_TEXT in stored:
            evses = [evse for evse in evses if getattr(evse, status) != REMOVED]
        for evse in evses:
            if not is_status_selected:
                setattr(evse, status, msgspec.UNSET)
            for name in hidden:
                setattr(evse, name, NULL)
        return evses

    return read


def _names(tree: Tree) -> dict[str, str]:
    """The attribute of `_struct` for each key."""
    return {node.key: f"f{place}" for place, node in enumerate(tree)}


def _struct(tree: Tree, type_name: str, *, has_status: bool = False) -> Any:  # noqa: ANN401 - a type made at run time
    """A struct that reads what is selected of one object, and writes it in the order of the query.

    has_status: the status is read as text, and read too where it isn't selected; UNSET then leaves it out
    """
    names = _names(tree)
    fields: list[tuple[str, Any, Any]] = []
    for node in tree:
        name = names[node.key]
        if node.name == TYPENAME:
            fields.append((name, str, type_name))
        elif has_status and node.key == STATUS:
            fields.append((name, str | None, None))
        else:
            fields.append((name, *_typed(node, type_name)))
    if has_status and STATUS not in names:
        names[STATUS] = f"f{len(tree)}"
        fields.append((names[STATUS], str | msgspec.UnsetType, msgspec.UNSET))
    return msgspec.defstruct(type_name, fields, rename={name: key for key, name in names.items()}, gc=False)


def _is_as_stored(tree: Tree, type_name: str) -> bool:
    """Whether the selection is all of such a document in the order in which it is stored, down to its leaves.

    What is stored beside it comes last; what is selected of that is another matter.
    """
    known = FIELDS[type_name]
    if [(node.key, node.name) for node in tree] != [(field.key, name) for name, field in known.items()]:
        return False
    below = ((node.below, known[node.name].of) for node in tree if node.key != BESIDE.get(type_name))
    return all(of is None or nodes is None or _is_as_stored(nodes, of) for nodes, of in below)


def _typed(node: Node, type_name: str) -> tuple[Any, Any]:
    """Type and default of one field. A missing key is null (structs are optional, never empty lists)."""
    one = FIELDS[type_name][node.name]
    if one.of is None or node.below is None or _is_as_stored(node.below, one.of):
        return msgspec.Raw, NULL
    if node.key == BESIDE.get(type_name):
        return msgspec.Raw, NULL
    below = _struct(node.below, one.of)
    return (list[below] if one.is_list else below) | None, None  # type: ignore[valid-type] # made at run time
