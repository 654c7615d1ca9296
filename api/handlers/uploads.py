"""R9, R10, R15 and R16: a CPO's user uploads locations as CSV, and approves what was staged (contract §2, §4)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from api.auth import cpo_user
from api.bodies import PageQuery
from api.calls import answer, limited_body, min_position
from api.csv_rows import rows_of
from api.envelope import SUCCESS, envelope
from api.forms import queried
from api.multipart import Upload, multipart_form
from api.services import SERVICES
from write_side.commands.wishes import ApproveStaged, ImportLocations, RejectStaged, StageLocations
from write_side.domain.errors import Faults, InvalidFileType, MissingFile, TooManyFiles

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from aiohttp import web

    from api.multipart import Form
    from write_side.domain.uploads import Rows

UPLOAD: Final = Upload("file", ("text/csv",))
SUFFIX: Final = ".csv"


async def import_locations(request: web.Request) -> web.Response:
    """R9: the locations of a file are registered."""
    user = await cpo_user(request)
    services = request.app[SERVICES]
    async with multipart_form(request, limit_bytes=services.body_csv_bytes) as form:
        rows = _rows(form, services.csv_rows)
        async with services.stagings.open(user.party) as staging:
            command = ImportLocations(user.party, user.cpo_owner_id, rows, staging)
            return await answer(request, command, actor=f"cpo:{user.party}", body=form)


async def stage_locations(request: web.Request) -> web.Response:
    """R10: the locations of a file wait for approval."""
    user = await cpo_user(request)
    services = request.app[SERVICES]
    async with multipart_form(request, limit_bytes=services.body_csv_bytes) as form:
        rows = _rows(form, services.csv_rows)
        async with services.stagings.open(user.party) as staging:
            command = StageLocations(user.party, rows, staging)
            return await answer(request, command, actor=f"cpo:{user.party}", body=form)


def _rows(form: Form, max_rows: int) -> Callable[[], AsyncGenerator[Rows, None]]:
    """The rows of the form's one file. raises: Faults, InvalidFileType."""
    parts = form.files.get(UPLOAD.key, [])
    if len(parts) != 1:
        raise Faults([(TooManyFiles() if parts else MissingFile()).at(UPLOAD.key)])
    if not parts[0].filename.lower().endswith(SUFFIX):
        raise InvalidFileType
    return partial(rows_of, parts[0].file, max_rows=max_rows)


async def approve(request: web.Request) -> web.Response:
    """R16: what is staged is registered."""
    user = await cpo_user(request)
    services = request.app[SERVICES]
    body = await limited_body(request, services.body_json_bytes)
    async with services.stagings.open(user.party) as staging:
        command = ApproveStaged(user.party, user.cpo_owner_id, staging)
        return await answer(request, command, actor=f"cpo:{user.party}", body=body)


async def reject(request: web.Request) -> web.Response:
    """R16: what is staged is dropped."""
    user = await cpo_user(request)
    services = request.app[SERVICES]
    body = await limited_body(request, services.body_json_bytes)
    async with services.stagings.open(user.party) as staging:
        return await answer(request, RejectStaged(user.party, staging), actor=f"cpo:{user.party}", body=body)


async def pending(request: web.Request) -> web.Response:
    """R15: how many locations and EVSEs wait for approval."""
    user = await cpo_user(request)
    reports = request.app[SERVICES].pending
    return envelope(200, await reports.counts(user.party, min_position=min_position(request)), SUCCESS)


async def pending_items(request: web.Request) -> web.Response:
    """Beside R16: what waits for approval."""
    user = await cpo_user(request)
    page = queried(PageQuery, request.query)
    reports = request.app[SERVICES].pending
    items = await reports.items(user.party, limit=page.limit, offset=page.offset, min_position=min_position(request))
    return envelope(200, items, SUCCESS)
