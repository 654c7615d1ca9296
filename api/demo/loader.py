"""Loads the demo data through the public API, as a client would; a load that was interrupted goes on when run again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import aiohttp
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from api.command_faults import DemoFailed
from api.demo.calls import Service, key_of
from api.demo.credentials import Credentials, Desk
from api.demo.generator import SEED, DemoCpo, LocationBody, demo_cpos, demo_locations
from api.demo.summary import LoadedCpo, print_cpos, print_examples, print_seen

REGISTER: Final = "/ocpi/cpo/2.2/register"
LOGIN: Final = "/ocpi/cpo/api/auth/v1/login"
GRAPHQL: Final = "/ocpi/cpo/graphql"
WHAT_DRIVERS_SEE: Final = """
{
  all: find_ev_locations { id }
  near: find_ev_filter_locations(lat: 14.5547, lng: 121.0244, distance: 5, limit: 3) { name city distance }
}
"""
LOCATIONS_A_CALL: Final = 20
MAIL_S: Final = 20.0
CALL_S: Final = 60.0
EXISTS: Final = {"USERNAME_EXISTS", "CPO_OWNER_NAME_EXISTS"}


class TokenRefused(Exception):
    """The service doesn't know this token: it is of another database, or was replaced since."""


@dataclass(frozen=True, slots=True)
class Load:
    """One run of the demo: the service, the desk, and the bar that shows how far it is."""

    service: Service
    desk: Desk
    progress: Progress

    async def cpo(self, cpo: DemoCpo) -> LoadedCpo:
        """Register the CPO where it isn't yet, push its locations, and log in. raises: DemoFailed."""
        bar = self.progress.add_task(cpo.plan.cpo_owner_name, total=cpo.plan.locations)
        bodies = [location.body for location in demo_locations(SEED, cpo)]
        refused: set[str] = set()
        while True:
            told = await self._credentials(cpo, refused)
            try:
                position = None
                for batch in _batches(bodies):
                    position = await self._push(told, batch) or position
                    self.progress.advance(bar, len(batch))
            except TokenRefused:
                # Each turn has another token, so this ends with the last of the mails.
                refused.add(told.token_c)
                self.progress.reset(bar)
            else:
                return LoadedCpo(cpo, told, position, is_password_good=await self._log_in(told))

    async def _credentials(self, cpo: DemoCpo, refused: set[str]) -> Credentials:
        username = cpo.registration["username"]
        known = (await self.desk.kept()).get(username)
        if known is not None and known.token_c not in refused:
            return known
        is_new = await self._register(cpo)
        told = await self.desk.mailed(username, refused, at_most_s=MAIL_S if is_new else 0)
        if told is None:
            raise self._no_mail(cpo, is_new=is_new)
        await self.desk.keep(told)
        return told

    async def _register(self, cpo: DemoCpo) -> bool:
        """Whether the service has (or had, under the same key) accepted the registration; False: the CPO exists."""
        body = cpo.registration
        answer = await self.service.post(REGISTER, body, authorization=self.service.basic, key=key_of(body))
        if answer.status == 200:
            return True
        if answer.status == 400 and answer.codes <= EXISTS:
            return False
        if answer.status in {401, 403}:
            raise self._unknown_client()
        raise answer.unexpected("Registering a CPO")

    async def _push(self, told: Credentials, batch: list[LocationBody]) -> int | None:
        """The position of the batch's events; None where all of it is there from an earlier load."""
        path = f"/ocpi/cpo/api/v1/webhook/locations/{told.country_code}/{told.party_id}"
        body = {"locations": batch}
        answer = await self.service.post(path, body, authorization=f"Bearer {told.token_c}", key=key_of(body))
        if answer.status == 200:
            return answer.position
        if answer.status in {401, 403}:
            raise TokenRefused
        # Keys are forgotten after 30 days; then a repeated batch is refused, uid by uid.
        evses = sum(len(location["evses"]) for location in batch)
        if answer.codes == {"DUPLICATE_EVSE_UID"} and len(answer.body["data"]) == evses:
            return None
        raise answer.unexpected("Pushing locations")

    async def _log_in(self, told: Credentials) -> bool:
        """Whether the mailed password still opens the account: it ends after 14 days, or its owner changed it."""
        body = {"username": told.username, "password": told.password}
        answer = await self.service.post(LOGIN, body, authorization=self.service.basic)
        if answer.status not in {200, 401}:
            raise answer.unexpected("Logging in")
        return answer.status == 200

    def _unknown_client(self) -> DemoFailed:
        return DemoFailed(
            f'The service at {self.service.base_url} does not let the client "{self.service.client}" register CPOs. '
            "Run the demo with the service's own EMSP_DATA_DIR and EMSP_CLIENTS; the client needs the scope accounts."
        )

    def _no_mail(self, cpo: DemoCpo, *, is_new: bool) -> DemoFailed:
        name, desk = cpo.plan.cpo_owner_name, self.desk
        if is_new:
            return DemoFailed(
                f"{name} is registered, but no mail in {desk.mails} tells its Token C. Where an earlier load "
                f"registered it, put {desk.file} back; else run the demo with the service's own EMSP_DATA_DIR, "
                "without EMSP_SMTP_URL, and `emsp mail` where roles are processes."
            )
        return DemoFailed(
            f"{name} (or its username) exists, but neither {desk.file} nor a mail in {desk.mails} tells its Token C. "
            "Put that file back, or load into a new data folder."
        )


async def load_demo(*, base_url: str, client: str, client_secret: str, data_dir: Path, console: Console) -> None:
    """Five CPOs and 300 locations in the service, each once, however often this is run; tells where to go on.

    base_url: of the API. client: an application with the scopes accounts and read
    data_dir: the service's own: the CPOs' mails are read there, their credentials kept there in demo.json
    raises: DemoFailed, with a text for people; what was loaded stays
    source: contract §2 R1, R3; §3 W1; §5
    """
    timeout, desk = aiohttp.ClientTimeout(total=CALL_S), Desk(data_dir)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        service = Service(session, base_url.rstrip("/"), client, client_secret, console)
        columns = (TextColumn("{task.description:<26}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=console) as progress:
            load = Load(service, desk, progress)
            loaded = [await load.cpo(cpo) for cpo in demo_cpos(SEED)]
        print_cpos(console, loaded, desk.file)
        await _show_what_drivers_see(service, loaded)
        print_examples(service, desk, loaded[0], has_demo_client=await desk.is_demo_client(client))


async def _show_what_drivers_see(service: Service, loaded: list[LoadedCpo]) -> None:
    position = max((cpo.position for cpo in loaded if cpo.position is not None), default=None)
    answer = await service.post(
        GRAPHQL, {"query": WHAT_DRIVERS_SEE}, authorization=service.basic, min_position=position
    )
    if answer.body.get("errors") or "data" not in answer.body:
        raise answer.unexpected("All is loaded, but the query of what drivers see")
    print_seen(service.console, answer.body["data"])


def _batches(bodies: list[LocationBody]) -> Iterator[list[LocationBody]]:
    waiting = iter(bodies)
    while batch := list(islice(waiting, LOCATIONS_A_CALL)):
        yield batch
