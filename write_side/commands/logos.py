"""R2 and R14: an image is uploaded, and an upload becomes a CPO's logo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from write_side.commands.images import checked, stored
from write_side.domain import cpo as cpos
from write_side.domain.changes import Changes, Claim, Decision
from write_side.domain.cpo import Cpo, Upload
from write_side.domain.errors import Faults, LogoNotExists, LogoNotUnique
from write_side.events.ranges import Position
from write_side.events.streams import cpo_stream

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from write_side.commands.wishes import ChangeCpoLogo, ImageFile
    from write_side.ports import World

TAKEN_UPLOADS = "upload"
"""The scope of claims in which a stored image has one CPO: of two that take it at once, one wins."""


async def upload_for_all(file: ImageFile, client: str, world: World) -> None:
    """R2 with Basic: an image that any CPO may take within a day.

    raises: Faults  INVALID_IMAGE; StoreOutOfReach, ImagesOutOfReach
    """
    await world.loose_images.offer_to_all(await _stored(file, world), client)


async def upload_for_one(file: ImageFile, cpo_owner_id: int, world: World) -> None:
    """R2 with Bearer: an image that is this CPO's alone.

    raises: Faults  INVALID_IMAGE; StoreOutOfReach, ImagesOutOfReach
    """
    await world.loose_images.offer_to_one(await _stored(file, world), cpo_owner_id)


async def _stored(file: ImageFile, world: World) -> Upload:
    (name,) = await stored(await checked([file], world), world)
    return Upload(name, file.filename)


def taken(upload: Upload, cpo_owner_id: int) -> Claim:
    """The claim that makes an upload one CPO's."""
    return Claim(TAKEN_UPLOADS, upload.name, str(cpo_owner_id))


@dataclass(frozen=True, slots=True)
class LogoState:
    """own, shared: uploads of that file name. position: of the CPO's last event."""

    cpo: Cpo
    own: tuple[Upload, ...]
    shared: tuple[Upload, ...]
    position: Position


async def prepare_logo(_command: ChangeCpoLogo, world: World, _command_id: UUID) -> datetime:
    """The time."""
    return world.clock()


async def load_logo(command: ChangeCpoLogo, _at: datetime, world: World) -> LogoState:
    """The CPO, and what the file name could mean."""
    stream = cpo_stream(command.party)
    # Uploads first: one that is taken meanwhile is then missing here, or there in the CPO's history.
    own = await world.loose_images.own(command.cpo_owner_id, command.filename)
    shared = await world.loose_images.shared(command.filename)
    history = await world.events.load([stream])
    cpo = history.of(stream)
    if not isinstance(cpo, Cpo):
        raise TypeError(f"{command.party} has users, and no events of a CPO")
    return LogoState(cpo, tuple(own), tuple(shared), history.positions[stream])


def decide_logo(command: ChangeCpoLogo, at: datetime, state: LogoState) -> Decision:
    """The upload that is meant becomes the logo; nothing where it is that already.

    raises: Faults  LOGO_NOT_EXISTS, LOGO_NOT_UNIQUE
    """
    try:
        upload = cpos.chosen_logo(state.cpo, command.filename, own=state.own, shared=state.shared)
    except (LogoNotExists, LogoNotUnique) as refusal:
        raise Faults([refusal.at("logo")]) from None
    event = cpos.change_logo(state.cpo, upload, at=at)
    if event is None:
        return Decision(None, [])
    old = () if state.cpo.logo is None else (state.cpo.logo.name,)
    claims = (taken(upload, command.cpo_owner_id),)
    return Decision(Changes(command.party, (event,), claims, images_used=(upload.name,), images_replaced=old), [])
