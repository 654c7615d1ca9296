"""Root fields → JSON: rows of the views, cut to what is selected, from the cache of fragments where it has them.

While few fragments of a selection are known, one statement brings rows with their documents. Once most are, it brings
keys and revisions alone, and a second one, by primary key, the documents that are missing; should one of them have
changed in between, all are asked for anew, so that an answer always is of one state of the views.

Equal root fields of the same caller that are read at once are read together. And while the views stay where they are,
so does the whole answer of a root field: then it is asked, for all requests at once, whether they do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias, TypeVar

import orjson

from read_side.answers import Answers
from read_side.documents import Row, distance_of, is_owners, matches, texts_of
from read_side.documents_sql import documents_of
from read_side.encoding import Cut, Fragment, Shape
from read_side.errors import QueryRefused, Unavailable
from read_side.fields import QUERIES
from read_side.fragments import SHARE_OF_ONE, Fragments
from read_side.parked import of_statements
from read_side.scope import Own
from read_side.selection import Selected
from read_side.sql import Question, Statement, render
from read_side.together import Together
from read_side.views import Views

SLICE_CHARACTERS: Final = 256 * 1024
"""Stored JSON that is cut before others get their turn on the loop: about 1 ms."""

ROWS_OF_A_SLICE: Final = 1_000
"""Rows that are looked up or joined before others get their turn: about 1 ms."""

STATE_S: Final = 1.0
"""How long all may wait for the one question where the views are, before each asks for himself."""

NULL: Final = (b"null",)
Parts: TypeAlias = tuple[bytes, ...]
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Bound:
    """A root field whose statement is ready. Known by its identity."""

    selected: Selected
    shape: Shape
    statement: Statement
    _questions: dict[bool, Question] = field(default_factory=dict)

    def question(self, *, has_documents: bool) -> Question:
        """What asks for its rows: with their documents, or keys and revisions alone. Made once."""
        question = self._questions.get(has_documents)
        if question is None:
            question = render(replace(self.statement, has_documents=has_documents))
            self._questions[has_documents] = question
        return question


@dataclass(frozen=True, slots=True)
class Found:
    """The answer of one root field: JSON in parts, to be joined."""

    parts: Parts
    is_truncated: bool


class _Changed(Exception):
    """A document is no longer what the first statement saw."""


@dataclass(slots=True)
class _Field:
    """One root field on its way. fragments: of its rows, None where not known yet."""

    bound: Bound
    has_documents: bool
    generation: int
    position: int
    rows: Sequence[Row]
    cut: Cut
    is_truncated: bool
    fragments: list[Fragment | None] = field(default_factory=list)

    @property
    def missing(self) -> list[Row]:
        """Rows without a fragment."""
        return [row for row, known in zip(self.rows, self.fragments, strict=True) if known is None]


def _cut_of(bound: Bound, rows: Sequence[Row]) -> Cut:
    """How these rows are seen by their caller; those of a root field that may show others' are one."""
    statement, shape = bound.statement, bound.shape
    is_own = isinstance(statement.scope, Own)
    return shape.own if rows and is_owners(rows[0], statement.filter, is_own=is_own) else shape.public


class Reader:
    """Answers root fields from the views, by way of the cache."""

    def __init__(self, views: Views, fragments: Fragments, answers: Answers) -> None:
        self._views = views
        self._fragments = fragments
        self._answers = answers
        self._together: Together[list[Found | QueryRefused]] = Together()
        self._states: Together[tuple[int, int]] = Together()

    async def read(
        self, bounds: tuple[Bound, ...], *, at_least: int | None, at_most_s: float
    ) -> list[Found | QueryRefused]:
        """What each root field answers, all of one state of the views, or why it answers nothing.

        raises: Unavailable
        """
        if at_least is not None:
            # Who shares a question has his own time to wait.
            await self._views.reach(at_least, at_most_s=at_most_s)
        elif kept := await self._kept(bounds):
            return kept
        return await self._together.ask((bounds, at_least), lambda: self._read(bounds, (at_least, at_most_s)))

    async def _kept(self, bounds: Sequence[Bound]) -> list[Found | QueryRefused] | None:
        """The answers of last time, where the views have not moved since; None where they have, or it isn't known."""
        states = {self._answers.state_of(bound) for bound in bounds}
        state = states.pop()
        if state is None or states or self._views.heard_of > state[1]:
            return None
        try:
            if await self._states.ask("state", self._state) != state:
                return None
        except Unavailable:
            # One session that is dead must not fail everybody: each asks by another.
            return None
        kept = [self._answers.find(bound, state) for bound in bounds]
        return [Found(parts, is_truncated=False) for parts in kept if parts is not None] if all(kept) else None

    async def _state(self) -> tuple[int, int]:
        try:
            async with asyncio.timeout(STATE_S):
                return await self._views.state()
        except TimeoutError:
            raise Unavailable from None

    def _keep(self, one: _Field, found: Found) -> Found:
        if not found.is_truncated:
            self._answers.keep(one.bound, (one.generation, one.position), found.parts)
        return found

    async def _read(self, bounds: Sequence[Bound], wait: tuple[int | None, float]) -> list[Found | QueryRefused]:
        fields = await self._ask(
            bounds, [not (bound.statement.is_of_now and self._fragments.is_warm(bound.shape)) for bound in bounds], wait
        )
        try:
            await self._complete([one for one in fields if isinstance(one, _Field)])
        except _Changed:
            fields = await self._ask(bounds, [True] * len(bounds), wait)
            await self._complete([one for one in fields if isinstance(one, _Field)])
        return [self._keep(one, await _found(one)) if isinstance(one, _Field) else one for one in fields]

    async def _ask(
        self, bounds: Sequence[Bound], have_documents: Sequence[bool], wait: tuple[int | None, float]
    ) -> list[_Field | QueryRefused]:
        """The rows of each root field, with the fragments that are known."""
        asking = list(zip(bounds, have_documents, strict=True))
        questions = [bound.question(has_documents=has_documents) for bound, has_documents in asking]
        concern = of_statements([bound.statement for bound in bounds])
        asked = await self._views.ask(questions, at_least=wait[0], at_most_s=wait[1], concern=concern)
        fields: list[_Field | QueryRefused] = []
        for (bound, has_documents), rows in zip(asking, asked.rows, strict=True):
            try:
                found, is_truncated = matches(rows, bound.statement.filter)
            except QueryRefused as refused:
                fields.append(refused)
                continue
            one = _Field(
                bound, has_documents, asked.generation, asked.position, found, _cut_of(bound, found), is_truncated
            )
            await self._look_up(one)
            fields.append(one)
        return fields

    async def _look_up(self, one: _Field) -> None:
        if not (one.bound.statement.is_of_now and self._fragments.most_bytes):
            one.fragments = [None] * len(one.rows)
            return
        find, cut, generation = self._fragments.find, one.cut, one.generation
        for rows in _sliced(one.rows):
            if one.fragments:
                await asyncio.sleep(0)
            one.fragments += [find(cut, row["id"], generation, row["revision"]) for row in rows]
        if one.rows:
            known = len(one.rows) - one.fragments.count(None)
            self._fragments.tell(one.bound.shape, known / len(one.rows))

    async def _complete(self, fields: Sequence[_Field]) -> None:
        """Cut what the cache did not have. raises: _Changed; Unavailable."""
        incomplete = [one for one in fields if None in one.fragments]
        without = [one for one in incomplete if not one.has_documents]
        documents: dict[int, Mapping[int, Row]] = {}
        if without:
            asked = await self._views.ask([documents_of(one.bound.statement, one.missing) for one in without])
            for one, rows in zip(without, asked.rows, strict=True):
                if asked.generation != one.generation:
                    raise _Changed
                documents[id(one)] = {row["id"]: row for row in rows}
        for one in incomplete:
            await self._cut(one, documents.get(id(one)))

    async def _cut(self, one: _Field, documents: Mapping[int, Row] | None) -> None:
        room = self._fragments.most_bytes // SHARE_OF_ONE if one.bound.statement.is_of_now else 0
        size = 0
        for place, row in enumerate(one.rows):
            if one.fragments[place] is not None:
                continue
            full = row if documents is None else documents.get(row["id"])
            if full is None or full["revision"] != row["revision"]:
                raise _Changed
            document, beside = texts_of(full, one.bound.statement.filter)
            one.fragments[place] = fragment = one.cut.encode(document, beside)
            if room > 0:
                room -= self._fragments.keep(one.cut, row["id"], (one.generation, row["revision"]), fragment)
            size += len(document) + len(beside or "")
            if size > SLICE_CHARACTERS:
                size = 0
                await asyncio.sleep(0)


async def _found(one: _Field) -> Found:
    parts: list[bytes] = []
    for pairs in _sliced(list(zip(one.rows, one.fragments, strict=True))):
        if parts:
            await asyncio.sleep(0)
        objects = [
            fragment[0] if len(fragment) == 1 else orjson.dumps(distance_of(row)).join(fragment)
            for row, fragment in pairs
            if fragment is not None
        ]
        parts += (b",".join(objects), b",")
    if QUERIES[one.bound.selected.name].is_list:
        return Found((b"[", *parts[:-1], b"]"), one.is_truncated)
    return Found(tuple(parts[:1]) if one.rows else NULL, one.is_truncated)


def _sliced(items: Sequence[_T]) -> Iterator[Sequence[_T]]:
    """Slices, between which others get their turns on the loop."""
    return (items[start : start + ROWS_OF_A_SLICE] for start in range(0, len(items), ROWS_OF_A_SLICE))
