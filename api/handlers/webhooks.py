"""W1–W4: a CPO's machine pushes locations, EVSEs and statuses (contract §3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api import bodies
from api.auth import machine
from api.calls import answer, json_body
from api.values import MAX_INT, UID_LENGTH
from write_side.domain.errors import EvseUidDoesNotExist, LocationIdDoesNotExist

if TYPE_CHECKING:
    from aiohttp import web


async def push_locations(request: web.Request) -> web.Response:
    """W1: new locations, and new EVSEs of known ones."""
    party, cpo_owner_id = await machine(request)
    body = await json_body(request)
    command = bodies.push_locations(body, party, cpo_owner_id)
    return await answer(request, command, actor=f"cpo:{party}", body=body)


async def push_evse(request: web.Request) -> web.Response:
    """W2: a new EVSE of a known location."""
    party, _ = await machine(request)
    body = await json_body(request)
    return await answer(request, bodies.push_evse(body, party), actor=f"cpo:{party}", body=body)


async def change_status(request: web.Request) -> web.Response:
    """W3: another status of an EVSE and its connectors."""
    party, _ = await machine(request)
    body = await json_body(request)
    uid = request.match_info["evse_uid"]
    command = bodies.change_status(body, party, uid.strip())
    if len(uid) > UID_LENGTH or not uid.isascii() or not uid.isprintable():
        raise EvseUidDoesNotExist(_shown(uid))
    return await answer(request, command, actor=f"cpo:{party}", body=body)


async def change_location(request: web.Request) -> web.Response:
    """W4: other fields of a location."""
    party, _ = await machine(request)
    body = await json_body(request)
    location_id = request.match_info["location_id"]
    is_id = location_id.isascii() and location_id.isdecimal() and len(location_id) <= len(str(MAX_INT))
    command = bodies.change_location(body, party, int(location_id) if is_id else 0)
    if not 1 <= command.location_id <= MAX_INT:
        raise LocationIdDoesNotExist(_shown(location_id))
    return await answer(request, command, actor=f"cpo:{party}", body=body)


def _shown(text: str) -> str:
    """What a client sent, fit to be told back."""
    return "".join(letter for letter in text[:UID_LENGTH] if letter.isprintable())
