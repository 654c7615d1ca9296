"""What the door itself refuses, before any command: named for the row of contract §1."""

from __future__ import annotations


class Forbidden(Exception):
    """The path names another party, or the client lacks the scope."""


class InvalidCountryCode(Exception):
    """The path names the caller's party in another country."""


class UnsupportedMediaType(Exception):
    """Not the content type that the call takes."""


class PayloadTooLarge(Exception):
    """The body is larger than this call takes."""


class BodyTooSlow(Exception):
    """The body takes longer to come than it may."""


class TooManyRequests(Exception):
    """The limit is reached. retry_after_s: seconds until it is worth another try."""

    def __init__(self, retry_after_s: int) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(retry_after_s)
