from __future__ import annotations

from pathlib import Path

from tests.support.emsp import client_of, deployment


async def test_what_the_demo_loaded_is_still_there_after_a_stop_and_a_start(tmp_path: Path) -> None:
    async with deployment(tmp_path) as emsp:
        # The generated demo client of the embedded default is what `emsp demo` uses.
        emsp.start("run")
        await emsp.until_ready()
        said = await emsp.command("demo")
        assert "300" in said
        async with client_of(emsp) as client:
            loaded = await client.ask("{ find_ev_locations { id name evses { uid } } }")
            assert len(loaded["find_ev_locations"]) > 250
            assert emsp.stop("run") == 0, emsp.logs()

            emsp.start("run")
            await emsp.until_ready()
            assert await client.ask("{ find_ev_locations { id name evses { uid } } }") == loaded
            nearest = await client.ask(
                "{ find_ev_filter_locations(lat: 14.5592, lng: 121.0175, limit: 3) { distance city } }"
            )
            distances = [found["distance"] for found in nearest["find_ev_filter_locations"]]
            assert distances == sorted(distances)
            assert distances[0] < 20
        assert emsp.stop("run") == 0, emsp.logs()
