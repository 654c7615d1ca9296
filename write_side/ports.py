"""What a command may ask of the world. Adapters and the store stand behind these; compose hands them in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from eventsourcing.domain import DomainEvent

    from ocpi.identifiers import Party
    from write_side.domain.aggregates import Aggregate
    from write_side.domain.changes import Changes, Claim
    from write_side.domain.cpo import Upload
    from write_side.domain.place import Ask, Placed
    from write_side.domain.uploads import EvseRow, LocationOfRows
    from write_side.events.pending import LocationsStaged
    from write_side.events.ranges import Position

IdKind = Literal["location", "connector", "cpo_owner", "photo"]


@dataclass(frozen=True, slots=True)
class History:
    """What became of some streams. states: by stream, those that exist; positions: of each one's last event."""

    states: Mapping[UUID, Aggregate]
    positions: Mapping[UUID, Position]

    def of(self, stream: UUID) -> Aggregate | None:
        """The state of one stream; None where it doesn't exist."""
        return self.states.get(stream)


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A sender's key. scope: who and where to; fingerprint: SHA-256 of the body (contract §3)."""

    scope: str
    key: str
    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What an accepted command answers. data: the contract's payload; ignored: for the header `Emsp-Ignored`."""

    data: object
    position: Position
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Remembered:
    """What a call with that key answered the first time, and the fingerprint of its body."""

    fingerprint: bytes
    answer: Answer


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a command comes from. correlation_id: the request's id; actor: who asked (`cpo:PH/ABC`)."""

    correlation_id: str
    actor: str
    key: IdempotencyKey | None = None


@dataclass(frozen=True, slots=True)
class Submission:
    """One command's changes on their way into the store. changes None: only the answer is to be remembered."""

    command_id: UUID
    origin: Origin
    changes: Changes | None
    data: object
    ignored: tuple[str, ...]
    position: Position


class Events(Protocol):
    """The event store."""

    async def load(self, streams: Collection[UUID]) -> History:
        """These streams as they are now. raises: StoreOutOfReach."""

    async def claim_owners(self, claims: Collection[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """The owner of each (scope, key) that is taken."""

    async def claims_in(self, scopes: Collection[str]) -> dict[str, int]:
        """How many keys are taken in each scope; scopes without any are left out."""

    async def take_ids(self, kind: IdKind, count: int) -> list[int]:
        """That many new integers, never given again."""

    async def remembered(self, scope: str, key: str) -> Remembered | None:
        """What was answered under that idempotency key."""

    async def append(self, submission: Submission) -> Position:
        """Write everything of one command, or nothing.

        returns: position of its last event; positions have no holes and follow commit order
        raises:  Conflict  a stream or a claim has moved on; KeyTaken; StoreOutOfReach
        source:  contract §3 "all or nothing"
        """

    async def personal_key(self, key_id: UUID) -> bytes | None:
        """That key of personal data, sealed; None where it was destroyed. raises: StoreOutOfReach."""

    async def reserve_party_id(self, country_code: str, candidates: Sequence[str], command_id: UUID) -> str | None:
        """The first candidate that nobody has, reserved in a transaction of its own; None: all are taken."""

    async def release_party_id(self, country_code: str, party_id: str, command_id: UUID) -> None:
        """Give back what a refused command had reserved."""


@dataclass(frozen=True, slots=True)
class Pending:
    """How far the stream of a CPO's staged uploads has come. settled: version of the last approval or rejection."""

    settled: int
    version: int

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits for approval."""
        return self.settled == self.version


class Staging(Protocol):
    """One upload on its way into the log: its rows, and then what is decided of them.

    It is gone when the upload ends, however that is. A party has one at a time.
    """

    async def add(self, locations: Sequence[LocationOfRows], rows: Sequence[EvseRow]) -> None:
        """Keep these, in the order of their numbers."""

    async def locations(self, first: int, last: int) -> list[LocationOfRows]:
        """The locations of these numbers."""

    def rows(self, first: int, last: int) -> AsyncIterator[list[EvseRow]]:
        """The rows of these locations' EVSEs, some at a time: those of a location, and of an EVSE, together."""

    async def existing(self, streams: Collection[UUID]) -> set[UUID]:
        """Which of these streams there are in the log."""

    async def pending(self, party: Party) -> Pending:
        """How far the party's stream of staged uploads has come."""

    def pending_events(self, party: Party) -> AsyncIterator[LocationsStaged]:
        """What waits for approval, in order."""

    async def begin(self) -> None:
        """Forget what was decided: it is decided again."""

    async def keep(self, events: Sequence[DomainEvent], claims: Sequence[Claim]) -> None:
        """What was decided, to be appended with all the rest of it."""

    async def append(self, submission: Submission) -> Position:
        """Append all that was kept, or nothing. submission: whose events and claims are those kept.

        raises: Conflict, KeyTaken, StoreOutOfReach  as `Events.append`
        """


class Geocoder(Protocol):
    """Places addresses."""

    async def place_many(self, asked: Sequence[Ask]) -> list[Placed]:
        """Where each lies, in order. raises: GeocoderOutOfReach."""


class Secrets(Protocol):
    """Makes and hides secrets."""

    def new_token(self) -> str:
        """A random token of at least 128 bits, in printable ASCII."""

    def new_password(self) -> str:
        """A random temporary password that people can type."""

    def token_hash(self, token: str) -> bytes:
        """SHA-256 of a token."""

    async def password_hash(self, password: str) -> str:
        """Argon2id of a password; takes tens of milliseconds, in a thread."""

    def new_key(self) -> bytes:
        """A random AES-256 key."""

    def seal_with(self, key: bytes, text: bytes, about: bytes) -> bytes:
        """The text encrypted with that key (AES-GCM). about: what else must be the same to open it."""

    def unseal_with(self, key: bytes, sealed: bytes, about: bytes) -> bytes:
        """The text again. raises: ValueError where the key, or what it is about, is another one."""

    def seal(self, text: bytes) -> bytes:
        """The text encrypted with the configured key (AES-GCM)."""

    def unseal(self, sealed: bytes) -> bytes:
        """The text again. raises: ValueError where the key is another one."""


class Mailer(Protocol):
    """Delivers mail."""

    async def send(self, message: bytes) -> None:
        """Deliver one RFC 5322 message; it is somebody else's when this returns.

        raises: MailRefused           for good
                MailServerOutOfReach  for now; so does OSError
        """


@dataclass(frozen=True, slots=True)
class Picture:
    """An image that may be shown. extension: `png`, `jpg`, `jpeg` or `svg`; content: encoded by us."""

    extension: str
    content: bytes


class Pictures(Protocol):
    """Knows what an image may be."""

    async def checked(self, filename: str, file: IO[bytes]) -> Picture:
        """The image in that file, made harmless, where it is what its name says. raises: InvalidImage."""


class Images(Protocol):
    """Keeps images under names that we make."""

    async def put(self, name: str, content: bytes) -> None:
        """Store an image, whole or not at all. raises: ImagesOutOfReach."""

    async def remove(self, name: str) -> None:
        """Remove an image; one that is not there is removed already. raises: ImagesOutOfReach."""


class LooseImages(Protocol):
    """Remembers stored images of which no event speaks: an append's `images_used` are no longer among them.

    Every method raises: StoreOutOfReach
    """

    async def announce(self, names: Sequence[str]) -> None:
        """Images of these names are about to be stored. What is then neither offered nor used is removed."""

    async def offer_to_all(self, upload: Upload, client: str) -> None:
        """For a day any CPO may take that image, which a Basic client has sent."""

    async def offer_to_one(self, upload: Upload, cpo_owner_id: int) -> None:
        """That CPO may take that image, and nobody else."""

    async def own(self, cpo_owner_id: int, filename: str) -> list[Upload]:
        """What that CPO has sent under that file name and not taken, the newest first."""

    async def shared(self, filename: str) -> list[Upload]:
        """What anybody may take under that file name; two where there are several."""

    async def let_go(self, names: Sequence[str]) -> None:
        """Nobody wants these any more: they are removed."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The limits that decisions keep; from the settings."""

    country_code: str = "PH"
    max_evses_per_location: int = 500
    max_photos_per_location: int = 50
    temporary_password_days: int = 14
    mail_sender: str = "no-reply@emsp.example"


@dataclass(frozen=True, slots=True)
class World:
    """Everything that commands may use. clock: UTC now; new_id: a random UUID; pause: wait before the nth try again."""

    events: Events
    geocoder: Geocoder
    secrets: Secrets
    pictures: Pictures
    images: Images
    loose_images: LooseImages
    rules: Rules
    clock: Callable[[], datetime]
    new_id: Callable[[], UUID]
    pause: Callable[[int], Awaitable[None]]
