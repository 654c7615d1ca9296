"""What `emsp events` prints."""

from __future__ import annotations

import orjson
from asyncpg.pgproto import pgproto
from msgspec.structs import replace

from api.reports import line_of
from tests.support.builders import cpo_registered, recorded


def test_an_event_as_the_database_gives_it_is_a_json_line() -> None:
    (one,) = recorded([cpo_registered()])
    line = line_of(replace(one, stream=pgproto.UUID(str(one.stream))))
    told = orjson.loads(line)
    assert "\n" not in line
    assert (told["topic"], told["position"], told["stream"]) == ("cpo.registered", 1, str(one.stream))
    assert told["state"]["cpo_owner_name"] == "Luzon Volt"
