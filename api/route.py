"""What is said of a call once: where it is, who answers it, and all that `GET /openapi.json` tells of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from api.answers import Nothing
from api.auth import Auth
from api.envelope import SUCCESS
from api.forms import Body
from api.multipart import Upload
from write_side.domain.errors import DomainError

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Route:
    """One call of the contract, and all that `GET /openapi.json` says of it; what follows is not repeated.

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
    summary: str
    auth: tuple[Auth, ...]
    body: type[Body] | Upload | None = None
    query: type[Body] | None = None
    answer: Any = Nothing
    message: str = SUCCESS
    refusals: tuple[type[DomainError], ...] = ()
    appends: bool = False
    awaits_views: bool = False
    reads_rows: bool = False
    headers: tuple[str, ...] = ()
