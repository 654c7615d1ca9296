"""Statements → SQL: only the clauses that are needed, and every value a parameter."""

from __future__ import annotations

from typing import Any

import pytest

from ocpi.facets import FACETS
from ocpi.identifiers import Party
from read_side.fields import QUERIES
from read_side.filters import understood
from read_side.plan import bind
from read_side.scope import PUBLIC, Own
from read_side.sql import Statement, render

OWN = Own(Party("PH", "ABC"))
BOTH = frozenset({"head", "evses"})


def rendered(name: str, columns: frozenset[str] = BOTH, **arguments: Any) -> tuple[str, tuple[Any, ...]]:
    scope = PUBLIC if name.startswith("find") else OWN
    return render(Statement(understood(name, arguments, cap=100), scope, columns))


def test_the_plainest_question_is_this_text() -> None:
    text, values = rendered("find_ev_locations")
    assert (
        text
        == """
select c.generation, c.pos, v.id, v.evses, v.head, v.revision
  from (select generation, pos from views.checkpoint limit 1) as c
  left join (
       select id, evses, head, revision
         from views.location_view
        where is_public
        order by id
        limit $1
       ) as v on true
"""
    )
    assert values == (101,)


def test_the_same_shape_gives_the_same_text() -> None:
    one, _ = rendered("find_ev_filter_locations", city="a", facilities=["WIFI"], limit=3)
    other, values = rendered("find_ev_filter_locations", city="b'; drop", facilities=["CAFE", "MALL"], limit=9)
    assert one == other
    assert values == ("b'; drop", (FACETS["facilities", "CAFE"], FACETS["facilities", "MALL"]), 9)


@pytest.mark.parametrize("name", QUERIES)
def test_every_value_is_named_once_and_in_order(name: str) -> None:
    everything: dict[str, Any] = {
        "limit": 5,
        "offset": 6,
        "after": {"evse": "x", "evses": "x", "location_history": "7"}.get(name, 7),
        "id": 8,
        "location_name": "n",
        "lat": 1.0,
        "lng": 2.0,
        "distance": 3.0,
        "city": "c",
        "province": "p",
        "capabilities": ["QR_READER"],
        "payment_types": ["MAYA"],
        "power_types": ["AC"],
    }
    text, values = rendered(name, **everything)
    assert all(f"${number}" in text for number in range(1, len(values) + 1))
    assert f"${len(values) + 1}" not in text
    assert "{" not in text


def test_two_lists_need_no_look_at_the_evses_and_three_do() -> None:
    two, _ = rendered("find_ev_filter_locations", connector_types=["CCS_2"], power_types=["DC"])
    assert "evse_view" not in two
    three, _ = rendered(
        "find_ev_filter_locations", connector_types=["CCS_2"], power_types=["DC"], payment_types=["MAYA"]
    )
    assert "e.payment_types &&" in three
    assert "e.connectors &&" in three
    assert "e.capabilities" not in three


def test_a_town_is_walked_by_its_own_index_but_where_the_nearest_come_first() -> None:
    town, _ = rendered("find_ev_filter_locations", city="Makati", facilities=["WIFI"])
    assert "order by id\n" in town
    assert town.count("facets &&") == 1
    near, _ = rendered("find_ev_filter_locations", city="Makati", facilities=["WIFI"], lat=1.0, lng=1.0)
    assert near.count("facets &&") == 3
    anywhere, _ = rendered("find_ev_filter_locations", facilities=["WIFI"])
    assert "order by id <-> 0\n" in anywhere


def test_documents_are_read_only_where_they_are_selected() -> None:
    for columns, absent in ((frozenset[str](), "head"), (frozenset({"head"}), "evses"), (frozenset({"evses"}), "head")):
        for arguments in ({}, {"offset": 3}, {"lat": 1.0, "lng": 1.0}, {"facilities": ["WIFI"]}):
            text, _ = rendered("find_ev_filter_locations", columns, **arguments)
            assert absent not in text
    assert "location_view" not in rendered("evse", frozenset())[0]


def test_wildcards_are_plain_text() -> None:
    _, values = rendered("evse", location_name="50%_\\")
    assert "%50\\%\\_\\\\%" in values


def test_no_question_of_a_cpo_is_asked_for_everybody() -> None:
    for name in ("evse", "locations", "location"):
        with pytest.raises(TypeError):
            render(Statement(understood(name, {}, cap=1), PUBLIC, BOTH))


def test_columns_follow_from_the_keys_that_are_wanted() -> None:
    def columns(name: str, *keys: str) -> set[str]:
        return set(bind(name, frozenset(keys), {}, OWN, cap=1).columns)

    assert columns("locations", "id", "distance") == set()
    assert columns("locations", "name") == {"head"}
    assert columns("locations", "id", "evses") == {"evses"}
    assert columns("evse", "uid") == {"document"}
    assert columns("evse", "locations") == {"document", "head"}
    assert bind("locations", None, {}, OWN, cap=1).columns == {"head", "evses"}
