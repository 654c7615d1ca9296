"""What a broken connection looks like to accounts. As store/trouble.py: the outer rooms don't know each other."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import asyncpg

from write_side.domain.errors import StoreOutOfReach

if TYPE_CHECKING:
    from collections.abc import Iterator

BROKEN: Final = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.exceptions.OperatorInterventionError,
    asyncpg.exceptions.InsufficientResourcesError,
    asyncpg.ReadOnlySQLTransactionError,
)


@contextmanager
def reaching_the_accounts() -> Iterator[None]:
    """Inside, a broken connection is StoreOutOfReach: a call is answered with 503, not as a fault of ours."""
    try:
        yield
    except BROKEN as trouble:
        raise StoreOutOfReach from trouble
