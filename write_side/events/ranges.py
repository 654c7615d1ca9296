"""What travels from the log to projectors: ranges of recorded events, contiguous by position."""

from __future__ import annotations

from datetime import datetime
from typing import Final, NewType
from uuid import UUID

import msgspec

Position = NewType("Position", int)
"""Place of an event in the whole store: from 1, without holes, in commit order. 0: before the first."""


class Recorded(msgspec.Struct, frozen=True, array_like=True):
    """One event as the store recorded it, still encoded (see `codec`). at: when it was decided, UTC."""

    position: int
    stream: UUID
    version: int
    topic: str
    state: bytes
    party: str
    at: datetime
    command_id: UUID
    correlation_id: str
    actor: str

    @property
    def originator_id(self) -> UUID:
        """The stream, as the library calls it."""
        return self.stream

    @property
    def originator_version(self) -> int:
        """The version, as the library calls it."""
        return self.version


class Range(msgspec.Struct, frozen=True, array_like=True):
    """Consecutive events on their way. first, last: positions, inclusive; events: all of them, ascending."""

    first: int
    last: int
    events: tuple[Recorded, ...]


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(Range)

CONTENT_TYPE: Final = "application/msgpack"


def range_of(events: tuple[Recorded, ...]) -> Range:
    """The range that these consecutive events make; at least one."""
    return Range(events[0].position, events[-1].position, events)


def encode_range(run: Range) -> bytes:
    """MessagePack of a range."""
    return _ENCODER.encode(run)


def decode_range(body: bytes) -> Range:
    """The range in a message. raises: msgspec.MsgspecError where it isn't one."""
    return _DECODER.decode(body)
