"""The loops of the roles that have no class of their own: mail, the store's housekeeping, views of an older version."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import structlog

from api.readiness import OUT_OF_REACH
from projections.generations import LIVE, OLD, generation_in
from projections.migrate import views_version
from write_side.accounts.sessions import forget_ended
from write_side.accounts.tries import forget_old_tries
from write_side.domain.errors import StoreOutOfReach
from write_side.store.housekeeping import forget_answers
from write_side.store.loose_images import remove_next

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import asyncpg

    from write_side.ports import Images
    from write_side.store.outbox import Outbox

MAIL_TICK_S: Final = 1.0
SESSIONS_KEPT: Final = timedelta(days=30)
TRIES_KEPT: Final = timedelta(hours=1)
"""Longer than the ten minutes for which wrong logins count."""
REBUILD_PAUSE_S: Final = 10.0
REBUILD: Final = (sys.executable, "-P", "-c", "from api.cli import main; main()", "rebuild")
"""Of this same code, whatever lies in the folder where the process was started (-P)."""
COUNT_TICK_S: Final = 5.0
IMAGES_TICK_S: Final = 1.0
HOUSEKEEPING_TICK_S: Final = 3_600.0
LAST_MAIL_S: Final = 5.0
"""How long a mail that is under way may take at the end of the process: stopped earlier it would be sent again."""

log = structlog.get_logger(__name__)


async def send_mails(outbox: Outbox, *, tick_s: float = MAIL_TICK_S, last_mail_s: float = LAST_MAIL_S) -> None:
    """Send what waits, for ever. While the store is out of reach it waits. tick_s: how often it looks."""
    while True:
        try:
            while await _unhurried(asyncio.create_task(outbox.send_next()), last_mail_s):
                pass
        except StoreOutOfReach as trouble:
            log.warning("mail waits for the store", error=repr(trouble.__cause__))
        await asyncio.sleep(tick_s)


async def _unhurried(sending: asyncio.Task[bool], last_mail_s: float) -> bool:
    """What it returns. When the process ends meanwhile it has a little time, then it is cancelled."""
    try:
        return await asyncio.shield(sending)
    except asyncio.CancelledError:
        await asyncio.wait([sending], timeout=last_mail_s)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        raise


async def count_mails(outbox: Outbox) -> None:
    """Keep the outbox's numbers fresh, for ever; beside `send_mails`, which a slow server may hold up."""
    while True:
        try:
            await outbox.look()
        except StoreOutOfReach as trouble:
            log.warning("mails can't be counted", error=repr(trouble.__cause__))
        await asyncio.sleep(COUNT_TICK_S)


async def remove_images(pool: asyncpg.Pool[Any], images: Images, *, tick_s: float = IMAGES_TICK_S) -> None:
    """Remove images that nobody wants any more, for ever. tick_s: how often it looks."""
    while True:
        try:
            while await remove_next(pool, images):
                pass
        except StoreOutOfReach as trouble:
            log.warning("images wait for the store", error=repr(trouble.__cause__))
        await asyncio.sleep(tick_s)


async def keep_house(pool: asyncpg.Pool[Any], answers_kept: timedelta) -> None:
    """Forget old answers, ended sessions and old tries to log in, hour by hour."""
    while True:
        try:
            await forget_answers(pool, answers_kept)
            await forget_ended(pool, SESSIONS_KEPT)
            await forget_old_tries(pool, TRIES_KEPT)
        except StoreOutOfReach as trouble:
            log.warning("housekeeping waits for the store", error=repr(trouble.__cause__))
        await asyncio.sleep(HOUSEKEEPING_TICK_S)


async def build_outdated_views(connect: Callable[[], Awaitable[asyncpg.Connection[Any]]]) -> None:
    """Where the live views were made by another version of the code: `emsp rebuild` in a process of its own.

    Until it has switched over, the processes of that version draw and serve what is live. Goes on until it is done. Not
    where this version's views were live before those (decision 0021): a process that starts again would undo a switch.
    """
    while True:
        try:
            views = await connect()
            try:
                live, old = await generation_in(views, LIVE), await generation_in(views, OLD)
            finally:
                await views.close()
            if live is not None and live.version == views_version():
                return
            if old is not None and old.version == views_version():
                log.error(
                    "the views of this version were replaced: `emsp rebuild` or `emsp rebuild --back` returns to it"
                )
                return
            await _rebuild()
        except OUT_OF_REACH as trouble:
            log.warning("cannot see the version of the views", error=repr(trouble))
        await asyncio.sleep(REBUILD_PAUSE_S)


async def _rebuild() -> None:
    log.info("the views are of another version: building them anew")
    process = await asyncio.create_subprocess_exec(
        *REBUILD, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
    log.info("rebuild ended", exit_code=process.returncode, said=said.decode(errors="replace")[-1_000:])
