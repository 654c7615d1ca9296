"""The commands: frozen, understood, not yet decided."""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from ocpi.identifiers import Party
    from write_side.domain.cpo import CpoDraft
    from write_side.domain.drafts import ConnectorStatusDraft, EvseDraft, LocationDraft, LocationPatch
    from write_side.domain.errors import Fault
    from write_side.domain.uploads import Rows
    from write_side.ports import Staging


class ImageFile(NamedTuple):
    """A file of a call that is to be an image. field: where it stood in the call; file: at its start."""

    field: str
    filename: str
    file: IO[bytes]


@dataclass(frozen=True, slots=True)
class PushLocations:
    """W1. faults: unknown codes that the door saw; they are told together with what the rules find."""

    party: Party
    cpo_owner_id: int
    drafts: tuple[LocationDraft, ...]
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True)
class PushEvse:
    """W2. faults: as in PushLocations."""

    party: Party
    location_id: int
    draft: EvseDraft
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True)
class ChangeEvseStatus:
    """W3. status None: stays; connectors not named stay."""

    party: Party
    evse_uid: str
    status: str | None
    connectors: tuple[ConnectorStatusDraft, ...] = ()


@dataclass(frozen=True, slots=True)
class ChangeLocation:
    """W4. faults: as in PushLocations."""

    party: Party
    location_id: int
    patch: LocationPatch
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True)
class RegisterCpo:
    """R1."""

    draft: CpoDraft


@dataclass(frozen=True, slots=True)
class ImportLocations:
    """R9. rows: reads the file from its start; staging: where it waits while it is decided."""

    party: Party
    cpo_owner_id: int
    rows: Callable[[], AsyncGenerator[Rows, None]]
    staging: Staging


@dataclass(frozen=True, slots=True)
class StageLocations:
    """R10. As ImportLocations."""

    party: Party
    rows: Callable[[], AsyncGenerator[Rows, None]]
    staging: Staging


@dataclass(frozen=True, slots=True)
class ApproveStaged:
    """R16: all that is staged is registered."""

    party: Party
    cpo_owner_id: int
    staging: Staging


@dataclass(frozen=True, slots=True)
class RejectStaged:
    """R16: all that is staged is dropped."""

    party: Party
    staging: Staging


@dataclass(frozen=True, slots=True)
class AddLocationPhotos:
    """R7. files: at least one."""

    party: Party
    cpo_owner_id: int
    location_id: int
    files: tuple[ImageFile, ...]


@dataclass(frozen=True, slots=True)
class ReplaceLocationPhoto:
    """R8."""

    party: Party
    cpo_owner_id: int
    photo_id: int
    file: ImageFile


@dataclass(frozen=True, slots=True)
class ChangeCpoLogo:
    """R14. filename: of an upload, or of the logo that the CPO has."""

    party: Party
    cpo_owner_id: int
    filename: str


@dataclass(frozen=True, slots=True)
class RotateTokenC:
    """`emsp cpo rotate-token-c`."""

    party: Party


@dataclass(frozen=True, slots=True)
class ResetPassword:
    """`emsp cpo reset-password`."""

    party: Party


@dataclass(frozen=True, slots=True)
class ForgetCpo:
    """`emsp forget`."""

    party: Party


Command = (
    PushLocations
    | PushEvse
    | ChangeEvseStatus
    | ChangeLocation
    | RegisterCpo
    | ImportLocations
    | StageLocations
    | ApproveStaged
    | RejectStaged
    | AddLocationPhotos
    | ReplaceLocationPhoto
    | ChangeCpoLogo
    | RotateTokenC
    | ResetPassword
    | ForgetCpo
)
