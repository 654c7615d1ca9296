"""Whether the process is up, whether it can do its work, and its numbers (contract §7)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import orjson
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from prometheus_client import CollectorRegistry

CHECK_TIMEOUT_S: Final = 3.0


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that this process needs. fault: asks for it; what is wrong in a few words, or None.

    is_note: it is worth knowing, and keeps nobody from working.
    """

    name: str
    fault: Callable[[], Awaitable[str | None]]
    is_note: bool = False


async def faults_of(checks: Sequence[Check]) -> dict[str, str]:
    """What is wrong, by name; empty where all is well. A check that doesn't answer in time is wrong."""
    answers = await asyncio.gather(*(_ask(check) for check in checks))
    return {check.name: fault for check, fault in zip(checks, answers, strict=True) if fault is not None}


async def _ask(check: Check) -> str | None:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            return await check.fault()
    except TimeoutError:
        return f"no answer within {CHECK_TIMEOUT_S:g} s"


def health_routes(checks: Sequence[Check]) -> list[web.RouteDef]:
    """`GET /healthz`: 200 while the process is up. `GET /readyz`: 200, or 503 with what is wrong; and notes."""

    async def healthz(_request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_request: web.Request) -> web.Response:
        faults = await faults_of(checks)
        notes = {check.name: faults.pop(check.name) for check in checks if check.is_note and check.name in faults}
        body = orjson.dumps({"ready": not faults, "faults": faults, "notes": notes})
        return web.Response(body=body, status=503 if faults else 200, content_type="application/json")

    return [web.get("/healthz", healthz), web.get("/readyz", readyz)]


def metrics_route(registry: CollectorRegistry) -> web.RouteDef:
    """`GET /metrics`, for Prometheus."""

    async def metrics(_request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return web.get("/metrics", metrics)
