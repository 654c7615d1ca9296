"""The log, dealt into files by location, so that each can be folded by itself in little memory.

All events of one location are in one file, in their order; what belongs to no location is in a file of its own.
100,000 locations folded at once would take a gigabyte.
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


@dataclass(frozen=True, slots=True)
class Buckets:
    """Where the files are, and into how many locations are dealt."""

    folder: Path
    count: int

    def path(self, number: int) -> Path:
        """The file of one bucket."""
        return self.folder / ("others" if number == NO_LOCATION else f"{number:04}")

    def make(self, wanted: Collection[int]) -> None:
        """An empty file for each of these buckets: one that is missing later was removed, and is not an empty one."""
        for number in wanted:
            self.path(number).touch()

    def deal(self, events: Iterable[Recorded], wanted: Collection[int]) -> None:
        """Append these events to the files of those buckets that are wanted; the others are left out.

        raises: OSError (a full disk), msgspec.ValidationError for an event that is no JSON object
        """
        dealt: dict[int, list[Recorded]] = {}
        for event in events:
            location_id = _KEY.decode(event.state).location_id
            number = NO_LOCATION if location_id is None else location_id % self.count
            if number in wanted:
                dealt.setdefault(number, []).append(event)
        for number, some in dealt.items():
            text = _ENCODER.encode(some)
            with self.path(number).open("ab") as file:
                file.write(len(text).to_bytes(LENGTH_BYTES) + text)

    def read(self, number: int) -> Iterator[tuple[Recorded, ...]]:
        """The events of one bucket, some at a time, in their order. raises: FileNotFoundError: not dealt."""
        with self.path(number).open("rb") as file:
            while head := file.read(LENGTH_BYTES):
                yield _DECODER.decode(file.read(int.from_bytes(head)))


def bucket_count(events: int) -> int:
    """Into how many files that many events are dealt."""
    return min(MAX_BUCKETS, max(1, events // EVENTS_A_BUCKET))
