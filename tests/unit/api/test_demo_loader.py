"""The demo's loader, against a small service that speaks R1, R3, W1 and GraphQL as the contract does."""

from __future__ import annotations

import base64
import io
import json
import stat
from collections.abc import AsyncIterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from rich.console import Console

from api.command_faults import DemoFailed
from api.demo import loader
from api.demo.loader import load_demo

SECRET = "a-secret-of-the-demo-client"


class FakeService:
    """A service of the contract's shapes. accepted: W1 calls that stored something, ever."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.users: dict[str, dict[str, str]] = {}
        self.remembered: dict[str, tuple[bytes, dict[str, Any], int]] = {}
        self.locations: dict[str, list[dict[str, Any]]] = {}
        self.position = 0
        self.accepted = 0
        self.asked_positions: list[str | None] = []
        self.busy_answers = 0
        self.lagging_answers = 0
        self.lost_answer_at: int | None = None
        self.secret = SECRET
        self.sends_mail = True

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self.busy])
        app.router.add_post("/ocpi/cpo/2.2/register", self.register)
        app.router.add_post("/ocpi/cpo/api/auth/v1/login", self.log_in)
        app.router.add_post("/ocpi/cpo/api/v1/webhook/locations/{country}/{party}", self.push)
        app.router.add_post("/ocpi/cpo/graphql", self.ask)
        return app

    @web.middleware
    async def busy(self, request: web.Request, handler: Any) -> web.StreamResponse:
        if self.busy_answers:
            self.busy_answers -= 1
            return _envelope(429, [], "TOO_MANY_REQUESTS", **{"Retry-After": "0"})
        answer: web.StreamResponse = await handler(request)
        return answer

    def is_client(self, request: web.Request) -> bool:
        expected = base64.b64encode(f"demo:{self.secret}".encode()).decode()
        return request.headers["Authorization"] == f"Basic {expected}"

    async def register(self, request: web.Request) -> web.Response:
        if not self.is_client(request):
            return _envelope(401, [], "Unauthorized")
        body = await request.json()
        if (again := self.again(request, await request.read())) is not None:
            return again
        if body["username"] in self.users:
            return _envelope(400, [], "USERNAME_EXISTS")
        number = len(self.users)
        user = {"password": f"password-{number}-{id(self)}", "party": f"P{number:02}", "token": f"t{number}-{id(self)}"}
        self.users[body["username"]] = user
        self.locations[user["party"]] = []
        if self.sends_mail:
            self.mail(body["username"])
        return self.accept(request, await request.read(), "SUCCESS")

    def mail(self, username: str) -> None:
        user, message = self.users[username], EmailMessage()
        message.set_content(
            f"Welcome.\n\nUsername: {username}\nTemporary password: {user['password']}\n"
            f"Country code: PH\nParty ID: {user['party']}\nToken C: {user['token']}\n"
        )
        folder = self.data_dir / "mail"
        folder.mkdir(exist_ok=True)
        (folder / f"{user['token']}.eml").write_bytes(message.as_bytes())

    async def push(self, request: web.Request) -> web.Response:
        party = request.match_info["party"]
        tokens = {user["token"]: user["party"] for user in self.users.values()}
        if tokens.get(request.headers["Authorization"].removeprefix("Bearer ")) != party:
            return _envelope(401, [], "Unauthorized")
        if (again := self.again(request, await request.read())) is not None:
            return again
        pushed = (await request.json())["locations"]
        known = _uids(self.locations[party])
        codes = [f"DUPLICATE_EVSE_UID:{uid}" for uid in _uids(pushed) if uid in known]
        doubles = [{"field": "", "message": "", "code": code} for code in codes]
        if doubles:
            return _envelope(400, doubles, "VALIDATION_ERROR")
        self.locations[party] += pushed
        self.accepted += 1
        answer = self.accept(request, await request.read(), [{"location_id": 1} for _ in pushed])
        if self.accepted == self.lost_answer_at:
            assert request.transport is not None
            request.transport.abort()
        return answer

    async def log_in(self, request: web.Request) -> web.Response:
        body = await request.json()
        if self.users[body["username"]]["password"] != body["password"]:
            return _envelope(401, [], "Unauthorized")
        return _envelope(200, {"access_token": "a", "role": "CPO_OWNER"}, "SUCCESS")

    async def ask(self, request: web.Request) -> web.Response:
        self.asked_positions.append(request.headers.get("Emsp-Min-Position"))
        if self.lagging_answers:
            self.lagging_answers -= 1
            error = {"message": "Behind.", "extensions": {"code": "UNAVAILABLE", "status": 503}}
            return web.json_response({"data": None, "errors": [error]}, headers={"Retry-After": "0"})
        shown = [each for pushed in self.locations.values() for each in pushed if each.get("publish", True)]
        near = [{"name": shown[0]["name"], "city": "Makati", "distance": 0.5}]
        return web.json_response({"data": {"all": [{"id": 1} for _ in shown], "near": near}})

    def again(self, request: web.Request, body: bytes) -> web.Response | None:
        first = self.remembered.get(request.path + request.headers["Idempotency-Key"])
        if first is None:
            return None
        assert first[0] == body, "a key came again with another body"
        return web.json_response(first[1], headers={"Emsp-Position": str(first[2])})

    def accept(self, request: web.Request, body: bytes, data: object) -> web.Response:
        self.position += 1
        envelope = {"status": 200, "data": data, "message": "Success"}
        self.remembered[request.path + request.headers["Idempotency-Key"]] = (body, envelope, self.position)
        return web.json_response(envelope, headers={"Emsp-Position": str(self.position)})


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[tuple[FakeService, str]]:
    fake = FakeService(tmp_path)
    async with TestServer(fake.app()) as server:
        yield fake, str(server.make_url(""))


async def run(base_url: str, data_dir: Path, *, client: str = "demo") -> str:
    """Load, and what was said to the person."""
    said = io.StringIO()
    await load_demo(
        base_url=base_url,
        client=client,
        client_secret=SECRET,
        data_dir=data_dir,
        console=Console(file=said, width=120),
    )
    return said.getvalue()


async def test_a_load_pushes_all_locations_once_and_says_where_to_go_on(
    service: tuple[FakeService, str], tmp_path: Path
) -> None:
    fake, url = service
    said = await run(url, tmp_path)
    assert _loaded(fake) == 300
    assert fake.accepted == 16
    assert fake.asked_positions == [str(fake.position)]
    assert "Drivers now see 289 locations" in said
    assert "300 locations of 5 CPOs" in said
    assert "PH/P00" in said
    assert "in demo.json" in said


async def test_credentials_are_kept_for_their_owner_alone_and_never_printed(
    service: tuple[FakeService, str], tmp_path: Path
) -> None:
    fake, url = service
    said = await run(url, tmp_path)
    kept = json.loads((tmp_path / "demo.json").read_text())["cpos"]
    assert {name: each["token_c"] for name, each in kept.items()} == {
        name: user["token"] for name, user in fake.users.items()
    }
    assert stat.S_IMODE((tmp_path / "demo.json").stat().st_mode) == 0o600
    secrets = [SECRET, *(user[kind] for user in fake.users.values() for kind in ("password", "token"))]
    assert not [secret for secret in secrets if secret in said]


async def test_the_examples_read_the_demo_clients_secret_from_its_file(
    service: tuple[FakeService, str], tmp_path: Path
) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "demo_client_secret").write_text(SECRET)
    said = await run(service[1], tmp_path)
    assert f"SECRET=$(cat {tmp_path}/keys/demo_client_secret)" in said


async def test_a_second_load_changes_nothing(service: tuple[FakeService, str], tmp_path: Path) -> None:
    fake, url = service
    await run(url, tmp_path)
    position = fake.position
    await run(url, tmp_path)
    assert (fake.position, _loaded(fake), len(fake.users)) == (position, 300, 5)


async def test_a_second_load_after_the_keys_are_forgotten_changes_nothing(
    service: tuple[FakeService, str], tmp_path: Path
) -> None:
    fake, url = service
    await run(url, tmp_path)
    fake.remembered.clear()
    await run(url, tmp_path)
    assert (fake.accepted, _loaded(fake)) == (16, 300)
    assert fake.asked_positions[-1] is None


@pytest.mark.parametrize("nth", [1, 9, 16])
async def test_a_load_whose_answer_is_lost_goes_on_when_run_again(
    service: tuple[FakeService, str], tmp_path: Path, nth: int
) -> None:
    fake, url = service
    fake.lost_answer_at = nth
    with pytest.raises(DemoFailed, match="stopped answering"):
        await run(url, tmp_path)
    assert fake.accepted == nth
    await run(url, tmp_path)
    assert (fake.accepted, _loaded(fake), len(fake.users)) == (16, 300, 5)


async def test_a_load_that_stopped_before_it_kept_the_credentials_finds_them_in_the_mail(
    service: tuple[FakeService, str], tmp_path: Path
) -> None:
    fake, url = service
    await run(url, tmp_path)
    (tmp_path / "demo.json").unlink()
    fake.remembered.clear()
    await run(url, tmp_path)
    assert (len(fake.users), _loaded(fake)) == (5, 300)
    assert (tmp_path / "demo.json").exists()


async def test_a_cpo_that_exists_without_file_and_mail_is_told_clearly(
    service: tuple[FakeService, str], tmp_path: Path
) -> None:
    fake, url = service
    fake.users["luzonvolt"] = {"password": "p", "party": "LUV", "token": "t"}
    with pytest.raises(DemoFailed, match=r"Luzon Volt Network .*exists, but neither .*demo\.json"):
        await run(url, tmp_path)
    assert fake.accepted == 0


async def test_credentials_of_another_database_are_replaced_by_those_of_a_new_registration(
    service: tuple[FakeService, str], tmp_path: Path
) -> None:
    _, url = service
    await run(url, tmp_path)
    fresh = FakeService(tmp_path)
    async with TestServer(fresh.app()) as server:
        await run(str(server.make_url("")), tmp_path)
    kept = json.loads((tmp_path / "demo.json").read_text())["cpos"]
    assert kept["luzonvolt"]["token_c"] == fresh.users["luzonvolt"]["token"]
    assert _loaded(fresh) == 300


async def test_a_changed_password_is_no_failure(service: tuple[FakeService, str], tmp_path: Path) -> None:
    fake, url = service
    await run(url, tmp_path)
    fake.users["metroamp"]["password"] = "chosen by its owner"
    assert "no longer the mailed one" in await run(url, tmp_path)


async def test_a_busy_service_is_asked_again(service: tuple[FakeService, str], tmp_path: Path) -> None:
    fake, url = service
    fake.busy_answers = 3
    fake.lagging_answers = 2
    await run(url, tmp_path)
    assert _loaded(fake) == 300
    assert len(fake.asked_positions) == 3


async def test_a_service_that_stays_busy_ends_the_load(service: tuple[FakeService, str], tmp_path: Path) -> None:
    fake, url = service
    fake.busy_answers = 1_000
    with pytest.raises(DemoFailed, match="stays busy"):
        await run(url, tmp_path)


async def test_a_mail_that_never_comes_ends_the_load_with_a_reason(
    service: tuple[FakeService, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake, url = service
    fake.sends_mail = False
    monkeypatch.setattr(loader, "MAIL_S", 0.2)
    with pytest.raises(DemoFailed, match="is registered, but no mail"):
        await run(url, tmp_path)


async def test_an_unknown_client_is_told_clearly(service: tuple[FakeService, str], tmp_path: Path) -> None:
    fake, url = service
    fake.secret = "another secret"
    with pytest.raises(DemoFailed, match='does not let the client "demo" register'):
        await run(url, tmp_path)


async def test_where_nobody_listens_it_says_how_to_start_the_service(tmp_path: Path, unused_tcp_port: int) -> None:
    with pytest.raises(DemoFailed, match="make run"):
        await run(f"http://127.0.0.1:{unused_tcp_port}", tmp_path)


async def test_another_server_at_the_port_is_told_clearly(tmp_path: Path) -> None:
    async with TestServer(web.Application()) as server:
        with pytest.raises(DemoFailed, match="not the EMSP"):
            await run(str(server.make_url("")), tmp_path)


async def test_a_damaged_file_of_credentials_is_told_clearly(service: tuple[FakeService, str], tmp_path: Path) -> None:
    (tmp_path / "demo.json").write_text('{"cpos": [')
    with pytest.raises(DemoFailed, match="is damaged"):
        await run(service[1], tmp_path)


def _loaded(fake: FakeService) -> int:
    return sum(len(pushed) for pushed in fake.locations.values())


def _uids(locations: list[dict[str, Any]]) -> list[str]:
    return [evse["uid"] for location in locations for evse in location["evses"]]


def _envelope(status: int, data: object, message: str, **headers: str) -> web.Response:
    return web.json_response({"status": status, "data": data, "message": message}, status=status, headers=headers)
