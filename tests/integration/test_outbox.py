"""Mails that wait: each is sent, by one sender at a time, until it is somebody else's; none is lost."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from structlog.testing import capture_logs

from api.loops import send_mails
from tests.support.store import SECRETS
from write_side.accounts.secrets import SystemSecrets
from write_side.domain.errors import MailRefused, MailServerOutOfReach, StoreOutOfReach
from write_side.store.outbox import FAILED, Outbox, make_all_due

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from structlog.typing import EventDict

    Pool = asyncpg.Pool[Any]

HOURS_TO_WAIT = "select extract(epoch from due_at - now())::float / 3600 from es.outbox_mail"
IS_DUE = "update es.outbox_mail set due_at = now()"
KILL_SENDERS = """
    select pg_terminate_backend(pid, 5000)
      from pg_stat_activity
     where datname = current_database()
       and pid <> pg_backend_pid()
"""


async def waiting(pool: Pool) -> int:
    outbox = Outbox(pool, SECRETS, Postman())
    await outbox.look()
    return outbox.state.waiting


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
    assert [await Outbox(pool, SECRETS, postman).send_next() for _ in range(3)] == [True, True, False]
    assert postman.delivered == [b"one", b"two"]
    assert await waiting(pool) == 0


@pytest.mark.parametrize(
    "trouble", [ConnectionRefusedError(), TimeoutError(), OSError(28, "disk full"), MailServerOutOfReach("451 4.7.1")]
)
async def test_a_failure_postpones_the_mail_and_lets_the_next_through(
    pool: Pool, log_lines: list[EventDict], trouble: Exception
) -> None:
    postman = Postman()
    postman.trouble = trouble
    await put(pool, b"one")
    assert await Outbox(pool, SECRETS, postman).send_next()
    assert not await Outbox(pool, SECRETS, postman).send_next()
    postman.trouble = None
    await put(pool, b"two")
    assert await Outbox(pool, SECRETS, postman).send_next()
    assert postman.delivered == [b"two"]
    await pool.execute(IS_DUE)
    assert await Outbox(pool, SECRETS, postman).send_next()
    assert postman.delivered == [b"two", b"one"]
    assert [line for line in log_lines if line["event"] != "mail sent"] == [
        {
            "event": "mail postponed",
            "log_level": "warning",
            "message_id": "<one@emsp.example>",
            "party": None,
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
        assert await Outbox(pool, SECRETS, postman).send_next()
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
    assert await Outbox(pool, other, postman).send_next()
    assert (postman.delivered, await waiting(pool)) == ([], 1)
    assert log_lines[0]["log_level"] == "error"
    assert log_lines[0]["error"] == "sealed with another key: was EMSP_SEAL_KEY changed?"
    await pool.execute(IS_DUE)
    assert await Outbox(pool, SECRETS, postman).send_next()
    assert postman.delivered == [b"one"]


async def test_two_senders_never_send_the_same(pool: Pool) -> None:
    slow, postman = Postman(), Postman()
    slow.lets_through.clear()
    await put(pool, b"one", b"two")
    first = asyncio.create_task(Outbox(pool, SECRETS, slow).send_next())
    await slow.holds.wait()
    assert [await Outbox(pool, SECRETS, postman).send_next() for _ in range(2)] == [True, False]
    slow.lets_through.set()
    assert await first
    assert (slow.delivered, postman.delivered) == ([b"one"], [b"two"])


async def test_many_senders_at_once_send_each_mail_once(pool: Pool) -> None:
    postman = Postman()
    texts = [b"mail %d" % number for number in range(60)]
    await put(pool, *texts)

    async def send_all() -> None:
        while await Outbox(pool, SECRETS, postman).send_next():
            pass

    await asyncio.gather(*(send_all() for _ in range(8)))
    assert Counter(postman.delivered) == Counter(texts)
    assert await waiting(pool) == 0


async def test_a_crash_between_sending_and_deleting_sends_again_under_the_same_id(pool: Pool, empty_store: str) -> None:
    crashing, postman = Postman(), Postman()
    crashing.lets_through.clear()
    await put(pool, b"one")
    sending = asyncio.create_task(Outbox(pool, SECRETS, crashing).send_next())
    await crashing.holds.wait()
    killer = await asyncpg.connect(empty_store)
    await killer.execute(KILL_SENDERS)
    await killer.close()
    crashing.lets_through.set()
    with pytest.raises(StoreOutOfReach):
        await sending
    assert await waiting(pool) == 1
    assert await Outbox(pool, SECRETS, postman).send_next()
    assert crashing.delivered == postman.delivered == [b"one"]
    assert await waiting(pool) == 0


async def test_a_sender_that_is_stopped_leaves_the_mail_to_others(pool: Pool) -> None:
    stopped, postman = Postman(), Postman()
    stopped.lets_through.clear()
    await put(pool, b"one")
    sending = asyncio.create_task(Outbox(pool, SECRETS, stopped).send_next())
    await stopped.holds.wait()
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    assert await Outbox(pool, SECRETS, postman).send_next()
    assert (stopped.delivered, postman.delivered) == ([], [b"one"])


async def test_a_mail_refused_for_good_is_kept_and_shown_and_the_others_go(
    pool: Pool, log_lines: list[EventDict]
) -> None:
    postman = Postman()
    postman.trouble = MailRefused("550 5.1.1")
    outbox = Outbox(pool, SECRETS, postman)
    await put(pool, b"one")
    assert await outbox.send_next()
    postman.trouble = None
    await put(pool, b"two")
    assert [await outbox.send_next() for _ in range(2)] == [True, False]
    assert postman.delivered == [b"two"]
    await outbox.look()
    assert (outbox.state.waiting, outbox.state.failed, outbox.state.sent, outbox.state.postponed) == (1, 1, 1, 0)
    assert outbox.state.oldest_s > 0
    (shown,) = await pool.fetch(FAILED, 10)
    assert (shown["message_id"], shown["failure"], shown["tries"]) == ("<one@emsp.example>", "550 5.1.1", 1)
    assert log_lines[0] == {
        "event": "mail failed",
        "log_level": "error",
        "message_id": "<one@emsp.example>",
        "party": None,
        "tries": 0,
        "error": "550 5.1.1",
    }


async def test_a_mail_refused_for_good_is_tried_again_ever_slower(pool: Pool) -> None:
    postman = Postman()
    postman.trouble = MailRefused("550 5.1.1")
    await put(pool, b"one")
    hours: list[int] = []
    for _ in range(8):
        assert await Outbox(pool, SECRETS, postman).send_next()
        hours.append(round(await pool.fetchval(HOURS_TO_WAIT)))
        await pool.execute(IS_DUE)
    assert hours == [1, 2, 4, 8, 16, 24, 24, 24]


async def test_an_operator_lets_everything_be_tried_now(pool: Pool) -> None:
    postman = Postman()
    await put(pool, b"one", b"two", b"three")
    for trouble in (MailRefused("550 5.1.1"), MailServerOutOfReach("away")):
        postman.trouble = trouble
        assert await Outbox(pool, SECRETS, postman).send_next()
    postman.trouble = None
    assert [await make_all_due(pool) for _ in range(2)] == [2, 0]
    assert [await Outbox(pool, SECRETS, postman).send_next() for _ in range(4)] == [True, True, True, False]
    assert sorted(postman.delivered) == [b"one", b"three", b"two"]
    assert await waiting(pool) == 0


async def test_what_was_refused_once_and_then_only_delayed_is_no_failure_any_more(pool: Pool) -> None:
    postman = Postman()
    outbox = Outbox(pool, SECRETS, postman)
    await put(pool, b"one")
    for trouble in (MailRefused("550 5.1.1"), MailServerOutOfReach("away")):
        postman.trouble = trouble
        await pool.execute(IS_DUE)
        assert await outbox.send_next()
    await outbox.look()
    assert (outbox.state.waiting, outbox.state.failed) == (1, 0)


async def test_a_process_that_ends_lets_the_mail_under_way_be_sent(pool: Pool) -> None:
    postman = Postman()
    postman.lets_through.clear()
    await put(pool, b"one", b"two")
    loop = asyncio.create_task(send_mails(Outbox(pool, SECRETS, postman), last_mail_s=15))
    await postman.holds.wait()
    loop.cancel()
    await asyncio.sleep(0)
    assert not loop.done()
    postman.lets_through.set()
    await asyncio.gather(loop, return_exceptions=True)
    assert postman.delivered == [b"one"]
    assert await waiting(pool) == 1


async def test_a_process_that_ends_does_not_wait_for_a_server_that_never_answers(pool: Pool) -> None:
    never, postman = Postman(), Postman()
    never.lets_through.clear()
    await put(pool, b"one")
    loop = asyncio.create_task(send_mails(Outbox(pool, SECRETS, never), last_mail_s=0.01))
    await never.holds.wait()
    loop.cancel()
    await asyncio.gather(loop, return_exceptions=True)
    assert await Outbox(pool, SECRETS, postman).send_next()
    assert (never.delivered, postman.delivered) == ([], [b"one"])
