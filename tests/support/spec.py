"""Given events, when a command, then events or a refusal: the grammar of decisions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from write_side.domain.changes import Claim, Decision
from write_side.domain.errors import DomainError, Fault, Faults

if TYPE_CHECKING:
    from eventsourcing.domain import DomainEvent


@dataclass(frozen=True, slots=True)
class Spec:
    """How one kind of command is decided.

    decide: the decision under test; state_of: the state that it gets after these events, for that command
    """

    decide: Callable[[Any, Any, Any], Decision]
    state_of: Callable[[Any, tuple[DomainEvent, ...]], Any]

    def given(self, *events: DomainEvent) -> Given:
        """What happened before, in the order in which it was recorded."""
        return Given(self, events)


@dataclass(frozen=True, slots=True)
class Given:
    """A history."""

    spec: Spec
    events: tuple[DomainEvent, ...]

    def when(self, command: object, facts: object) -> When:
        """The command, with what its preparation found."""
        return When(lambda: self.spec.decide(command, facts, self.spec.state_of(command, self.events)))


@dataclass(frozen=True, slots=True)
class When:
    """A decision that is due."""

    decision: Callable[[], Decision]

    def then(self, *events: DomainEvent) -> Decision:
        """It is accepted, and these events follow, whole and in this order."""
        decision = self.decision()
        assert decision.changes is not None, "nothing changed"
        assert decision.changes.events == events
        return decision

    def silent(self) -> Decision:
        """It is accepted, and nothing changes."""
        decision = self.decision()
        assert decision.changes is None, decision.changes
        return decision

    def refused(self, *faults: Fault) -> str:
        """It is refused with these faults, all of them and in this order; the code for all of them."""
        with pytest.raises(Faults) as raised:
            self.decision()
        assert raised.value.faults == faults
        return raised.value.code

    def refused_outright(self, refusal: DomainError) -> None:
        """It is refused by a rule that has no field."""
        with pytest.raises(type(refusal)) as raised:
            self.decision()
        assert raised.value.code == refusal.code


def claims_of(decision: Decision) -> tuple[Claim, ...]:
    """What a decision claims."""
    return () if decision.changes is None else decision.changes.claims
