"""The loops of the roles that have no class of their own: mail, and the store's housekeeping."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import structlog

from write_side.domain.errors import StoreOutOfReach
from write_side.store.housekeeping import forget_answers
from write_side.store.outbox import send_next

if TYPE_CHECKING:
    from datetime import timedelta

    import asyncpg

    from write_side.ports import Mailer, Secrets

MAIL_TICK_S: Final = 1.0
HOUSEKEEPING_TICK_S: Final = 3_600.0

log = structlog.get_logger(__name__)


async def send_mails(pool: asyncpg.Pool[Any], secrets: Secrets, mailer: Mailer, *, tick_s: float = MAIL_TICK_S) -> None:
    """Send what waits, for ever. While the store is out of reach it waits. tick_s: how often it looks."""
    while True:
        try:
            while await send_next(pool, secrets, mailer):
                pass
        except StoreOutOfReach as trouble:
            log.warning("mail waits for the store", error=repr(trouble.__cause__))
        await asyncio.sleep(tick_s)


async def keep_house(pool: asyncpg.Pool[Any], answers_kept: timedelta) -> None:
    """Forget old answers, hour by hour."""
    while True:
        try:
            await forget_answers(pool, answers_kept)
        except StoreOutOfReach as trouble:
            log.warning("housekeeping waits for the store", error=repr(trouble.__cause__))
        await asyncio.sleep(HOUSEKEEPING_TICK_S)
