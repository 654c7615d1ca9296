"""From the bus into the views: repeats are dropped, overlaps cut, holes pulled from the log. Nothing is skipped.

Where the bus is silent, was interrupted or is away, the log is asked: a bus can delay views, never falsify them.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import structlog

from projections.bus import BrokerOutOfReach
from projections.generations import Refused
from projections.letter_table import Unparkable, is_of_the_event
from projections.projector import Overtaken
from write_side.events.ranges import range_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from projections.bus import Delivery, EventBus, Subscription
    from projections.projector import Projector
    from write_side.events.ranges import Range, Recorded

    Pull: TypeAlias = Callable[[int, int], Awaitable[tuple[Recorded, ...]]]
    """pull(after, limit): events of the log behind a position, ascending, without holes; () at its end."""

LOG: Final = structlog.get_logger(__name__)

MAX_BATCH: Final = 500
"""Events folded at once: 81,600 events/s; 100 at once: 50,000; one by one: 1,078 (docs: event flow, projector)."""

FIRST_EVENT_S: Final = 50e-6
SHORTEST_EVENT_S: Final = 1e-6
"""What folding an event takes, before it was measured and at the least."""

TRIES: Final = 3
"""How often an event is tried alone before it is parked; each time upon fresh rows, which somebody may be mending."""

MISSES: Final = 10
"""How often in a row the log has what the bus did not bring before the queue is taken for dead and read anew."""

FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 15.0


class LogBehindBus(Exception):
    """The bus brought events that the log does not have: an older log was restored, or it is another system's bus."""


class ViewsAheadOfLog(Refused):
    """The log does not have the event at the checkpoint: an older copy of it was restored."""

    def __init__(self, position: int) -> None:
        super().__init__(
            f"the log ends before position {position}, which the views are at: `emsp rebuild` builds them anew"
        )


class LogHasHole(Exception):
    """The log goes on behind the checkpoint, but not with the position that follows it."""


@dataclass(slots=True)
class ConsumerState:
    """What readiness and metrics say of a projector; it alone writes here, anybody reads.

    head: the last position it has heard of; lag is head minus checkpoint. error: what holds it up now, None when
    nothing does. parked_keys, letters: what is set aside. is_bus_away: the log is asked every second.
    """

    is_leading: bool = False
    checkpoint: int = 0
    head: int = 0
    error: str | None = None
    parked_keys: int = 0
    letters: int = 0
    is_bus_away: bool = False
    events: int = 0
    batches: int = 0
    pulled: int = 0
    failures: int = 0


@dataclass(frozen=True, slots=True)
class _Poison:
    """An event that was tried alone. trouble: what the projection raised the last time."""

    position: int
    trouble: Exception
    tries: int


class Consumer:
    """Keeps one views database current: `run` goes on until it is cancelled.

    queue: the queue of that database; max_batch_s: how long folding may hold the event loop, None: no matter.
    silence_s: after that long without a range the log is asked; standby_s: how often one who does not lead tries to.
    """

    def __init__(
        self,
        *,
        bus: EventBus,
        queue: str,
        pull: Pull,
        projector: Projector,
        max_batch_s: float | None = None,
        silence_s: float = 1.0,
        standby_s: float = 1.0,
    ) -> None:
        self.state = ConsumerState()
        self._bus = bus
        self._queue = queue
        self._pull = pull
        self._projector = projector
        self._max_batch_s = max_batch_s
        self._silence_s = silence_s
        self._standby_s = standby_s
        self._subscription: Subscription | None = None
        self._held: Delivery | None = None
        self._misses = 0
        self._event_s = FIRST_EVENT_S
        self._most = MAX_BATCH
        self._drawing: Sequence[Recorded] = ()
        self._poison: _Poison | None = None

    async def run(self) -> None:
        """Lead when it can be had, follow the bus, and begin again at the checkpoint after any failure."""
        pause_s = FIRST_PAUSE_S
        try:
            while True:
                began_at = self.state.checkpoint
                try:
                    await self._follow()
                    await asyncio.sleep(self._standby_s)
                except Overtaken:
                    LOG.warning("projector.overtaken", checkpoint=self.state.checkpoint)
                    await asyncio.sleep(FIRST_PAUSE_S)
                except Exception as trouble:  # noqa: BLE001 - the consumer's loop: one of the three places that may
                    if self._narrowed(trouble):
                        continue
                    self._failed(trouble)
                    pause_s = FIRST_PAUSE_S if self.state.checkpoint > began_at else min(2 * pause_s, LONGEST_PAUSE_S)
                    await asyncio.sleep(pause_s)
        finally:
            self.state.is_leading = False
            self._projector.close()
            await self._unsubscribe()

    async def _lead(self) -> bool:
        leads = await self._projector.lead()
        if leads != self.state.is_leading:
            LOG.info("projector.leads" if leads else "projector.stands_by", checkpoint=self._projector.checkpoint)
        self.state.is_leading = leads
        if leads:
            self._tell()
            if self._poison is not None and self._poison.position != self.state.checkpoint + 1:
                # Others drew meanwhile, or what they drew was lost: what follows is tried anew.
                self._poison = None
        else:
            # Stands by: what held it up is the leader's now.
            self.state.error = None
            await self._unsubscribe()
        return leads

    async def _follow(self) -> None:
        self._drawing = ()
        # At the start, after trouble, a reconnect and silence: what does the log have that the bus did not bring? And
        # are these still the views that they were, with the same keys parked?
        while await self._lead():
            pulled = self.state.pulled
            await self._catch_up()
            await self._done_with_held()
            if self.state.pulled > pulled:
                await self._missed()
            while deliveries := await self._collect():
                self._held = deliveries[-1]
                await self._take([delivery.range for delivery in deliveries])
                await self._done_with_held()

    async def _collect(self) -> list[Delivery]:
        """What waits at the bus, up to a batch; [] when the log is to be asked."""
        subscription = await self._subscribed()
        if subscription is None:
            await asyncio.sleep(self._silence_s)
            return []
        deliveries: list[Delivery] = []
        waiting = 0
        within_s = self._silence_s
        while waiting < MAX_BATCH and (delivery := await subscription.receive(within_s=within_s)) is not None:
            deliveries.append(delivery)
            waiting += len(delivery.range.events)
            within_s = 0
        if deliveries:
            self._misses = 0
        return deliveries

    async def _missed(self) -> None:
        self._misses += 1
        if self._misses >= MISSES and self._subscription is not None:
            # Nobody publishes, or the queue has lost its leader or its binding: only the latter is mended by this.
            LOG.warning("projector.bus_silent", queue=self._queue, checkpoint=self.state.checkpoint)
            await self._unsubscribe()

    async def _subscribed(self) -> Subscription | None:
        if not self._projector.is_live:
            # The queue is that of the live views; whoever draws those before them asks the log.
            await self._unsubscribe()
            return None
        if self._subscription is None:
            try:
                self._subscription = await self._bus.subscribe(self._queue)
            except BrokerOutOfReach as trouble:
                if not self.state.is_bus_away:
                    LOG.warning("projector.bus_away", trouble=str(trouble))
                self.state.is_bus_away = True
                return None
            self.state.is_bus_away = False
            LOG.info("projector.subscribed", queue=self._queue)
        return self._subscription

    async def _unsubscribe(self) -> None:
        subscription, self._subscription, self._held = self._subscription, None, None
        self._misses = 0
        if subscription is not None:
            await subscription.close()

    async def _take(self, ranges: Sequence[Range]) -> None:
        events = events_behind(self.state.checkpoint, ranges)
        last = max(run.last for run in ranges)
        self.state.head = max(self.state.head, last)
        await self._apply(events)
        if self.state.checkpoint < last:
            await self._catch_up()
        if self.state.checkpoint < last:
            raise LogBehindBus(last)

    async def _catch_up(self) -> None:
        while events := await self._pull(self.state.checkpoint, MAX_BATCH):
            self.state.pulled += len(events)
            self.state.head = max(self.state.head, events[-1].position)
            following = events_behind(self.state.checkpoint, [range_of(events)])
            if not following:
                raise LogHasHole(self.state.checkpoint + 1)
            await self._apply(following)
        await must_not_be_ahead(self.state.checkpoint, self._pull)
        self._recovered()

    async def _done_with_held(self) -> None:
        delivery, self._held = self._held, None
        if delivery is None:
            return
        if delivery.range.last > self.state.checkpoint:
            self._held = delivery
            raise LogBehindBus(delivery.range.last)
        await delivery.ack()

    async def _apply(self, events: Sequence[Recorded]) -> None:
        rest = events
        while rest:
            size = self._size()
            batch, rest = rest[:size], rest[size:]
            self._drawing = batch
            if len(batch) == 1 and self._poison is not None and self._tries_of(batch) >= TRIES:
                await self._park(batch[0], self._poison)
            else:
                busy_s = await self._projector.apply(batch)
                self._event_s = max(busy_s / len(batch), 0.8 * self._event_s, SHORTEST_EVENT_S)
                self._most = min(2 * self._most, MAX_BATCH)
            self._drawing = ()
            self.state.events += len(batch)
            self.state.batches += 1
            self._tell()
            self._recovered()

    def _size(self) -> int:
        if self._max_batch_s is None:
            return self._most
        return max(1, min(self._most, int(self._max_batch_s / self._event_s)))

    def _narrowed(self, trouble: Exception) -> bool:
        """Whether an event is to blame, and the next try says more: half of the batch, or the same one again."""
        batch = self._drawing
        if isinstance(trouble, Unparkable):
            # Tried anew the next time: should the log be mended meanwhile, the event need not be parked.
            self._poison = None
            return False
        if not batch or not is_of_the_event(trouble):
            return False
        self._most = max(1, len(batch) // 2)
        if len(batch) > 1:
            return True
        tries = 1 + self._tries_of(batch)
        self._poison = _Poison(batch[0].position, trouble, tries)
        return tries <= TRIES

    def _tries_of(self, batch: Sequence[Recorded]) -> int:
        poison = self._poison
        return 0 if poison is None or poison.position != batch[0].position else poison.tries

    async def _park(self, event: Recorded, poison: _Poison) -> None:
        """raises: Unparkable, and then everything stands still until this code is another."""
        key = await self._projector.park(event, poison.trouble, tries=poison.tries)
        self._poison = None
        LOG.error(
            "projector.parked",
            key=key,
            position=event.position,
            topic=event.topic,
            tries=poison.tries,
            exc_info=poison.trouble,
        )

    def _tell(self) -> None:
        projector = self._projector
        self.state.checkpoint = projector.checkpoint
        self.state.parked_keys, self.state.letters = len(projector.parked), sum(projector.parked.values())

    def _failed(self, trouble: Exception) -> None:
        state = self.state
        said = f"{type(trouble).__name__}: {trouble}"
        is_news = state.error != said
        state.failures += 1
        state.error = said
        self._projector.close()
        # Said at every try, since nothing goes on meanwhile; where it comes from is said once.
        LOG.error(
            "projector.stopped",
            checkpoint=state.checkpoint,
            failures=state.failures,
            trouble=said,
            exc_info=trouble if is_news else None,
        )

    def _recovered(self) -> None:
        if self.state.error is not None:
            LOG.info("projector.goes_on", checkpoint=self.state.checkpoint, after=self.state.error)
            self.state.error = None


async def must_not_be_ahead(checkpoint: int, pull: Pull) -> None:
    """The log still has what was drawn last; else the positions that it gives out anew would be taken for repeats.

    raises: ViewsAheadOfLog
    """
    if checkpoint and not await pull(checkpoint - 1, 1):
        raise ViewsAheadOfLog(checkpoint)


def events_behind(position: int, ranges: Iterable[Range]) -> tuple[Recorded, ...]:
    """The events that follow this position without a hole, out of ranges in any order, repeated or overlapping."""
    events: list[Recorded] = []
    for run in sorted(ranges, key=lambda run: run.first):
        if run.first > position + 1:
            break
        if run.last > position:
            events.extend(event for event in run.events if event.position > position)
            position = run.last
    return tuple(events)
