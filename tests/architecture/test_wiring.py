"""Wiring is in tables, and nothing is missing from them."""

from __future__ import annotations

import importlib
import pkgutil
import re
from dataclasses import is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import pytest
from eventsourcing.domain import DomainEvent
from eventsourcing.utils import get_topic, resolve_topic

import write_side.events
from projections.projector import PROJECTIONS, Ignored
from write_side.commands import wishes
from write_side.commands.dispatch import HANDLERS
from write_side.domain import errors
from write_side.domain.aggregates import EVOLVE
from write_side.domain.errors import DomainError
from write_side.events.codec import EVENTS, Codec, Event
from write_side.events.pending import PendingEvent

if TYPE_CHECKING:
    from types import ModuleType

GOLDEN = Path(__file__).parents[1] / "unit" / "golden"


def own_classes(module: ModuleType) -> list[type]:
    """The classes that a module defines."""
    return [value for value in vars(module).values() if isinstance(value, type) and value.__module__ == module.__name__]


def written_events() -> set[type]:
    """Every event class that stands in write_side/events."""
    modules = [
        importlib.import_module(found.name)
        for found in pkgutil.iter_modules(write_side.events.__path__, "write_side.events.")
    ]
    return {one for module in modules for one in own_classes(module) if issubclass(one, DomainEvent)}


def golden_files(event: type[Event]) -> list[Path]:
    return [GOLDEN / f"{event.TOPIC}.v{number}.json" for number in range(1, getattr(event, "class_version", 1) + 1)]


def test_every_command_has_a_handler_and_is_in_the_union() -> None:
    commands = {one for one in own_classes(wishes) if is_dataclass(one)}
    assert set(HANDLERS) == set(get_args(wishes.Command)) == commands


def test_every_event_has_a_codec_entry() -> None:
    assert len(EVENTS) == len(set(EVENTS))
    assert set(EVENTS) == set(get_args(Event)) == written_events()


def test_every_event_evolves_a_state() -> None:
    # What is staged may be larger than memory: nobody loads it as a state (docs/decisions/0015).
    assert set(EVOLVE) == set(EVENTS) - set(get_args(PendingEvent))


def test_every_event_is_drawn_or_ignored_for_a_reason() -> None:
    assert set(PROJECTIONS) == set(EVENTS)
    assert all(callable(how) or (isinstance(how, Ignored) and how.because) for how in PROJECTIONS.values())


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.TOPIC)
def test_every_event_has_a_topic_of_its_own_that_is_no_path_of_python(event: type[Event]) -> None:
    Codec()
    assert re.fullmatch(r"[a-z]+\.[a-z_]+", event.TOPIC)
    assert resolve_topic(event.TOPIC) is event
    assert get_topic(event) == event.TOPIC
    assert [other for other in EVENTS if other.TOPIC == event.TOPIC] == [event]


def test_every_version_of_every_event_has_a_golden_file_and_no_file_is_left_over() -> None:
    expected = {file for event in EVENTS for file in golden_files(event)}
    assert set(GOLDEN.iterdir()) == expected


def test_every_location_and_evse_event_names_its_location() -> None:
    without = [event.TOPIC for event in EVENTS if "location_id" not in event.__annotations__]
    assert all(topic.startswith("cpo.") for topic in without)


def test_every_refusal_has_a_rule_of_its_own_and_a_docstring() -> None:
    refusals = [one for one in own_classes(errors) if issubclass(one, DomainError) and one is not DomainError]
    rules = [refusal.rule for refusal in refusals]
    assert len(rules) == len(set(rules)) > 0
    assert all(re.fullmatch(r"[A-Z_]+", rule) for rule in rules)
