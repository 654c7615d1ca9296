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
"""Number of the bucket of those events that belong to no location."""

_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(tuple[Recorded, ...])


class _Keyed(msgspec.Struct):
    location_id: int | None = None


_KEY: Final = msgspec.json.Decoder(_Keyed)


def location_of(event: Recorded) -> int | None:
    """The location that an event is about. raises: msgspec.ValidationError for an event that is no JSON object."""
    return _KEY.decode(event.state).location_id


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
        dealt: dict[int, list[Recorded]] = {}
        for event in events:
            location_id = location_of(event)
            number = NO_LOCATION if location_id is None else location_id % self.count
            if number in self.wanted:
                dealt.setdefault(number, []).append(event)
        for number, some in dealt.items():
            text = _ENCODER.encode(some)
            with self._path(number, share).open("ab") as file:
                file.write(len(text).to_bytes(LENGTH_BYTES) + text)

    def read(self, number: int) -> Iterator[tuple[Recorded, ...]]:
        """The events of one bucket, some at a time, in their order. raises: FileNotFoundError: not dealt."""
        for share in range(self.shares):
            with self._path(number, share).open("rb") as file:
                while head := file.read(LENGTH_BYTES):
                    yield _DECODER.decode(file.read(int.from_bytes(head)))

    def _path(self, number: int, share: int) -> Path:
        return self.folder / f"{number}.{share}"


def bucket_count(events: int) -> int:
    """Into how many buckets that many events are dealt."""
    return min(MAX_BUCKETS, max(1, events // EVENTS_A_BUCKET))
