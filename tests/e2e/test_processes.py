from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from pathlib import Path

import asyncpg

from tests.support.client import Client, Cpo, a_location, an_evse
from tests.support.emsp import Emsp, client_of, deployment

ROLES = ("api", "publish", "project", "mail")
EVSES = 12
CALLS_BEFORE_EACH_KILL = 150
KEYS = {
    "jwt_access_key": "access-key-of-a-test-deployment-0001",
    "jwt_refresh_key": "refresh-key-of-a-test-deployment-001",
    "seal_key": "seal-key-of-a-test-deployment-0000001",
}
STATUSES = ("CHARGING", "AVAILABLE", "BLOCKED")


async def test_killed_publisher_and_projector_lose_nothing_and_apply_nothing_twice(
    tmp_path: Path, database: str, amqp_url: str
) -> None:
    async with deployment(tmp_path, event_store_url=database, amqp_url=amqp_url, **KEYS) as emsp:
        await emsp.command("migrate")
        for role in ROLES:
            emsp.start(role)
        await emsp.until_ready()
        async with client_of(emsp) as client:
            cpo = await client.registered("luzon", "Luzon Volt", tmp_path / "var" / "mail")
            uids = [f"L-{number}" for number in range(EVSES)]
            pushed = await client.push_locations(cpo, [a_location("SM City", *map(an_evse, uids))])
            assert pushed.status == 200, pushed.body

            accepted: list[tuple[int, str, str]] = []
            async with asyncio.TaskGroup() as group:
                senders = [group.create_task(_send_statuses(client, cpo, uid, accepted)) for uid in uids]
                for role in ("project", "publish", "project", "publish"):
                    await _until_accepted(accepted, len(accepted) + CALLS_BEFORE_EACH_KILL)
                    emsp.kill(role)
                    await _until_accepted(accepted, len(accepted) + CALLS_BEFORE_EACH_KILL)
                    emsp.start(role)
                await _until_accepted(accepted, len(accepted) + CALLS_BEFORE_EACH_KILL)
                for sender in senders:
                    sender.cancel()
            await emsp.until_ready()
            await _prove(emsp, client, cpo, accepted, database)
            told = await emsp.command("status")
            assert "queue: 0 messages wait" in told
            assert "All is well" in told


async def _send_statuses(client: Client, cpo: Cpo, uid: str, accepted: list[tuple[int, str, str]]) -> None:
    for status in itertools.cycle(STATUSES):
        reply = await client.push_status(cpo, uid, status)
        assert reply.status == 200, reply.body
        accepted.append((reply.position, uid, status))


async def _until_accepted(accepted: list[tuple[int, str, str]], count: int) -> None:
    async with asyncio.timeout(60):
        while len(accepted) < count:
            await asyncio.sleep(0.01)


async def _prove(emsp: Emsp, client: Client, cpo: Cpo, accepted: list[tuple[int, str, str]], database: str) -> None:
    connection = await asyncpg.connect(database)
    try:
        # A sender that was cancelled may have been accepted without hearing of it: the log may have a little more.
        events = await connection.fetch(
            "select pos, convert_from(state, 'utf8')::json as state from es.events "
            "where topic = 'evse.status_changed' order by pos"
        )
        positions = await connection.fetch("select pos from es.events order by pos")
    finally:
        await connection.close()
    assert [row["pos"] for row in positions] == list(range(1, len(positions) + 1))
    in_log = {row["pos"]: row["state"] for row in events}
    for position, uid, status in accepted:
        assert f'"evse_uid":"{uid}"' in in_log[position]
        assert f'"status":"{status}"' in in_log[position]
    assert max(Counter(position for position, _, _ in accepted).values()) == 1
    assert len(in_log) - len(accepted) <= EVSES

    expected: dict[str, str] = {}
    for _, state in sorted(in_log.items()):
        uid, status = (state.split(f'"{key}":"')[1].split('"')[0] for key in ("evse_uid", "status"))
        expected[uid] = status
    token = await client.log_in(cpo)
    await _until_views_are_at(client, token, len(positions))
    shown = await client.ask(f"{{ evse(limit: {EVSES}) {{ uid status }} }}", token=token)
    assert {evse["uid"]: evse["status"] for evse in shown["evse"]} == expected
    in_location = await client.ask("{ find_ev_locations { evses { uid status } } }")
    (location,) = in_location["find_ev_locations"]
    assert {evse["uid"]: evse["status"] for evse in location["evses"]} == expected
    for role in ROLES:
        assert emsp.stop(role) == 0, emsp.logs()


async def _until_views_are_at(client: Client, token: str, position: int) -> None:
    async with asyncio.timeout(30):
        while True:
            reply = await client.call(
                "POST",
                "/ocpi/cpo/graphql",
                {"query": "{ locations(limit: 1) { id } }"},
                Authorization=f"Bearer {token}",
                Emsp_Min_Position=str(position),
            )
            if "errors" not in reply.body:
                return
            assert reply.body["errors"][0]["extensions"]["code"] == "UNAVAILABLE"
