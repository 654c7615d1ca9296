"""What ends a command, and is told in one line."""

from __future__ import annotations


class NotReady(Exception):
    """This role can't start like this; says what to do."""


class Unanswered(Exception):
    """The event store was reached, and then did not answer: it may be done or not."""


class Unhealthy(Exception):
    """Something does not do its work; the text says what."""
