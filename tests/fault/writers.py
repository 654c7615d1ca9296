"""CPOs' machines that never stop: each repeats what was refused or not answered until it is accepted, and then goes on.

Nobody else writes to a writer's locations and EVSEs, so what it was told is all that may be in their streams.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import aiohttp

from tests.fault.ledger import Fact
from tests.support.client import a_location, an_evse

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from random import Random

    from tests.fault.ledger import Ledger
    from tests.support.client import Client, Cpo, Reply

PAUSE_S: Final = 0.03
"""Between two commands of one writer, and before a command is tried again."""
ANSWER_S: Final = 15.0
"""Longer than the service's own patience."""
LOST: Final = (aiohttp.ClientError, OSError, TimeoutError)
STATUSES: Final = ("AVAILABLE", "BLOCKED", "CHARGING", "INOPERATIVE", "OUTOFORDER", "RESERVED", "UNKNOWN", "OFFLINE")
FACILITIES: Final = ("MALL", "CAFE", "HOTEL", "WIFI")
EVSES_OF_A_LOCATION: Final = 8
LOCATIONS_OF_A_WRITER: Final = 3
WITHOUT_A_KEY: Final = 0.2
EVENTS_OF_A_COMMAND: Final = 2
"""At most: a W1 that registers a location with an EVSE."""


@dataclass(slots=True)
class Location:
    """One of a writer's own. facilities, and its EVSEs' statuses: as they were accepted last."""

    id: int
    evses: dict[str, str]
    facilities: str = "MALL"


@dataclass(slots=True)
class Writer:
    """name: of its locations and EVSEs, before a number; accepted: how many commands were."""

    name: str
    client: Client
    cpo: Cpo
    chance: Random
    ledger: Ledger
    accepted: int = 0
    is_to_stop: bool = False
    _locations: list[Location] = field(default_factory=list)
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    async def run(self) -> None:
        """Write until told to stop; the last command is repeated until it was accepted, too."""
        await self._push_location()
        while not self.is_to_stop:
            await self._next()()
            await asyncio.sleep(PAUSE_S)

    def _next(self) -> Callable[[], Coroutine[Any, Any, None]]:
        dice = self.chance.random()
        if dice < 0.05 and len(self._locations) < LOCATIONS_OF_A_WRITER:
            return self._push_location
        if dice < 0.15 and any(len(one.evses) < EVSES_OF_A_LOCATION for one in self._locations):
            return self._push_evse
        return self._change_location if dice < 0.25 else self._change_status

    async def _push_location(self) -> None:
        """W1."""
        number = next(self._numbers)
        uid = f"{self.name}-{number}"
        location = a_location(f"{self.name} {number}", an_evse(uid))

        def facts(data: Any) -> tuple[Fact, ...]:
            return Fact(f"location/{data[0]['location_id']}", "registered"), Fact(f"evse/{uid}", "registered")

        data = await self._until_accepted("POST", "locations", {"locations": [location]}, facts)
        self._locations.append(Location(data[0]["location_id"], {uid: "AVAILABLE"}))

    async def _push_evse(self) -> None:
        """W2."""
        location = self.chance.choice([one for one in self._locations if len(one.evses) < EVSES_OF_A_LOCATION])
        uid = f"{self.name}-{next(self._numbers)}"
        body = an_evse(uid) | {"location_id": location.id}
        await self._until_accepted("POST", "evse", body, lambda _: (Fact(f"evse/{uid}", "registered"),))
        location.evses[uid] = "AVAILABLE"

    async def _change_location(self) -> None:
        """W4."""
        location = self.chance.choice(self._locations)
        facilities = self.chance.choice([one for one in FACILITIES if one != location.facilities])
        fact = Fact(f"location/{location.id}", facilities)
        await self._until_accepted("PATCH", "locations", {"facilities": [facilities]}, lambda _: (fact,), location.id)
        location.facilities = facilities

    async def _change_status(self) -> None:
        """W3."""
        location = self.chance.choice(self._locations)
        uid = self.chance.choice(list(location.evses))
        status = self.chance.choice([one for one in STATUSES if one != location.evses[uid]])
        fact = Fact(f"evse/{uid}", status)
        # The same status again appends nothing: a W3 may be repeated without a key, too.
        key = self.chance.random() >= WITHOUT_A_KEY
        await self._until_accepted("PATCH", "evse", {"status": status}, lambda _: (fact,), uid, has_key=key)
        location.evses[uid] = status

    async def _until_accepted(
        self,
        method: str,
        what: str,
        body: Any,
        facts: Callable[[Any], tuple[Fact, ...]],
        *below: object,
        has_key: bool = True,
    ) -> Any:
        """Send until it is answered 200; the answer's data."""
        path = "/".join(map(str, ("/ocpi/cpo/api/v1/webhook", what, self.cpo.country_code, self.cpo.party_id, *below)))
        headers = {"Authorization": f"Bearer {self.cpo.token_c}"}
        if has_key:
            headers["Idempotency_Key"] = f"{self.name} {self.accepted}"
        reply = await until_accepted(self.ledger, lambda: self.client.call(method, path, body, **headers), facts)
        self.accepted += 1
        return reply.body["data"]


@dataclass(slots=True)
class Registrar:
    """The registration desk: R1 again and again, each with its mail."""

    client: Client
    ledger: Ledger
    every_s: float
    accepted: int = 0
    is_to_stop: bool = False

    async def run(self) -> None:
        """Register until told to stop."""
        while not self.is_to_stop:
            await self._register(f"desk-{self.accepted}")
            self.accepted += 1
            await asyncio.sleep(self.every_s)

    async def _register(self, username: str) -> None:
        """R1."""
        fact = Fact(f"cpo/{username}", "registered")
        await until_accepted(
            self.ledger,
            lambda: self.client.register(username, f"Desk {username}", Idempotency_Key=username),
            lambda _: (fact,),
        )


async def until_accepted(
    ledger: Ledger, call: Callable[[], Coroutine[Any, Any, Reply]], facts: Callable[[Any], tuple[Fact, ...]]
) -> Reply:
    """Call until it is answered 200. Anything else but 503 or no answer at all is wrong."""
    began = time.monotonic()
    while True:
        try:
            async with asyncio.timeout(ANSWER_S):
                reply = await call()
        except LOST:
            ledger.refused()
        else:
            if reply.status == 200:
                ledger.accepted(facts(reply.body["data"]), reply.position, time.monotonic() - began)
                return reply
            assert reply.status == 503, (reply.status, reply.body)
            ledger.refused()
        await asyncio.sleep(PAUSE_S)
