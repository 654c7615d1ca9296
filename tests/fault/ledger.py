"""What was promised: every command that was answered 200, and how long commands had to wait for it.

Knows nothing of how the service works: a fact is what a client would say that it made happen.
"""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import NamedTuple


class Fact(NamedTuple):
    """subject: whose it is, as `evse/A1` or `location/7`; what: that happened to it."""

    subject: str
    what: str


@dataclass(slots=True)
class Waiting:
    """How commands fared in some time.

    refused: tries that were answered 503, or not at all; longest_gap_s: without any accepted command;
    longest_command_s: from a command's first try to its 200
    """

    since: float = field(default_factory=time.monotonic)
    accepted: int = 0
    refused: int = 0
    longest_gap_s: float = 0.0
    longest_command_s: float = 0.0


@dataclass(slots=True)
class Ledger:
    """facts: by subject, in the order in which they were accepted; at: which fact a position was answered for."""

    facts: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    at: dict[int, Fact] = field(default_factory=dict)
    waiting: Waiting = field(default_factory=Waiting)

    def accepted(self, facts: tuple[Fact, ...], position: int, took_s: float) -> None:
        """A command was answered 200 with that position, its last fact's."""
        for fact in facts:
            self.facts[fact.subject].append(fact.what)
        assert position not in self.at, f"position {position} was answered twice: {self.at[position]}, {facts[-1]}"
        self.at[position] = facts[-1]
        now, waiting = time.monotonic(), self.waiting
        waiting.longest_gap_s = max(waiting.longest_gap_s, now - waiting.since)
        waiting.longest_command_s = max(waiting.longest_command_s, took_s)
        waiting.since = now
        waiting.accepted += 1

    def promised(self) -> dict[str, tuple[str, ...]]:
        """What it has now, while it goes on: facts by subject."""
        return {subject: tuple(facts) for subject, facts in self.facts.items()}

    def refused(self) -> None:
        """A try was answered 503, or not at all."""
        self.waiting.refused += 1

    def measured(self) -> Waiting:
        """How commands fared since it was asked last."""
        waiting, self.waiting = self.waiting, Waiting()
        return waiting
