"""Stored JSON → JSON as selected: by structs and by dictionaries alike, and no byte differs."""

from __future__ import annotations

from typing import Any, Final

import orjson
import pytest

from read_side import encoding
from read_side.cut import Node, Tree
from read_side.encoding import shape_of
from read_side.fields import FIELDS

EVSES: Final[list[dict[str, Any]]] = [
    {"uid": "A", "status": "REMOVED", "server_id": "s", "connectors": [], "capabilities": []},
    {"uid": 'Bé"\\', "status": "AVAILABLE", "server_id": "s", "connectors": [{"id": 7, "x": 1}], "y": {"z": []}},
]
LOCATION: Final = {"id": 1, "name": "Hub", "address_lat": 14.0, "photos": None, "publish": True, "unknown": [1]}


def tree(*names: str, **below: Tree) -> Tree:
    return (*(Node(name, name) for name in names), *(Node(name, name, nodes) for name, nodes in below.items()))


def cut(nodes: Tree, *, is_owner: bool, document: dict[str, Any] = LOCATION) -> tuple[bytes, ...]:
    shape = shape_of(nodes, "LOCATIONS")
    one = shape.own if is_owner else shape.public
    return one.encode(orjson.dumps(document).decode(), orjson.dumps(EVSES).decode())


def renamed(nodes: Tree) -> Tree:
    """The same selection with one key that is not its field's."""
    return (*nodes, Node("alias", "id"))


BELOW: Final = tree("uid", "server_id", "floor_level", "status", connectors=tree("id", "max_voltage"))
WHOLE: Final = (*tree("name", "region", "address_lat"), *tree("publish", evses=BELOW, photos=tree("url")))


@pytest.mark.parametrize("is_owner", [True, False])
@pytest.mark.parametrize(
    "nodes",
    [
        WHOLE,
        tree("id", evses=tree("uid")),
        tree(evses=tree("uid", "status")),
        (Node("__typename", "__typename"), *tree("name", evses=(Node("t", "__typename"),))),
    ],
)
def test_structs_and_dictionaries_cut_alike(nodes: Tree, *, is_owner: bool) -> None:
    (by_structs,) = cut(nodes, is_owner=is_owner)
    (by_dictionaries,) = cut(renamed(nodes), is_owner=is_owner)
    assert by_structs[:-1] + b',"alias":1}' == by_dictionaries
    assert b"unknown" not in by_structs
    orjson.loads(by_structs)


def test_the_public_sees_no_removed_evse_and_nothing_of_the_owners() -> None:
    (answer,) = cut(tree(evses=tree("uid", "server_id")), is_owner=False)
    assert orjson.loads(answer) == {"evses": [{"uid": 'Bé"\\', "server_id": None}]}
    (answer,) = cut(tree(evses=tree("uid", "server_id")), is_owner=True)
    assert orjson.loads(answer)["evses"][0] == {"uid": "A", "server_id": "s"}


def test_scalars_stay_as_they_are_written() -> None:
    shape = shape_of(tree("address_lat", "name"), "LOCATIONS")
    assert shape.own.encode('{"name": "\\u0041", "address_lat": 1.50e1}', None) == (
        b'{"address_lat":1.50e1,"name":"\\u0041"}',
    )


def test_the_distance_is_a_gap() -> None:
    assert cut(tree("id", "distance", "name"), is_owner=True) == (b'{"id":1,"distance":', b',"name":"Hub"}')
    twice = (*tree("distance"), Node("far", "distance"))
    assert cut(twice, is_owner=True) == (b'{"distance":', b',"far":', b"}")


def test_an_evse_has_its_location_beside_it() -> None:
    shape = shape_of(tree("uid", locations=tree("name", "id")), "EVSE")
    assert shape.own.encode('{"uid":"A","locations":1}', '{"id":5,"name":"Hub"}') == (
        b'{"uid":"A","locations":{"name":"Hub","id":5}}',
    )


def test_equal_selections_have_one_shape_and_equal_views_one_cut() -> None:
    assert shape_of(tree("id", "name"), "LOCATIONS") is shape_of(tree("id", "name"), "LOCATIONS")
    plain = shape_of(tree("id", facilities=tree("code")), "LOCATIONS")
    assert plain.own is plain.public
    for name in ("server_id", "uid"):
        with_evses = shape_of(tree(evses=tree(name)), "LOCATIONS")
        assert with_evses.own is not with_evses.public
    assert shape_of(tree("server_id"), "EVSE").own is not shape_of(tree("server_id"), "EVSE").public


def every(type_name: str) -> Tree:
    """All of a type, in stored order."""
    return tuple(
        Node(name, name, None if field.of is None else every(field.of)) for name, field in FIELDS[type_name].items()
    )


def stored(type_name: str, *without: str) -> dict[str, Any]:
    """A document of that type, as the projections store it: all its keys, lists of one."""
    below = {name: field for name, field in FIELDS[type_name].items() if name not in without}
    of = {name: None if field.of is None else stored(field.of) for name, field in below.items()}
    return {name: f'{name} "}}' if of[name] is None else [of[name]] for name in below}


@pytest.mark.parametrize(("type_name", "beside"), [("LOCATIONS", "evses"), ("EVSE", "locations")])
@pytest.mark.parametrize("is_owner", [True, False])
@pytest.mark.parametrize("is_less_beside", [True, False])
def test_what_is_selected_whole_is_joined_and_dictionaries_agree(
    type_name: str, beside: str, *, is_owner: bool, is_less_beside: bool
) -> None:
    *own, last = every(type_name)
    nodes = (*own, Node(beside, beside, (last.below or ())[::-2]) if is_less_beside else last)
    below = stored(FIELDS[type_name][beside].of or "")
    texts = (
        orjson.dumps(stored(type_name, "distance", beside)).decode(),
        orjson.dumps([below] if beside == "evses" else below).decode(),
    )

    def cut_to(selection: Tree) -> bytes:
        shape = shape_of(selection, type_name)
        return b"1.5".join((shape.own if is_owner else shape.public).encode(*texts))

    assert encoding._is_as_stored(nodes, type_name)
    assert orjson.loads(cut_to((*nodes, Node("alias", "__typename")))) == {
        **orjson.loads(cut_to(nodes)),
        "alias": type_name,
    }
    assert list(orjson.loads(cut_to(nodes))) == [node.key for node in nodes]


def test_most_selections_are_cut_by_structs() -> None:
    """Every field under its own name is; a key that is another field's, or nobody's, is not."""
    for type_name in ("LOCATIONS", "EVSE"):
        assert encoding._keeps_names(every(type_name), type_name)
    for nodes in ((Node("name", "id"),), (Node("a", "id"),), (Node("id", "__typename"),)):
        assert not encoding._keeps_names(nodes, "LOCATIONS")
