"""The table of calls: contract row, method, path, handler, and what the API's description says of each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import hdrs, web

from api import answers, bodies
from api.answers import Nothing, Success
from api.auth import Auth
from api.calls import IGNORED
from api.envelope import SUCCESS
from api.forms import Body
from api.handlers import cpos, logos, photos, reports, sessions, uploads, webhooks
from api.multipart import Upload
from write_side.domain import errors
from write_side.domain.errors import DomainError

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Route:
    """One call of the contract, and all that `GET /openapi.json` says of it; what follows from these is not repeated.

    row: of contract §2; auth: any one of them; body: JSON of that form, or a multipart form; answer: the type of `data`
    refusals: the rules that may refuse it, beside those of its form
    appends: it is a command: takes an Idempotency-Key, answers Emsp-Position
    awaits_views: takes Emsp-Min-Position
    reads_rows: its faults are of rows of a file
    headers: further ones of the answer
    """

    row: str
    method: str
    path: str
    handler: Handler
    summary: str = ""
    auth: tuple[Auth, ...] = ()
    body: type[Body] | Upload | None = None
    query: type[Body] | None = None
    answer: Any = Nothing
    message: str = SUCCESS
    refusals: tuple[type[DomainError], ...] = ()
    appends: bool = False
    awaits_views: bool = False
    reads_rows: bool = False
    headers: tuple[str, ...] = ()


IN_FILES: Final = (errors.InvalidFileType, errors.MissingFile, errors.TooManyFiles, errors.NoConnector)
IN_ROWS: Final = (errors.DuplicateEvseUid, errors.LocationNameExists, errors.LocationNotFound, errors.TooManyEvses)

ROUTES: Final = (
    Route(
        "R1",
        "POST",
        "/ocpi/cpo/2.2/register",
        cpos.register,
        summary="Register a CPO; its party id, token and temporary password go out by mail",
        auth=(Auth.CLIENT,),
        body=bodies.RegisterBody,
        answer=Success,
        refusals=(errors.UsernameExists, errors.CpoOwnerNameExists, errors.NoPartyIdLeft),
        appends=True,
    ),
    Route(
        "R2",
        "POST",
        "/ocpi/cpo/2.2/cpo/upload",
        logos.upload_logo,
        summary="Upload an image that may become a logo: anybody's for a day, or with an access token that CPO's alone",
        auth=(Auth.CLIENT, Auth.USER),
        body=Upload("cpo_logo"),
        refusals=(errors.MissingFile, errors.TooManyFiles, errors.InvalidImage),
    ),
    Route(
        "R3",
        "POST",
        "/ocpi/cpo/api/auth/v1/login",
        sessions.log_in,
        summary="Log in a CPO's user",
        auth=(Auth.CLIENT,),
        body=bodies.LoginBody,
        answer=answers.Tokens,
        message=sessions.SUCCESS,
        headers=(str(hdrs.CACHE_CONTROL),),
    ),
    Route(
        "R4",
        "GET",
        "/ocpi/cpo/api/auth/v1/refresh",
        sessions.refresh,
        summary="Two new tokens for a refresh token, which is then used up",
        auth=(Auth.REFRESH,),
        answer=answers.Tokens,
        message=sessions.SUCCESS,
        headers=(str(hdrs.CACHE_CONTROL),),
    ),
    Route(
        "R5",
        "POST",
        "/ocpi/cpo/api/auth/v1/logout",
        sessions.log_out,
        summary="Log out: both tokens stop at once",
        auth=(Auth.USER,),
        message=sessions.LOGGED_OUT,
    ),
    Route(
        "R6",
        "POST",
        "/ocpi/cpo/api/auth/v1/change-old-password",
        sessions.change_password,
        summary="Change the password; all other sessions of the user end",
        auth=(Auth.USER,),
        body=bodies.ChangePasswordBody,
        answer=Success,
        refusals=(errors.InvalidOldPassword, errors.PasswordsDoNotMatch, errors.WeakPassword),
    ),
    Route(
        "R7",
        "POST",
        "/ocpi/cpo/api/v1/locations/photos/uploads",
        photos.add_photos,
        summary="Add photos to a location",
        auth=(Auth.USER,),
        body=Upload("location_photos", photos.MAX_PHOTOS, ("location_id",)),
        refusals=(
            errors.LocationNotFound,
            errors.LocationIsNotAssociated,
            errors.TooManyFiles,
            errors.MissingFile,
            errors.InvalidImage,
        ),
        appends=True,
    ),
    Route(
        "R8",
        "PATCH",
        "/ocpi/cpo/api/v1/locations/photos/uploads/{photo_id}",
        photos.replace_photo,
        summary="Put another image in the place of a photo",
        auth=(Auth.USER,),
        body=Upload("location_photo"),
        refusals=(
            errors.LocationPhotoNotExists,
            errors.LocationPhotoIsNotAssociated,
            errors.TooManyFiles,
            errors.MissingFile,
            errors.InvalidImage,
        ),
        appends=True,
    ),
    Route(
        "R9",
        "POST",
        "/ocpi/cpo/api/v2/locations/uploads/csv",
        uploads.import_locations,
        summary="Register the locations of a CSV file: all or nothing",
        auth=(Auth.USER,),
        body=uploads.UPLOAD,
        refusals=(*IN_FILES, *IN_ROWS),
        appends=True,
        reads_rows=True,
        headers=(IGNORED,),
    ),
    Route(
        "R10",
        "POST",
        "/ocpi/cpo/api/v2/locations/uploads/temp/csv",
        uploads.stage_locations,
        summary="Stage the locations of a CSV file for approval",
        auth=(Auth.USER,),
        body=uploads.UPLOAD,
        refusals=(*IN_FILES, *IN_ROWS),
        appends=True,
        reads_rows=True,
        headers=(IGNORED,),
    ),
    Route(
        "R11",
        "GET",
        "/ocpi/cpo/2.2/filters",
        reports.filters,
        summary="What locations can be filtered by",
        auth=(Auth.CLIENT,),
        answer=answers.Filters,
        awaits_views=True,
    ),
    Route(
        "R12",
        "GET",
        "/ocpi/cpo/2.2/filters/cities/{province_name}",
        reports.cities,
        summary="The cities of a province that have a location",
        auth=(Auth.CLIENT,),
        answer=list[answers.City],
        awaits_views=True,
    ),
    Route(
        "R13",
        "GET",
        "/ocpi/cpo/2.2/details",
        reports.details,
        summary="The caller's own CPO",
        auth=(Auth.USER,),
        answer=answers.Details,
        awaits_views=True,
    ),
    Route(
        "R14",
        "PATCH",
        "/ocpi/cpo/2.2/cpo/logo/upload",
        logos.change_logo,
        summary="Make an upload the caller's logo",
        auth=(Auth.USER,),
        body=bodies.LogoBody,
        refusals=(errors.LogoNotUnique, errors.LogoNotExists),
        appends=True,
    ),
    Route(
        "R15",
        "GET",
        "/ocpi/cpo/2.2/locations/pending",
        uploads.pending,
        summary="How much is staged",
        auth=(Auth.USER,),
        answer=list[answers.PendingCounts] | answers.NothingPending,
        awaits_views=True,
    ),
    Route(
        "R16",
        "POST",
        "/ocpi/cpo/2.2/locations/pending/approve",
        uploads.approve,
        summary="Register all that is staged",
        auth=(Auth.USER,),
        refusals=(errors.NothingPending, *IN_ROWS),
        appends=True,
        reads_rows=True,
        headers=(IGNORED,),
    ),
    Route(
        "R16",
        "POST",
        "/ocpi/cpo/2.2/locations/pending/reject",
        uploads.reject,
        summary="Drop all that is staged",
        auth=(Auth.USER,),
        refusals=(errors.NothingPending,),
        appends=True,
    ),
    Route(
        "R16",
        "GET",
        "/ocpi/cpo/2.2/locations/pending/items",
        uploads.pending_items,
        summary="What is staged",
        auth=(Auth.USER,),
        query=bodies.PageQuery,
        answer=list[answers.PendingLocation],
        awaits_views=True,
    ),
    Route(
        "W1",
        "POST",
        "/ocpi/cpo/api/v1/webhook/locations/{country_code}/{party_id}",
        webhooks.push_locations,
        summary="Push new locations, and new EVSEs of known ones: all or nothing",
        auth=(Auth.MACHINE,),
        body=bodies.PushLocationsBody,
        answer=list[answers.LocationId],
        refusals=(errors.DuplicateEvseUid, errors.LocationNotFound, errors.TooManyEvses),
        appends=True,
        headers=(IGNORED,),
    ),
    Route(
        "W2",
        "POST",
        "/ocpi/cpo/api/v1/webhook/evse/{country_code}/{party_id}",
        webhooks.push_evse,
        summary="Push a new EVSE of a known location",
        auth=(Auth.MACHINE,),
        body=bodies.PushEvseBody,
        answer=Success,
        refusals=(errors.DuplicateEvseUid, errors.LocationIdDoesNotExist, errors.TooManyEvses),
        appends=True,
    ),
    Route(
        "W3",
        "PATCH",
        "/ocpi/cpo/api/v1/webhook/evse/{country_code}/{party_id}/{evse_uid}",
        webhooks.change_status,
        summary="Change the status of an EVSE and its connectors",
        auth=(Auth.MACHINE,),
        body=bodies.ChangeStatusBody,
        answer=Success,
        refusals=(errors.EvseUidDoesNotExist, errors.ConnectorIdDoesNotExist),
        appends=True,
    ),
    Route(
        "W4",
        "PATCH",
        "/ocpi/cpo/api/v1/webhook/locations/{country_code}/{party_id}/{location_id}",
        webhooks.change_location,
        summary="Change fields of a location; lists are replaced",
        auth=(Auth.MACHINE,),
        body=bodies.ChangeLocationBody,
        answer=Success,
        refusals=(errors.LocationIdDoesNotExist, errors.LocationNameExists, errors.LocationNotFound),
        appends=True,
    ),
)
