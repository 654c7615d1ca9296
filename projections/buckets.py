"""The log, dealt into files by location, so that each can be folded by itself in little memory.

All events of one location are in one bucket, in their order; what belongs to no location is in a bucket of its own. A
bucket has a file for each share of the log, since shares are dealt at the same time. 100,000 locations folded at once
would take a gigabyte.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from write_side.events.ranges import Recorded

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from pathlib import Path

EVENTS_A_BUCKET: Final = 40_000
MAX_BUCKETS: Final = 256
LENGTH_BYTES: Final = 4
NO_LOCATION: Final = -1
"""In the place of a location, and of a bucket's number, for events that belong to no location."""

_ENCODER: Final = msgspec.msgpack.Encoder()
_DEALT: Final = msgspec.msgpack.Decoder(list[tuple[int, msgspec.Raw]])
"""Events, each behind its location."""
_EVENT: Final = msgspec.msgpack.Decoder(Recorded)


class _Keyed(msgspec.Struct):
    location_id: int | None = None


_KEY: Final = msgspec.json.Decoder(_Keyed)


def location_of(event: Recorded) -> int:
    """The location that an event is about, or NO_LOCATION.

    raises: msgspec.ValidationError for an event that is no JSON object
    """
    location_id = _KEY.decode(event.state).location_id
    return NO_LOCATION if location_id is None else location_id


@dataclass(frozen=True, slots=True)
class Buckets:
    """Where the files are. count: of buckets; wanted: those that are dealt at all; shares: of the log."""

    folder: Path
    count: int
    wanted: Collection[int]
    shares: int

    def make(self, share: int) -> None:
        """An empty file for each bucket: one that is missing later was removed, and is not an empty one."""
        for number in self.wanted:
            self._path(number, share).touch()

    def deal(self, share: int, events: Iterable[Recorded]) -> None:
        """Append these events of a share of the log to its files; those of buckets that are not wanted are left out.

        raises: OSError (a full disk), msgspec.ValidationError for an event that is no JSON object
        """
        dealt: dict[int, list[tuple[int, Recorded]]] = {}
        for event in events:
            location_id = location_of(event)
            number = NO_LOCATION if location_id == NO_LOCATION else location_id % self.count
            if number in self.wanted:
                dealt.setdefault(number, []).append((location_id, event))
        for number, some in dealt.items():
            text = _ENCODER.encode(some)
            with self._path(number, share).open("ab") as file:
                file.write(len(text).to_bytes(LENGTH_BYTES) + text)

    def locations(self, number: int) -> Iterator[Iterator[Recorded]]:
        """The events of each location of a bucket, in their order, decoded as they are asked for; by its id.

        raises: FileNotFoundError  it was not dealt
        """
        events: dict[int, list[msgspec.Raw]] = {}
        for some in self._read(number):
            for location_id, event in some:
                events.setdefault(location_id, []).append(event)
        for location_id in sorted(events):
            yield map(_EVENT.decode, events.pop(location_id))

    def others(self) -> Iterator[tuple[Recorded, ...]]:
        """What belongs to no location, some at a time, in its order. raises: FileNotFoundError: it was not dealt."""
        for some in self._read(NO_LOCATION):
            yield tuple(_EVENT.decode(event) for _, event in some)

    def _read(self, number: int) -> Iterator[list[tuple[int, msgspec.Raw]]]:
        for share in range(self.shares):
            with self._path(number, share).open("rb") as file:
                while head := file.read(LENGTH_BYTES):
                    yield _DEALT.decode(file.read(int.from_bytes(head)))

    def _path(self, number: int, share: int) -> Path:
        return self.folder / f"{number}.{share}"


def bucket_count(events: int, workers: int) -> int:
    """Into how many buckets that many events are dealt: so many that all workers have as many to draw."""
    count = events // EVENTS_A_BUCKET
    return 1 if count < 1 else min(MAX_BUCKETS, -(-count // workers) * workers)
