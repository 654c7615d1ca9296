"""Compiled plans: what is selected, merged, skipped and cut. The differential test has the breadth."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from ocpi.identifiers import Party
from read_side.encoding import Cut
from read_side.errors import BadUserInput, Forbidden, Unauthenticated
from read_side.executor import cooked
from read_side.guards import Limits
from read_side.parsing import Invalid, Parser
from read_side.plan import MOST_VARIANTS, Plan, compile_operation, roots_of, scope_of
from read_side.scope import NOBODY, PUBLIC, Own, Viewer


@pytest.fixture(scope="module")
async def parser() -> Parser:
    return Parser(await cooked("test_plan"), Limits())


def plan(parser: Parser, text: str, name: str | None = None) -> Plan:
    document, _ = parser.document(text)
    return compile_operation(document.definitions, name)


def cut(parser: Parser, text: str, document: dict[str, Any], **variables: Any) -> dict[str, Any]:
    (root,) = roots_of(plan(parser, text), variables)
    assert root.shape is not None
    return answer_of(root.shape.own, document)


def answer_of(cut: Cut, document: dict[str, Any]) -> dict[str, Any]:
    head = {key: value for key, value in document.items() if key != "evses"}
    pieces = cut.encode(orjson.dumps(head).decode(), orjson.dumps(document.get("evses", [])).decode())
    answer: dict[str, Any] = orjson.loads(b"null".join(pieces))
    return answer


LOCATION: dict[str, Any] = {
    "id": 1,
    "name": "Hub",
    "evses": [
        {"uid": "A", "status": "REMOVED", "server_id": "s", "connectors": []},
        {"uid": "B", "status": "AVAILABLE", "server_id": "s", "connectors": [{"id": 7}]},
    ],
}


def test_keys_come_in_the_order_of_the_query_under_their_aliases(parser: Parser) -> None:
    answer = cut(parser, "{ locations { t: __typename n: name id evses { u: uid connectors { id } } } }", LOCATION)
    assert list(answer.items()) == [
        ("t", "LOCATIONS"),
        ("n", "Hub"),
        ("id", 1),
        ("evses", [{"u": "A", "connectors": []}, {"u": "B", "connectors": [{"id": 7}]}]),
    ]


def test_fragments_and_repeated_fields_are_merged(parser: Parser) -> None:
    text = """{ locations { ...F evses { uid } ... on LOCATIONS { evses { status } id } ... { id } } }
              fragment F on LOCATIONS { evses { connectors { id } } ...G } fragment G on LOCATIONS { name }"""
    answer = cut(parser, text, LOCATION)
    assert list(answer) == ["evses", "name", "id"]
    assert answer["evses"][1] == {"connectors": [{"id": 7}], "uid": "B", "status": "AVAILABLE"}


def test_what_is_missing_in_a_document_is_null(parser: Parser) -> None:
    answer = cut(parser, "{ locations { region photos { url } images } }", LOCATION)
    assert answer == {"region": None, "photos": None, "images": None}


def test_skip_and_include_decide_per_request(parser: Parser) -> None:
    text = """query ($a: Boolean!, $b: Boolean = true) { locations {
                id @skip(if: $a) name @include(if: $b) @skip(if: $a) ... @include(if: $b) { city }
                region @skip(if: true)
              } }"""
    compiled = plan(parser, text)
    assert compiled.conditions == ("a", "b")

    def keys(**variables: bool) -> list[str]:
        (root,) = roots_of(compiled, variables)
        assert root.shape is not None
        return list(answer_of(root.shape.own, {}))

    assert keys(a=False, b=True) == ["id", "name", "city"]
    assert keys(a=True, b=True) == ["city"]
    assert keys(a=False, b=False) == ["id"]
    assert len(compiled.variants) == 3
    with pytest.raises(BadUserInput, match=r"\$b"):
        roots_of(compiled, {"a": True, "b": None})


def test_variants_are_bounded(parser: Parser) -> None:
    text = "query ({}) {{ locations {{ id {} }} }}".format(
        ", ".join(f"$v{number}: Boolean!" for number in range(6)),
        " ".join(f"a{number}: id @skip(if: $v{number})" for number in range(6)),
    )
    compiled = plan(parser, text)
    for number in range(64):
        roots_of(compiled, {f"v{bit}": bool(number >> bit & 1) for bit in range(6)})
    assert len(compiled.variants) <= MOST_VARIANTS


def test_the_public_cut_leaves_out_what_is_the_owners(parser: Parser) -> None:
    (root,) = roots_of(plan(parser, "{ location(id: 1) { evses { uid s: server_id } } }"), {})
    assert root.shape is not None
    assert root.shape.keys == {"evses"}
    assert answer_of(root.shape.public, LOCATION) == {"evses": [{"uid": "B", "s": None}]}
    assert answer_of(root.shape.own, LOCATION)["evses"][0] == {"uid": "A", "s": "s"}


@pytest.mark.parametrize(
    "text",
    [
        "{ locations { a: id a: name } }",
        "{ locations(limit: 1) { id } locations(limit: 2) { id } }",
        "{ locations { id } locations(limit: 2) { id } }",
        "{ locations { evses { a: uid } ...F } } fragment F on LOCATIONS { evses { a: status } }",
        "{ locations { id a: name @skip(if: true) ... { a: city } } }",
        'query ($a: String) { evse(location_name: $a) { uid } evse(location_name: "a") { uid } }',
        "{ find_ev_filter_locations(facilities: []) { id } find_ev_filter_locations(facilities: [null]) { id } }",
    ],
)
def test_fields_that_cannot_be_merged_are_refused(parser: Parser, text: str) -> None:
    with pytest.raises(BadUserInput, match="conflict"):
        plan(parser, text)


@pytest.mark.parametrize(
    "text",
    [
        "{ ... on CONNECTOR { id } }",
        "{ locations { ... on EVSE { uid } } }",
        "{ locations { evses { ... on EVSE { uid } } } }",
        "{ locations { id ...F } } fragment F on EVSE { uid }",
        "{ locations { id ... @skip(if: true) { ... on Query { __typename } } } }",
    ],
)
def test_fragments_of_another_type_are_refused(parser: Parser, text: str) -> None:
    with pytest.raises((BadUserInput, Invalid)):
        plan(parser, text)


def test_introspection_stands_at_the_root_alone(parser: Parser) -> None:
    for text in ('{ locations { __type(name: "EVSE") { name } } }', "{ locations { id evses { __schema } } }"):
        with pytest.raises((BadUserInput, Invalid)):
            plan(parser, text)


@pytest.mark.parametrize(
    "text",
    [
        "{ locations(limit: 1) { id } locations(limit: 1) { name } }",
        '{ a: evse(order: "ASC", limit: 2) { uid } a: evse(limit: 2, order: "ASC") { uid } }',
        '{ evse(location_name: "x") { uid } evse(location_name: """x""") { uid } }',
    ],
)
def test_equal_fields_are_one(parser: Parser, text: str) -> None:
    assert len(roots_of(plan(parser, text), {})) == 1


def test_the_operation_is_chosen_by_name(parser: Parser) -> None:
    text = "query A { location { id } } query B { locations { id } }"
    assert [root.selected.name for root in roots_of(plan(parser, text, "B"), {})] == ["locations"]
    for name in (None, "", "C"):
        with pytest.raises(BadUserInput):
            plan(parser, text, name)


def test_each_root_field_has_its_audience() -> None:
    cpo, driver = Viewer(party=Party("PH", "ABC")), Viewer(client="app", scopes=frozenset({"read"}))
    assert scope_of("locations", cpo) == Own(Party("PH", "ABC"))
    assert scope_of("find_ev_locations", driver) is PUBLIC
    for name, viewer in (("evse", driver), ("location", NOBODY), ("find_ev_locations", cpo)):
        with pytest.raises(Unauthenticated, match="Unauthorized"):
            scope_of(name, viewer)
    with pytest.raises(Unauthenticated, match="Token Expired"):
        scope_of("locations", Viewer(rejected="Token Expired"))
    with pytest.raises(Forbidden):
        scope_of("find_ev_filter_locations", Viewer(client="desk", scopes=frozenset({"accounts"})))


def test_what_another_operation_skips_by_is_not_asked_for(parser: Parser) -> None:
    text = (
        "query A($a: Boolean!) { find_ev_locations(limit: 1) { ...F } } query B { find_ev_locations(limit: 1) { id } }"
        " fragment F on LOCATIONS { id @include(if: $a) }"
    )
    assert plan(parser, text, "A").conditions == ("a",)
    assert plan(parser, text, "B").conditions == ()
    assert len(roots_of(plan(parser, text, "B"), {})) == 1
