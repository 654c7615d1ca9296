"""What a broken connection to PostgreSQL looks like, and the one word that commands know for it."""

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
    # After a killed backend asyncpg may fail inside its own protocol instead.
    asyncpg.InternalClientError,
    asyncpg.exceptions.OperatorInterventionError,
    asyncpg.exceptions.InsufficientResourcesError,
    # The server has ended a session that stood still inside a transaction.
    asyncpg.IdleInTransactionSessionTimeoutError,
    # After a failover the server may be a standby: the next connection leads to the new primary.
    asyncpg.ReadOnlySQLTransactionError,
)


@contextmanager
def reaching_the_store() -> Iterator[None]:
    """Inside, a broken connection is StoreOutOfReach. A wrong argument (asyncpg.DataError) stays what it is: a bug."""
    try:
        yield
    except BROKEN as trouble:
        raise StoreOutOfReach from trouble
