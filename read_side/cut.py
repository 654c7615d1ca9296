"""Cuts stored documents to what a query selects: closures made once per plan, that only copy keys. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from ocpi.codes import REMOVED
from read_side.fields import EVSES, FIELDS, Field
from read_side.selection import TYPENAME, Fragments, Includes, Selected, collected

Document: TypeAlias = dict[str, Any]
Cut: TypeAlias = Callable[[Document], Document]
Answer: TypeAlias = Callable[[Any], Any]
"""What a key of a document becomes in the answer."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What an answer takes of a root field's documents.

    keys: of the document, top level; own, public: the cut for the owning CPO and for everybody else
    """

    keys: frozenset[str]
    own: Cut
    public: Cut


def shape_of(selected: Selected, type_name: str, fragments: Fragments, includes: Includes) -> Shape:
    """How to cut documents of this type to what stands below a root field."""
    fields = collected(selected.sets(), fragments, includes)
    return Shape(
        keys=frozenset(FIELDS[type_name][one.name].key for one in fields if one.name != TYPENAME),
        own=_Cutter(fragments, includes, is_owner=True).cut(fields, type_name),
        public=_Cutter(fragments, includes, is_owner=False).cut(fields, type_name),
    )


@dataclass(frozen=True, slots=True)
class _Cutter:
    fragments: Fragments
    includes: Includes
    is_owner: bool

    def cut(self, fields: Sequence[Selected], type_name: str) -> Cut:
        parts = [self._part(selected, type_name) for selected in fields]
        if all(answer is None for _, _, answer in parts):
            pairs = [(name, key) for name, key, _ in parts]
            return lambda document: {name: document.get(key) for name, key in pairs}
        return lambda document: {
            name: document.get(key) if answer is None else answer(document.get(key)) for name, key, answer in parts
        }

    def _part(self, selected: Selected, type_name: str) -> tuple[str, str, Answer | None]:
        if selected.name == TYPENAME:
            return selected.key, "", lambda _value: type_name
        field = FIELDS[type_name][selected.name]
        if field.is_owners_only and not self.is_owner:
            return selected.key, "", lambda _value: None
        if field.of is None:
            return selected.key, field.key, None
        below = self.cut(collected(selected.sets(), self.fragments, self.includes), field.of)
        return selected.key, field.key, self._nested(field, below)

    def _nested(self, field: Field, cut: Cut) -> Answer:
        if not field.is_list:
            return lambda document: None if document is None else cut(document)
        if field.key == EVSES and not self.is_owner:
            return lambda items: [cut(item) for item in items if item["status"] != REMOVED]
        return lambda items: None if items is None else [cut(item) for item in items]
