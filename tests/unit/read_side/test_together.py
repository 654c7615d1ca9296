"""Equal questions at once: one for all, and nobody hears what held before he asked."""

from __future__ import annotations

import asyncio

import pytest

from read_side.together import Together


class Views:
    """Answers what it holds when a question begins; one that is `held` waits."""

    def __init__(self) -> None:
        self.holds = 0
        self.asked = 0
        self.goes_on = asyncio.Event()

    async def __call__(self) -> int:
        self.asked += 1
        seen = self.holds
        await self.goes_on.wait()
        return seen


async def asking(together: Together[int], views: Views, count: int = 1) -> list[asyncio.Task[int]]:
    tasks = [asyncio.create_task(together.ask("key", views)) for _ in range(count)]
    await asyncio.sleep(0)
    return tasks


async def test_who_comes_while_a_question_is_under_way_hears_of_what_changed_before() -> None:
    together, views = Together[int](), Views()
    first = await asking(together, views)
    views.holds = 1
    later = await asking(together, views, 5)
    views.goes_on.set()
    assert await asyncio.gather(*first, *later) == [0, 1, 1, 1, 1, 1]
    assert views.asked == 2


async def test_other_questions_do_not_wait() -> None:
    together, views, others = Together[int](), Views(), Views()
    first = await asking(together, views)
    others.goes_on.set()
    assert await together.ask("another key", others) == 0
    views.goes_on.set()
    await asyncio.gather(*first)


async def test_a_failure_is_told_to_all_who_shared_it_and_to_nobody_else() -> None:
    together, views = Together[int](), Views()
    first = await asking(together, views)

    async def fails() -> int:
        await views.goes_on.wait()
        raise ConnectionError

    shared = [asyncio.create_task(together.ask("key", fails)) for _ in range(3)]
    await asyncio.sleep(0)
    views.goes_on.set()
    assert await asyncio.gather(*first) == [0]
    assert [type(one) for one in await asyncio.gather(*shared, return_exceptions=True)] == [ConnectionError] * 3
    assert await together.ask("key", views) == 0


@pytest.mark.parametrize("cancelled", [0, 1, 2])
async def test_who_gives_up_leaves_the_others_their_answer(cancelled: int) -> None:
    together, views = Together[int](), Views()
    first = await asking(together, views)
    views.holds = 1
    waiting = await asking(together, views, 3)
    waiting[cancelled].cancel()
    await asyncio.sleep(0)
    views.goes_on.set()
    with pytest.raises(asyncio.CancelledError):
        await waiting[cancelled]
    rest = [task for place, task in enumerate(waiting) if place != cancelled]
    assert await asyncio.gather(*first, *rest) == [0, 1, 1]


async def test_a_question_that_is_given_up_while_it_is_asked_is_asked_by_the_next() -> None:
    together, views = Together[int](), Views()
    (first,) = await asking(together, views)
    (second,) = await asking(together, views)
    first.cancel()
    views.goes_on.set()
    assert await second == 0
    assert views.asked == 2
