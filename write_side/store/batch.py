"""Many commands as the arrays that one call of `es.append` takes. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from eventsourcing.domain import DomainEvent

    from write_side.events.codec import Codec
    from write_side.ports import Submission

Row: TypeAlias = tuple[object, ...]

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


@dataclass(frozen=True, slots=True)
class Encoded:
    """One command as rows of the arrays of es.append, but for its number in the batch."""

    command: Row
    events: tuple[Row, ...]
    claims: tuple[Row, ...]
    keys: tuple[Row, ...]


def encoded(submission: Submission, codec: Codec) -> Encoded:
    """The rows of one command. raises: TypeError where an event or the answer holds what JSON can't."""
    origin, changes = submission.origin, submission.changes
    party = "" if changes is None else str(changes.party)
    command = (submission.command_id, party, origin.correlation_id, origin.actor, submission.position)
    keys: tuple[Row, ...] = ()
    if origin.key is not None:
        answer = orjson.dumps({"data": submission.data, "ignored": submission.ignored}).decode()
        keys = ((origin.key.scope, origin.key.key, origin.key.fingerprint, answer),)
    if changes is None:
        return Encoded(command, (), (), keys)
    claims = tuple((claim.scope, claim.key, claim.owner) for claim in changes.claims)
    return Encoded(command, tuple(_event_row(event, codec) for event in changes.events), claims, keys)


def _event_row(event: DomainEvent, codec: Codec) -> Row:
    stored = codec.encode(event)
    return (stored.originator_id, stored.originator_version, stored.topic, stored.state, event.timestamp)


def arguments_of(batch: Sequence[Encoded]) -> tuple[list[object], ...]:
    """The twenty arrays of es.append, column by column; commands are numbered from 1."""
    numbered = list(enumerate(batch, start=1))
    return (
        *_turned([one.command for one in batch], 5),
        *_turned([(number, *row) for number, one in numbered for row in one.events], 6),
        *_turned([(number, *row) for number, one in numbered for row in one.claims], 4),
        *_turned([(number, *row) for number, one in numbered for row in one.keys], 5),
    )


def _turned(rows: list[Row], width: int) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(width)]
