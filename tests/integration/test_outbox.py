"""Mails that wait: each is sent, by one sender at a time, until it is somebody else's; none is lost."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from structlog.testing import capture_logs

from tests.support.store import SECRETS
from write_side.accounts.secrets import SystemSecrets
from write_side.domain.errors import StoreOutOfReach
from write_side.store.outbox import send_next, waiting

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from structlog.typing import EventDict

    Pool = asyncpg.Pool[Any]

IS_DUE = "update es.outbox_mail set due_at = now()"
KILL_SENDERS = """
    select pg_terminate_backend(pid, 5000)
      from pg_stat_activity
     where datname = current_database()
       and pid <> pg_backend_pid()
"""


class Postman:
    """A mailer; refuses with its trouble, or takes its time, when it is told to."""

    def __init__(self) -> None:
        self.delivered: list[bytes] = []
        self.trouble: Exception | None = None
        self.lets_through = asyncio.Event()
        self.lets_through.set()
        self.holds = asyncio.Event()

    async def send(self, message: bytes) -> None:
        self.holds.set()
        await self.lets_through.wait()
        if self.trouble is not None:
            raise self.trouble
        self.delivered.append(message)


@pytest.fixture(autouse=True)
def log_lines() -> Iterator[list[EventDict]]:
    with capture_logs() as lines:
        yield lines


@pytest.fixture
async def pool(empty_store: str) -> AsyncIterator[Pool]:
    pool = await asyncpg.create_pool(empty_store, min_size=0, max_size=10)
    yield pool
    # Not closed, which would wait for a sender that a failed test left behind.
    pool.terminate()


async def put(pool: Pool, *texts: bytes) -> None:
    for text in texts:
        await pool.execute(
            "insert into es.outbox_mail (message_id, sealed) values ($1, $2)",
            f"<{text.decode()}@emsp.example>",
            SECRETS.seal(text),
        )


async def test_mails_are_sent_in_their_order_and_deleted(pool: Pool) -> None:
    postman = Postman()
    await put(pool, b"one", b"two")
    assert await waiting(pool) == 2
    assert [await send_next(pool, SECRETS, postman) for _ in range(3)] == [True, True, False]
    assert postman.delivered == [b"one", b"two"]
    assert await waiting(pool) == 0


@pytest.mark.parametrize("trouble", [ConnectionRefusedError(), TimeoutError(), OSError(28, "disk full")])
async def test_a_failure_postpones_the_mail_and_lets_the_next_through(
    pool: Pool, log_lines: list[EventDict], trouble: Exception
) -> None:
    postman = Postman()
    postman.trouble = trouble
    await put(pool, b"one")
    assert await send_next(pool, SECRETS, postman)
    assert not await send_next(pool, SECRETS, postman)
    postman.trouble = None
    await put(pool, b"two")
    assert await send_next(pool, SECRETS, postman)
    assert postman.delivered == [b"two"]
    await pool.execute(IS_DUE)
    assert await send_next(pool, SECRETS, postman)
    assert postman.delivered == [b"two", b"one"]
    assert log_lines == [
        {
            "event": "mail postponed",
            "log_level": "warning",
            "message_id": "<one@emsp.example>",
            "tries": 0,
            "error": repr(trouble),
        }
    ]


async def test_it_is_tried_again_ever_later_but_never_given_up(pool: Pool) -> None:
    postman = Postman()
    postman.trouble = ConnectionRefusedError()
    await put(pool, b"one")
    pauses: list[int] = []
    for _ in range(20):
        assert await send_next(pool, SECRETS, postman)
        seconds = await pool.fetchval("select extract(epoch from due_at - now())::float from es.outbox_mail")
        pauses.append(round(seconds))
        await pool.execute(IS_DUE)
    assert pauses[:4] == [1, 2, 4, 8]
    assert pauses[-8:] == [3_600] * 8
    assert pauses == sorted(pauses)
    assert await pool.fetchval("select tries from es.outbox_mail") == 20


async def test_what_was_sealed_with_another_key_waits_for_its_key(pool: Pool, log_lines: list[EventDict]) -> None:
    other = SystemSecrets(b"another-key-of-a-test-deployment-0001")
    postman = Postman()
    await put(pool, b"one")
    assert await send_next(pool, other, postman)
    assert (postman.delivered, await waiting(pool)) == ([], 1)
    assert "sealed with another key" in log_lines[0]["error"]
    await pool.execute(IS_DUE)
    assert await send_next(pool, SECRETS, postman)
    assert postman.delivered == [b"one"]


async def test_two_senders_never_send_the_same(pool: Pool) -> None:
    slow, postman = Postman(), Postman()
    slow.lets_through.clear()
    await put(pool, b"one", b"two")
    first = asyncio.create_task(send_next(pool, SECRETS, slow))
    await slow.holds.wait()
    assert [await send_next(pool, SECRETS, postman) for _ in range(2)] == [True, False]
    slow.lets_through.set()
    assert await first
    assert (slow.delivered, postman.delivered) == ([b"one"], [b"two"])


async def test_many_senders_at_once_send_each_mail_once(pool: Pool) -> None:
    postman = Postman()
    texts = [b"mail %d" % number for number in range(60)]
    await put(pool, *texts)

    async def send_all() -> None:
        while await send_next(pool, SECRETS, postman):
            pass

    await asyncio.gather(*(send_all() for _ in range(8)))
    assert Counter(postman.delivered) == Counter(texts)
    assert await waiting(pool) == 0


async def test_a_crash_between_sending_and_deleting_sends_again_under_the_same_id(pool: Pool, empty_store: str) -> None:
    crashing, postman = Postman(), Postman()
    crashing.lets_through.clear()
    await put(pool, b"one")
    sending = asyncio.create_task(send_next(pool, SECRETS, crashing))
    await crashing.holds.wait()
    killer = await asyncpg.connect(empty_store)
    await killer.execute(KILL_SENDERS)
    await killer.close()
    crashing.lets_through.set()
    with pytest.raises(StoreOutOfReach):
        await sending
    assert await waiting(pool) == 1
    assert await send_next(pool, SECRETS, postman)
    assert crashing.delivered == postman.delivered == [b"one"]
    assert await waiting(pool) == 0


async def test_a_sender_that_is_stopped_leaves_the_mail_to_others(pool: Pool) -> None:
    stopped, postman = Postman(), Postman()
    stopped.lets_through.clear()
    await put(pool, b"one")
    sending = asyncio.create_task(send_next(pool, SECRETS, stopped))
    await stopped.holds.wait()
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    assert await send_next(pool, SECRETS, postman)
    assert (stopped.delivered, postman.delivered) == ([], [b"one"])
