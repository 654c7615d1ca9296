"""Commands become the arrays of es.append, and say what they touch."""

from __future__ import annotations

from uuid import UUID

import orjson
import pytest

from tests.support.builders import CODEC, PARTY, evse_registered, evse_status_changed
from write_side.domain.changes import Changes, Claim
from write_side.events.ranges import Position
from write_side.ports import IdempotencyKey, Origin, Submission
from write_side.store.batch import APPEND, arguments_of, encoded, touched_by

KEY = IdempotencyKey("cpo:PH/ABC PATCH /there", "k1", b"\x01" * 32)


def submission(
    number: int, changes: Changes | None, key: IdempotencyKey | None = None, data: object = "S"
) -> Submission:
    return Submission(UUID(int=number), Origin(f"r{number}", "cpo:PH/ABC", key), changes, data, ("a.b",), Position(5))


def test_a_batch_becomes_columns_that_name_their_command() -> None:
    one, two = evse_registered("A1"), evse_status_changed("CHARGING", "B1")
    batch = [
        submission(1, Changes(PARTY, (one,), (Claim("evse_of/1", "1", "owner"),))),
        submission(2, None, KEY, {"status": ["é"]}),
        submission(3, Changes(PARTY, (two, one))),
    ]
    columns = arguments_of([encoded(each, CODEC) for each in batch])
    assert f"${len(columns)})" in APPEND
    commands, events, claims, keys = columns[:5], columns[5:11], columns[11:15], columns[15:]
    assert commands == (
        [UUID(int=1), UUID(int=2), UUID(int=3)],
        ["PH/ABC", "", "PH/ABC"],
        ["r1", "r2", "r3"],
        ["cpo:PH/ABC"] * 3,
        [5, 5, 5],
    )
    stored = [CODEC.encode(event) for event in (one, two, one)]
    assert events == (
        [1, 3, 3],
        [each.originator_id for each in stored],
        [1, 2, 1],
        ["evse.registered", "evse.status_changed", "evse.registered"],
        [each.state for each in stored],
        [one.timestamp, two.timestamp, one.timestamp],
    )
    assert claims == ([1], ["evse_of/1"], ["1"], ["owner"])
    assert keys[:4] == ([2], [KEY.scope], ["k1"], [KEY.fingerprint])
    assert [orjson.loads(str(answer)) for answer in keys[4]] == [{"data": {"status": ["é"]}, "ignored": ["a.b"]}]


def test_a_batch_without_events_has_as_many_columns() -> None:
    columns = arguments_of([encoded(submission(1, None), CODEC)])
    assert [len(column) for column in columns] == [1] * 5 + [0] * 15


def test_what_json_can_not_hold_is_told_to_the_sender() -> None:
    with pytest.raises(TypeError):
        encoded(submission(1, None, KEY, "\ud800"), CODEC)
    with pytest.raises(TypeError):
        encoded(submission(1, Changes(PARTY, (evse_registered("A1", floor_level="\ud800"),))), CODEC)


def test_a_command_touches_its_streams_claims_and_key() -> None:
    event = evse_registered("A1")
    changes = Changes(PARTY, (event,), (Claim("evse_of/1", "1", "owner"),))
    assert set(touched_by(submission(1, changes, KEY))) == {
        event.originator_id,
        ("evse_of/1", "1"),
        (KEY.scope, KEY.key),
    }
    assert set(touched_by(submission(1, None))) == set()
