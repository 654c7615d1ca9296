"""Many commands as the arrays that one call of `es.append` takes. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from write_side.domain.changes import Changes
    from write_side.events.codec import Codec
    from write_side.ports import Submission

APPEND: Final = """
    select command, outcome, pos
      from es.append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)
"""


def touched_by(submission: Submission) -> Iterator[object]:
    """Everything that two commands of one batch may not share: streams, claims, the idempotency key."""
    if submission.origin.key is not None:
        yield (submission.origin.key.scope, submission.origin.key.key)
    if submission.changes is not None:
        for event in submission.changes.events:
            yield event.originator_id
        for claim in submission.changes.claims:
            yield claim.scope, claim.key


def arguments_of(batch: Sequence[Submission], codec: Codec) -> tuple[list[object], ...]:
    """The twenty arrays of es.append, column by column."""
    columns = _Columns()
    for number, submission in enumerate(batch, start=1):
        columns.add(number, submission, codec)
    return (
        *_turned(columns.commands, 5),
        *_turned(columns.events, 6),
        *_turned(columns.claims, 4),
        *_turned(columns.keys, 5),
    )


def _turned(rows: list[tuple[object, ...]], width: int) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(width)]


@dataclass(slots=True)
class _Columns:
    commands: list[tuple[object, ...]] = field(default_factory=list)
    events: list[tuple[object, ...]] = field(default_factory=list)
    claims: list[tuple[object, ...]] = field(default_factory=list)
    keys: list[tuple[object, ...]] = field(default_factory=list)

    def add(self, number: int, submission: Submission, codec: Codec) -> None:
        origin, changes = submission.origin, submission.changes
        party = "" if changes is None else str(changes.party)
        self.commands.append((submission.command_id, party, origin.correlation_id, origin.actor, submission.position))
        if changes is not None:
            self._add_changes(number, changes, codec)
        if origin.key is not None:
            answer = orjson.dumps({"data": submission.data, "ignored": submission.ignored}).decode()
            self.keys.append((number, origin.key.scope, origin.key.key, origin.key.fingerprint, answer))

    def _add_changes(self, number: int, changes: Changes, codec: Codec) -> None:
        for event in changes.events:
            stored = codec.encode(event)
            self.events.append(
                (
                    number,
                    stored.originator_id,
                    stored.originator_version,
                    stored.topic,
                    stored.state,
                    event.timestamp,
                )
            )
        self.claims += [(number, claim.scope, claim.key, claim.owner) for claim in changes.claims]
