"""Calls the service as a client would: waits when told to, and says in plain words what went wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

import aiohttp
import orjson
from rich.console import Console

from api.command_faults import DemoFailed

TRIES: Final = 10
LONGEST_WAIT_S: Final = 120
USUAL_WAIT_S: Final = 1
AGAIN: Final = "Run the demo again: it goes on where it stopped."


@dataclass(frozen=True, slots=True)
class Answer:
    """What the service answered. body: the decoded JSON."""

    status: int
    body: Any
    headers: Mapping[str, str]

    @property
    def message(self) -> str:
        """The envelope's message, or nothing."""
        return str(self.body.get("message", ""))

    @property
    def codes(self) -> set[str]:
        """The codes that the refusal names (contract §1): those of its faults, else its message's, without values."""
        faults = self.body.get("data")
        named = {str(fault["code"]) for fault in faults if "code" in fault} if isinstance(faults, list) else set()
        return {code.partition(":")[0] for code in named or {self.message}}

    @property
    def graphql_codes(self) -> set[str]:
        """The codes of its GraphQL errors (contract §5)."""
        return {str(error.get("extensions", {}).get("code")) for error in self.body.get("errors") or ()}

    @property
    def position(self) -> int | None:
        """Of the command's last event."""
        told = self.headers.get("Emsp-Position")
        return None if told is None else int(told)

    @property
    def is_busy(self) -> bool:
        """Whether the service asks to come again later."""
        return self.status in {429, 503} or "UNAVAILABLE" in self.graphql_codes

    def unexpected(self, call: str) -> DemoFailed:
        """What to raise where the demo has no better word for it."""
        return DemoFailed(f"{call} answered {self.status}: {orjson.dumps(self.body).decode()[:1000]}")


@dataclass(frozen=True, slots=True)
class Service:
    """Where the API is, and the application that the demo is. base_url: without a slash at its end."""

    session: aiohttp.ClientSession
    base_url: str
    client: str
    client_secret: str
    console: Console

    @property
    def basic(self) -> str:
        """The Authorization header of the application."""
        return aiohttp.encode_basic_auth(self.client, self.client_secret)

    async def post(
        self, path: str, body: object, *, authorization: str, key: str | None = None, min_position: int | None = None
    ) -> Answer:
        """The answer to a POST; where the service is busy, that of a later try.

        key: the Idempotency-Key. min_position: the position that the views must have reached
        raises: DemoFailed  nobody listens, it isn't the EMSP, or it stays busy
        """
        headers = {"Authorization": authorization, "Content-Type": "application/json"}
        if key is not None:
            headers["Idempotency-Key"] = key
        if min_position is not None:
            headers["Emsp-Min-Position"] = str(min_position)
        for _ in range(TRIES):
            answer = await self._once(path, orjson.dumps(body), headers)
            if not answer.is_busy:
                return answer
            await self._wait(answer)
        raise DemoFailed(f"The service stays busy ({answer.message or answer.graphql_codes}). {AGAIN}")

    async def _once(self, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        try:
            async with self.session.post(self.base_url + path, data=body, headers=headers) as response:
                decoded = orjson.loads(await response.read())
        except aiohttp.ClientConnectorError as fault:
            raise DemoFailed(f"Nothing listens at {self.base_url}. Start the service with `make run` first.") from fault
        except (aiohttp.ClientError, TimeoutError) as fault:
            raise DemoFailed(f"{self.base_url} stopped answering ({type(fault).__name__}). {AGAIN}") from fault
        except orjson.JSONDecodeError as fault:
            raise DemoFailed(f"What answers at {self.base_url}{path} is not the EMSP: it sent no JSON.") from fault
        if not isinstance(decoded, dict):
            raise DemoFailed(f"What answers at {self.base_url}{path} is not the EMSP: it sent no envelope.")
        return Answer(response.status, decoded, response.headers)

    async def _wait(self, answer: Answer) -> None:
        told = answer.headers.get("Retry-After", "")
        seconds = int(told) if told.isdecimal() else USUAL_WAIT_S
        if seconds > LONGEST_WAIT_S:
            raise DemoFailed(f"The service asks to wait {seconds} s ({answer.message}). Run the demo again then.")
        if seconds > USUAL_WAIT_S:
            self.console.print(f"The service asks to wait {seconds} s …", highlight=False)
        await asyncio.sleep(seconds)


def key_of(body: object) -> str:
    """An Idempotency-Key that is the body's own: the same data again are the same command, other data another."""
    return f"demo-{sha256(orjson.dumps(body)).hexdigest()}"
