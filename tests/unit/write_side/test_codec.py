"""Every event class, pinned as it stands in the stores of this world: old files never change."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import get_args

import msgspec
import orjson
import pytest
from eventsourcing.persistence import MapperDeserialisationError
from eventsourcing.utils import TopicError
from msgspec.structs import replace

from projections.drawings import Drawings
from projections.projector import draw
from tests.support.builders import (
    CODEC,
    NOON,
    PARTY,
    connector_status_changed,
    cpo_forgotten,
    cpo_logo_changed,
    cpo_password_reset,
    cpo_token_c_rotated,
    evse_registered,
    evse_status_changed,
    location_changed,
    location_registered,
    locations_staged,
    photo_replaced,
    photos_added,
    recorded,
    staged_approved,
    staged_rejected,
)
from write_side.domain import cpo, evse, location
from write_side.events.codec import EVENTS, Codec, Event, NewerEvent
from write_side.events.cpo import CpoForgotten, CpoRegistered, PersonalData
from write_side.events.streams import cpo_stream, evse_stream, location_stream, pending_stream

GOLDEN = Path(__file__).parents[1] / "golden"

SEALED: PersonalData = {"key_id": "00000000-0000-4000-8000-000000000003", "sealed": "c2VhbGVk"}

HISTORY: tuple[Event, ...] = (
    CpoRegistered(
        originator_id=cpo_stream(PARTY),
        originator_version=1,
        timestamp=NOON,
        cpo_owner_id=7,
        country_code="PH",
        party_id="ABC",
        username="María",
        cpo_owner_name="Isla Charge",
        contact=SEALED,
        ocpp_ready=True,
        logo=None,
    ),
    cpo_logo_changed("5d0c2ab1.svg", "Isla Charge.svg"),
    cpo_token_c_rotated(version=3),
    cpo_password_reset(version=4),
    cpo_forgotten(version=5),
    location_registered(),
    location_changed(name="Harbor Mall", publish=False, facilities=["CAFE"]),
    photos_added(5, 6, version=3),
    photo_replaced(5, "7e.jpg", version=4),
    evse_registered(),
    evse_status_changed("CHARGING"),
    connector_status_changed("OUTOFORDER", 2, version=3),
    locations_staged(),
    staged_approved(2),
    staged_rejected(3),
)
"""One event of each class, in an order in which they can happen."""

BY_TOPIC = pytest.mark.parametrize("event", HISTORY, ids=lambda event: event.TOPIC)


def golden(event: Event) -> Path:
    return GOLDEN / f"{event.TOPIC}.v{getattr(event, 'class_version', 1)}.json"


@BY_TOPIC
def test_an_event_is_written_as_it_was_when_it_was_pinned(event: Event) -> None:
    stored = CODEC.encode(event)
    assert stored.topic == event.TOPIC
    assert (stored.originator_id, stored.originator_version) == (event.originator_id, event.originator_version)
    assert stored.state == golden(event).read_bytes().removesuffix(b"\n")


@BY_TOPIC
def test_an_event_is_read_as_it_was_when_it_was_pinned(event: Event) -> None:
    (one,) = recorded([event])
    read = CODEC.decode(replace(one, state=golden(event).read_bytes()))
    assert read == event
    assert type(read) is type(event)
    assert vars(read) == vars(event)


def test_a_registration_of_the_first_version_is_read_with_its_contact_in_clear() -> None:
    (first,) = recorded(HISTORY[:1])
    old = (GOLDEN / "cpo.registered.v1.json").read_bytes()
    event = CODEC.decode(msgspec.structs.replace(first, state=old))
    clear = {"name": "María Santos", "number": "+639171234567", "email": "maria@isla.example"}
    assert isinstance(event, CpoRegistered)
    assert event.contact == {"clear": clear}
    assert dataclasses.replace(event, contact=SEALED) == HISTORY[0]


def test_every_class_is_pinned_here() -> None:
    assert [type(event) for event in HISTORY] == list(EVENTS)
    assert set(get_args(Event)) == set(EVENTS)


def test_the_golden_history_replays() -> None:
    states = [
        location.replay(event for event in HISTORY if event.originator_id == location_stream(1)),  # type: ignore[misc]
        evse.replay(event for event in HISTORY if event.originator_id == evse_stream(PARTY, "A1")),  # type: ignore[misc]
        cpo.replay(event for event in HISTORY if event.originator_id == cpo_stream(PARTY)),  # type: ignore[misc]
    ]
    assert states == [
        location.Location(
            1,
            PARTY,
            4,
            {**location_registered().data, "name": "Harbor Mall", "publish": False, "facilities": ["CAFE"]},
            {5: "7e.jpg", 6: "6.png"},
        ),
        evse.Evse(PARTY, "A1", 1, 3, "CHARGING", {1: "AVAILABLE", 2: "OUTOFORDER"}),
        cpo.Cpo(
            PARTY,
            7,
            5,
            "María",
            SEALED,
            cpo.Upload("5d0c2ab1.svg", "Isla Charge.svg"),
            is_forgotten=True,
        ),
    ]


def test_the_golden_history_is_drawn() -> None:
    drawings = Drawings()
    for position, event in enumerate(HISTORY, start=1):
        draw(drawings, event, position)
    assert [(one.location_id, one.revision) for one in drawings.locations.values()] == [(1, 12)]
    assert [(one.is_settled, one.locations) for one in drawings.pending.values()] == [(True, {})]


def test_old_events_are_drawn_as_new_ones_are() -> None:
    drawn = []
    for version in (1, 2):
        drawings = Drawings()
        for one, event in zip(recorded(HISTORY), HISTORY, strict=True):
            file = GOLDEN / f"{event.TOPIC}.v{version}.json"
            state = (file if file.exists() else golden(event)).read_bytes()
            if not isinstance(event, CpoForgotten):
                draw(drawings, CODEC.decode(replace(one, state=state)), one.position)
        (cpo_drawing,) = drawings.cpos.values()
        drawn.append((cpo_drawing.details.pop("contact"), drawings))
    (old_contact, old), (new_contact, new) = drawn
    assert old_contact == {"clear": {"name": "María Santos", "number": "+639171234567", "email": "maria@isla.example"}}
    assert new_contact == SEALED
    assert old == new


def test_a_process_that_has_just_built_its_codec_reads_every_event() -> None:
    codec = Codec()
    assert tuple(codec.decode(one) for one in recorded(HISTORY)) == HISTORY


def test_an_unknown_topic_is_an_error() -> None:
    (one,) = recorded(HISTORY[:1])
    with pytest.raises(TopicError):
        CODEC.decode(replace(one, topic="cpo.unheard_of"))


@pytest.mark.parametrize("event", HISTORY[:2], ids=lambda event: event.TOPIC)
def test_a_later_version_than_this_code_knows_is_an_error(event: Event) -> None:
    (one,) = recorded([event])
    later = getattr(event, "class_version", 1) + 1
    with pytest.raises(NewerEvent, match=f"{event.TOPIC}, version {later}"):
        CODEC.decode(replace(one, state=orjson.dumps(orjson.loads(one.state) | {"class_version": later})))


def test_a_broken_state_is_an_error() -> None:
    (one,) = recorded(HISTORY[:1])
    with pytest.raises(MapperDeserialisationError):
        CODEC.decode(replace(one, state=b"{"))


def test_streams_are_the_same_for_ever() -> None:
    streams = (location_stream(1), evse_stream(PARTY, "A1"), cpo_stream(PARTY), pending_stream(PARTY))
    assert [str(stream) for stream in streams] == [
        "ee341198-a36c-5fd9-9052-44d76028fda5",
        "dcdf3e87-07d9-5584-8fd0-102d467a843d",
        "e29ce827-a446-55c5-abee-346f5ac9f73c",
        "129aeed2-5579-5c3c-b50b-ab4b8470588b",
    ]


def test_a_uid_in_any_case_is_one_stream_and_another_partys_is_another() -> None:
    assert evse_stream(PARTY, "ph-a1") == evse_stream(PARTY, "PH-A1")
    assert evse_stream(PARTY, "A1") != evse_stream(type(PARTY)("PH", "XYZ"), "A1")
