"""Google's Geocoding web service as a geocoder: paced, bounded, retried, and never telling its key."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import aiohttp
import msgspec
import stamina
import structlog

from write_side.adapters.gazetteer import gazetteer
from write_side.adapters.google_answers import GEOCODING_URL, Answer, answer_in, place_in
from write_side.adapters.nearest import PointIndex, is_philippine
from write_side.domain.errors import GeocoderOutOfReach
from write_side.domain.place import Ask, Place, Placed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

TRIES: Final = 3
FIRST_PAUSE_S: Final = 0.2
CALL_LIMIT_S: Final = 5.0
PATIENCE_S: Final = 12.0
"""How long one address may take with all its tries; then the request is answered 503."""

CALLS_AT_A_TIME: Final = 16
CALLS_OF_A_COMMAND: Final = 8
"""A large upload leaves places to others."""

MOST_BYTES: Final = 1 << 20
PLACED: Final = frozenset({"OK", "ZERO_RESULTS", "INVALID_REQUEST"})
"""INVALID_REQUEST: an address that is none, such as a comma."""

PASSING: Final = frozenset({"UNKNOWN_ERROR", "OVER_QUERY_LIMIT"})
SOON_S: Final = 2
LATER_S: Final = 60

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class GeocodingState:
    """What a process has asked of a geocoder: calls over the network, and those of them that brought no answer."""

    calls: int = 0
    failures: int = 0


@dataclass(frozen=True, slots=True)
class GoogleAccount:
    """Where and as whom to ask, and how much.

    per_second: most calls of this process; call_limit_s: one call; patience_s: one address with all its tries
    """

    key: str = field(repr=False)
    url: str = GEOCODING_URL
    per_second: int = 40
    call_limit_s: float = CALL_LIMIT_S
    patience_s: float = PATIENCE_S


class _Passing(Exception):
    """This call brought nothing; the next one may. Its text never has the URL, which has the key."""


class Pace:
    """Tells callers when it is their turn: in their order, at most so many a second."""

    def __init__(self, per_second: int) -> None:
        self._gap_s = 1 / per_second
        self._next = 0.0

    def wait_s(self, now: float) -> float:
        """How long the caller who asks now has to wait; its turn is taken. now: seconds of a clock that never jumps."""
        at = max(now, self._next)
        self._next = at + self._gap_s
        return at - now


class GoogleGeocoder:
    """Places addresses, and where it can't, coordinates, by asking Google.

    The names of cities, provinces and regions are those of the gazetteer, so that both geocoders say the same.
    source: contract §3 "Geocoding"
    """

    def __init__(self, session: aiohttp.ClientSession, account: GoogleAccount, state: GeocodingState) -> None:
        self._session = session
        self._account = account
        self._state = state
        self._pace = Pace(account.per_second)
        self._free = asyncio.Semaphore(CALLS_AT_A_TIME)
        self._gazetteer = gazetteer()
        self._points = PointIndex(self._gazetteer.points)

    async def place_many(self, asked: Sequence[Ask]) -> list[Placed]:
        """Where each lies, in order; the same question is asked once. raises: GeocoderOutOfReach."""
        answers: dict[Ask, Placed] = {}
        waiting = iter(dict.fromkeys(asked))
        workers = [asyncio.create_task(self._work(waiting, answers)) for _ in range(CALLS_OF_A_COMMAND)]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
        return [answers[ask] for ask in asked]

    async def _work(self, waiting: Iterator[Ask], answers: dict[Ask, Placed]) -> None:
        for ask in waiting:
            answers[ask] = await self._place(ask)

    async def _place(self, ask: Ask) -> Placed:
        """By its address; coordinates are only asked for where that tells nothing."""
        by_address = await self._found({"address": ask.address}) if ask.address.strip() else None
        if by_address is not None or ask.lat is None or ask.lng is None or not is_philippine(ask.lat, ask.lng):
            return Placed(by_address, None)
        return Placed(None, await self._found({"latlng": f"{ask.lat:.7f},{ask.lng:.7f}"}))

    async def _found(self, question: Mapping[str, str]) -> Place | None:
        answer = await self._answer(question)
        if answer.status == "INVALID_REQUEST":
            log.warning("google took a question for none", kind=next(iter(question)))
        return place_in(answer, self._gazetteer, self._points)

    async def _answer(self, question: Mapping[str, str]) -> Answer:
        reason = ""
        try:
            async with asyncio.timeout(self._account.patience_s):
                async for attempt in stamina.retry_context(
                    on=_Passing,
                    attempts=TRIES,
                    timeout=None,
                    wait_initial=FIRST_PAUSE_S,
                    wait_jitter=FIRST_PAUSE_S,
                ):
                    with attempt:
                        return await self._call(question)
        except _Passing as passing:
            reason = str(passing)
        except TimeoutError:
            reason = "no answer in time"
        raise _out_of_reach(reason, SOON_S)

    async def _call(self, question: Mapping[str, str]) -> Answer:
        """One call. raises: _Passing; GeocoderOutOfReach where another call would bring the same."""
        async with self._free:
            await asyncio.sleep(self._pace.wait_s(asyncio.get_running_loop().time()))
            self._state.calls += 1
            status, body = await self._get(question)
        try:
            answer = answer_in(body) if status == 200 else None
        except msgspec.MsgspecError:
            answer = None
        if answer is not None and answer.status in PLACED:
            return answer
        self._state.failures += 1
        if answer is None:
            raise _Passing("no connection" if status == 0 else f"HTTP {status}, or an answer that is none")
        if answer.status in PASSING:
            raise _Passing(answer.status)
        # REQUEST_DENIED, OVER_DAILY_LIMIT: key, billing or quota. Not for the next second to mend.
        raise _out_of_reach(answer.status, LATER_S)

    async def _get(self, question: Mapping[str, str]) -> tuple[int, bytes]:
        """Status and body; (0, nothing) where there is no answer: what aiohttp raises may quote the URL."""
        parameters = {**question, "region": "ph", "language": "en", "key": self._account.key}
        try:
            async with self._session.get(
                self._account.url,
                params=parameters,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=self._account.call_limit_s),
            ) as response:
                body = bytearray()
                async for chunk in response.content.iter_any():
                    body += chunk
                    if len(body) > MOST_BYTES:
                        return 0, b""
                return response.status, bytes(body)
        except (aiohttp.ClientError, OSError):
            return 0, b""


def _out_of_reach(reason: str, retry_after_s: int) -> GeocoderOutOfReach:
    log.error("geocoder out of reach", reason=reason)
    return GeocoderOutOfReach(retry_after_s)
