"""Files of a call become stored images, of which no event speaks yet; what comes of them is the command's business."""

from __future__ import annotations

from typing import TYPE_CHECKING

from write_side.domain.errors import Fault, Faults, InvalidImage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from write_side.commands.wishes import ImageFile
    from write_side.ports import Picture, World


async def checked(files: Sequence[ImageFile], world: World) -> list[Picture]:
    """Each file as a picture that may be shown. raises: Faults  INVALID_IMAGE at every file that is none."""
    pictures: list[Picture] = []
    faults: list[Fault] = []
    for one in files:
        try:
            pictures.append(await world.pictures.checked(one.filename, one.file))
        except InvalidImage as refusal:
            faults.append(refusal.at(one.field))
    if faults:
        raise Faults(faults)
    return pictures


async def stored(pictures: Sequence[Picture], world: World) -> list[str]:
    """The names under which they lie now: random, with the extension of what they are; loose (see `LooseImages`).

    raises: StoreOutOfReach, ImagesOutOfReach
    """
    names = [f"{world.new_id().hex}.{picture.extension}" for picture in pictures]
    await world.loose_images.announce(names)
    for name, picture in zip(names, pictures, strict=True):
        await world.images.put(name, picture.content)
    return names
