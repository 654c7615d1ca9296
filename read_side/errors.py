"""What a query may be refused with. Each knows its GraphQL code (contract §5) and nothing of HTTP."""

from __future__ import annotations

from typing import ClassVar


class QueryRefused(Exception):
    """A query, or one root field of it, gets no answer. message: for the client, without anything of ours."""

    code: ClassVar[str]

    def __init__(self, message: str) -> None:
        self.message = message
        super().__init__(message)


class BadUserInput(QueryRefused):
    """The query asks for what can't be: the message names the argument, the header or the place in the text."""

    code = "BAD_USER_INPUT"


class Unauthenticated(QueryRefused):
    """No token, one that isn't good, or one of another kind."""

    code = "UNAUTHENTICATED"


class Forbidden(QueryRefused):
    """A good token of somebody who may not ask this."""

    code = "FORBIDDEN"


class NotFound(QueryRefused):
    """The caller has no such thing: it is nobody's, or another's."""

    code = "NOT_FOUND"


class Unavailable(QueryRefused):
    """The views are out of reach, too slow, or not yet where the query wants them."""

    code = "UNAVAILABLE"

    def __init__(self, message: str = "Service Unavailable") -> None:
        super().__init__(message)


class Internal(QueryRefused):
    """A fault of ours; the log tells, the client doesn't hear."""

    code = "INTERNAL"

    def __init__(self, message: str = "Internal Server Error") -> None:
        super().__init__(message)
