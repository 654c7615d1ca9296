"""R2 and R14: an image is uploaded, and an upload becomes a CPO's logo (contract §2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from api import bodies
from api.auth import caller_network, cpo_user, uploader
from api.calls import answer, json_body
from api.envelope import NOTHING, SUCCESS, envelope
from api.form_parts import image_files
from api.multipart import multipart_form
from api.services import SERVICES
from write_side.accounts.tokens import Bearer
from write_side.commands.logos import upload_for_all, upload_for_one
from write_side.commands.wishes import ChangeCpoLogo
from write_side.domain.errors import Fault, Faults

if TYPE_CHECKING:
    from aiohttp import web

FIELD: Final = "cpo_logo"


async def upload_logo(request: web.Request) -> web.Response:
    """R2: an image that may become a logo."""
    caller = await uploader(request)
    services = request.app[SERVICES]
    name = f"cpo:{caller.party}" if isinstance(caller, Bearer) else f"client:{caller.name}"
    services.rates.logo_upload.count(name, caller_network(request))
    async with multipart_form(request, limit_bytes=services.body_image_bytes) as form:
        faults: list[Fault] = []
        files = image_files(form, FIELD, at_most=1, faults=faults)
        if faults:
            raise Faults(faults)
        if isinstance(caller, Bearer):
            await upload_for_one(files[0], caller.cpo_owner_id, services.world)
        else:
            await upload_for_all(files[0], caller.name, services.world)
    return envelope(200, NOTHING, SUCCESS)


async def change_logo(request: web.Request) -> web.Response:
    """R14: an upload becomes the caller's logo."""
    user = await cpo_user(request)
    body = await json_body(request)
    command = ChangeCpoLogo(user.party, user.cpo_owner_id, bodies.logo_name(body))
    return await answer(request, command, actor=f"cpo:{user.party}", body=body)
