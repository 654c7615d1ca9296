"""The calls with files as functions: R2, R7, R8, R14, and images as anybody sees them."""

from __future__ import annotations

from typing import Any, Final

from tests.support.client import Cpo, FormPart, Reply, a_location, an_evse
from tests.support.pictures import a_picture
from tests.support.world import Service

UPLOAD: Final = "/ocpi/cpo/2.2/cpo/upload"
LOGO: Final = "/ocpi/cpo/2.2/cpo/logo/upload"
PHOTOS: Final = "/ocpi/cpo/api/v1/locations/photos/uploads"
DETAILS: Final = "/ocpi/cpo/2.2/details"


async def bearer_of(emsp: Service, cpo: Cpo) -> str:
    """The Authorization header of the CPO's user."""
    return f"Bearer {await emsp.client.log_in(cpo)}"


async def a_location_of(emsp: Service, cpo: Cpo, name: str = "Harbor Point", **changed: Any) -> int:
    """The id of a new location with one EVSE."""
    reply = await emsp.client.push_locations(cpo, [a_location(name, an_evse(name[:30]), **changed)])
    assert reply.status == 200, reply.body
    location_id: int = reply.body["data"][0]["location_id"]
    return location_id


async def add_photos(emsp: Service, user: str, location_id: object, *photos: FormPart | bytes, **headers: str) -> Reply:
    """R7 with these pictures, `photo.png` each where no name is given."""
    parts = [one if isinstance(one, FormPart) else FormPart("location_photos", one, "photo.png") for one in photos]
    return await emsp.client.send_form(
        "POST", PHOTOS, user, FormPart("location_id", str(location_id)), *parts, **headers
    )


async def replace_photo(
    emsp: Service, user: str, photo_id: object, content: bytes, filename: str = "photo.png", **headers: str
) -> Reply:
    """R8."""
    return await emsp.client.send_form(
        "PATCH", f"{PHOTOS}/{photo_id}", user, FormPart("location_photo", content, filename), **headers
    )


async def upload_logo(
    emsp: Service, authorization: str, filename: str = "logo.png", content: bytes | None = None
) -> Reply:
    """R2."""
    part = FormPart("cpo_logo", a_picture() if content is None else content, filename)
    return await emsp.client.send_form("POST", UPLOAD, authorization, part)


async def change_logo(emsp: Service, user: str, filename: object, **headers: str) -> Reply:
    """R14."""
    return await emsp.client.call("PATCH", LOGO, {"logo": filename}, Authorization=user, **headers)


async def image(emsp: Service, url: str, method: str = "GET", **headers: str) -> tuple[int, bytes, Any]:
    """Status, body and headers of what anybody gets there."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with emsp.client.session.request(method, emsp.base_url + url, headers=named) as response:
        return response.status, await response.read(), response.headers


def files_of(emsp: Service) -> list[str]:
    """The stored images of a service whose images lie in its folder."""
    return sorted(path.name for path in (emsp.mails.parent / "images").iterdir())
