"""What ends a command, and is told in one line."""

from __future__ import annotations


class NotReady(Exception):
    """This role can't start like this; says what to do."""


class Unanswered(Exception):
    """The event store was reached, and then did not answer: it may be done or not."""


class DemoFailed(Exception):
    """The demo can't go on; the text says why, and what to do about it."""


class UnknownStream(ValueError):
    """The name of a stream can't be understood."""


class UnknownPlace(ValueError):
    """The name of a place in the log can't be understood."""


class ViewsDiffer(Exception):
    """The views are not what the events say."""


class Unhealthy(Exception):
    """Something does not do its work; the text says what."""
