"""Stored images, to everybody: a name that can't be guessed is all it takes (contract §2 "Images")."""

from __future__ import annotations

import re
from typing import Final

import structlog
from aiohttp import hdrs, web

from api.services import SERVICES
from write_side.adapters.images import ImageMissing, ObjectImages
from write_side.domain.errors import ImagesOutOfReach

IMAGE: Final = "/images/{name}"
NAME: Final = re.compile(r"([0-9a-f]{32})\.(png|jpg|jpeg|svg)", re.ASCII)
TYPES: Final = {"png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "svg": "image/svg+xml"}
HEADERS: Final = {
    hdrs.CACHE_CONTROL: "public, max-age=31536000, immutable",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
}
NOT_MODIFIED: Final = 304

log = structlog.get_logger(__name__)


async def image(request: web.Request) -> web.StreamResponse:
    """The image of that name. It never changes, so its name is its ETag."""
    name = NAME.fullmatch(request.match_info["name"])
    if name is None:
        raise web.HTTPNotFound
    images = request.app[SERVICES].images
    response = web.StreamResponse(headers=HEADERS)
    response.etag = name[1]
    response.content_type = TYPES[name[2]]
    try:
        if any(tag.value in (name[1], "*") for tag in request.if_none_match or ()):
            await images.size(name[0])
            response.set_status(NOT_MODIFIED)
            await response.prepare(request)
        elif request.method == hdrs.METH_HEAD:
            response.content_length = await images.size(name[0])
            await response.prepare(request)
        else:
            await _send(request, response, images, name[0])
    except ImageMissing:
        raise web.HTTPNotFound from None
    return response


async def _send(request: web.Request, response: web.StreamResponse, images: ObjectImages, name: str) -> None:
    found = await images.get(name)
    response.content_length = found.size_bytes
    await response.prepare(request)
    try:
        async for chunk in found.chunks:
            await response.write(chunk)
        await response.write_eof()
    except ConnectionResetError:
        log.info("nobody waits for the image any more", name=name)
    except ImagesOutOfReach as trouble:
        log.warning("image breaks off", name=name, error=repr(trouble.__cause__))
        # Its head is out: that it is not whole can only be told by ending the connection.
        if request.transport is not None:
            request.transport.abort()
