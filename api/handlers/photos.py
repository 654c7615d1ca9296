"""R7 and R8: a CPO's user adds photos to a location, and replaces one (contract §2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from api.auth import cpo_user
from api.calls import answer
from api.form_parts import image_files, whole_number
from api.multipart import multipart_form
from api.services import SERVICES
from api.values import MAX_INT
from write_side.commands.wishes import AddLocationPhotos, ReplaceLocationPhoto
from write_side.domain.errors import Fault, Faults

if TYPE_CHECKING:
    from aiohttp import web

MAX_PHOTOS: Final = 5


async def add_photos(request: web.Request) -> web.Response:
    """R7: more photos of a location."""
    user = await cpo_user(request)
    async with multipart_form(request, limit_bytes=request.app[SERVICES].body_photos_bytes) as form:
        faults: list[Fault] = []
        location_id = whole_number(form, "location_id", faults)
        files = image_files(form, "location_photos", at_most=MAX_PHOTOS, faults=faults)
        if faults:
            raise Faults(faults)
        command = AddLocationPhotos(user.party, user.cpo_owner_id, location_id, files)
        return await answer(request, command, actor=f"cpo:{user.party}", body=form)


async def replace_photo(request: web.Request) -> web.Response:
    """R8: another image in a photo's place."""
    user = await cpo_user(request)
    async with multipart_form(request, limit_bytes=request.app[SERVICES].body_image_bytes) as form:
        faults: list[Fault] = []
        files = image_files(form, "location_photo", at_most=1, faults=faults)
        if faults:
            raise Faults(faults)
        command = ReplaceLocationPhoto(user.party, user.cpo_owner_id, _id_of(request), files[0])
        return await answer(request, command, actor=f"cpo:{user.party}", body=form)


def _id_of(request: web.Request) -> int:
    """The photo that the path names; 0, which no photo has, where it is no id."""
    text = request.match_info["photo_id"]
    is_id = text.isascii() and text.isdecimal() and len(text) <= len(str(MAX_INT))
    return int(text) if is_id else 0
