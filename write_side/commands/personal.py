"""Personal data of a CPO's contact: in events only encrypted, with a key that can be destroyed.

AES-GCM, the key's id, the stream and the version as associated data: what is sealed for one event opens in no other.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from write_side.domain.changes import NewPersonalKey
from write_side.events.cpo import ContactData, PersonalData

if TYPE_CHECKING:
    from write_side.domain.cpo import Cpo
    from write_side.ports import World


def _about(key_id: str, stream: UUID, version: int) -> bytes:
    return f"{key_id}/{stream}/{version}".encode()


def seal_contact(
    world: World, contact: ContactData, *, stream: UUID, version: int
) -> tuple[PersonalData, NewPersonalKey]:
    """The contact as that event keeps it, and the new key that opens it, itself sealed."""
    key_id, key = world.new_id(), world.secrets.new_key()
    sealed = world.secrets.seal_with(key, msgspec.json.encode(contact), _about(str(key_id), stream, version))
    personal: PersonalData = {"key_id": str(key_id), "sealed": base64.b64encode(sealed).decode()}
    return personal, NewPersonalKey(key_id, world.secrets.seal(key))


async def open_contact(world: World, personal: PersonalData, *, stream: UUID, version: int) -> ContactData | None:
    """The contact again; None where its key was destroyed.

    raises: StoreOutOfReach; ValueError where it was sealed for another event, or the seal key is another one
    """
    if "clear" in personal:
        return personal["clear"]
    sealed_key = await world.events.personal_key(UUID(personal["key_id"]))
    if sealed_key is None:
        return None
    text = world.secrets.unseal_with(
        world.secrets.unseal(sealed_key),
        base64.b64decode(personal["sealed"]),
        _about(personal["key_id"], stream, version),
    )
    return msgspec.json.decode(text, type=ContactData)


async def contact_of(world: World, cpo: Cpo) -> ContactData | None:
    """The contact of a CPO's registration; None where it was forgotten."""
    return await open_contact(world, cpo.contact, stream=cpo.stream, version=1)
