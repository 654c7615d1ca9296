"""What a query takes of a document, and the dictionaries that are made of it: closures that only copy keys. Pure.

Cuts any selection there can be. `encoding` has a faster way for most, and gives JSON for all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeAlias

import orjson

from ocpi.codes import REMOVED
from read_side.fields import DISTANCE, EVSES, FIELDS, Field
from read_side.selection import TYPENAME, Fragments, Includes, Selected, collected

Document: TypeAlias = dict[str, Any]
Answer: TypeAlias = Callable[[Any], Any]
"""What a key of a document becomes in the answer."""

GAP: Final = b"\0"
"""Stands in JSON for what differs from request to request. No JSON has such a byte."""


class Node(NamedTuple):
    """One key of an answer. name: the field's; below: what is selected of its objects, None for scalars.

    Equal selections are equal values, whatever texts they come from.
    """

    key: str
    name: str
    below: tuple[Node, ...] | None = None


Tree: TypeAlias = tuple[Node, ...]
"""What is selected of one object, in the answer's order."""


def tree_of(selected: Selected, type_name: str, fragments: Fragments, includes: Includes) -> Tree:
    """What is selected below a field of this type."""
    return tuple(
        Node(one.key, one.name, _below(one, type_name, fragments, includes))
        for one in collected(selected.sets(), fragments, includes)
    )


def _below(selected: Selected, type_name: str, fragments: Fragments, includes: Includes) -> Tree | None:
    of = None if selected.name == TYPENAME else FIELDS[type_name][selected.name].of
    return None if of is None else tree_of(selected, of, fragments, includes)


def dictionary_cut(tree: Tree, type_name: str, *, is_owner: bool) -> Callable[[Document], Document]:
    """A function from a stored document to what is selected of it, for its owner or for everybody else."""
    parts = [_part(node, type_name, is_owner=is_owner) for node in tree]
    if all(answer is None for _, _, answer in parts):
        pairs = [(name, key) for name, key, _ in parts]
        return lambda document: {name: document.get(key) for name, key in pairs}
    return lambda document: {
        name: document.get(key) if answer is None else answer(document.get(key)) for name, key, answer in parts
    }


def _part(node: Node, type_name: str, *, is_owner: bool) -> tuple[str, str, Answer | None]:
    if node.name == TYPENAME:
        return node.key, "", lambda _value: type_name
    field = FIELDS[type_name][node.name]
    if field.is_owners_only and not is_owner:
        return node.key, "", lambda _value: None
    if field.key == DISTANCE:
        return node.key, "", lambda _value: orjson.Fragment(GAP)
    if field.of is None or node.below is None:
        return node.key, field.key, None
    return node.key, field.key, _nested(field, dictionary_cut(node.below, field.of, is_owner=is_owner), is_owner)


def _nested(field: Field, cut: Answer, is_owner: bool) -> Answer:  # noqa: FBT001 - a private word
    if not field.is_list:
        return lambda document: None if document is None else cut(document)
    if field.key == EVSES and not is_owner:
        return lambda items: [cut(item) for item in items if item["status"] != REMOVED]
    return lambda items: None if items is None else [cut(item) for item in items]
