"""What is refused before Tartiflette sees it, quickly, and what passes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import pytest

from read_side.errors import BadUserInput
from read_side.executor import cooked
from read_side.guards import Guarded, Limits, NotAQuery, check_text, check_variables
from read_side.parsing import Invalid, Parser, SyntaxFault

LIMITS: Final = Limits()
# What graphql-js 16 asks by default.
TYPE_REF: Final = "kind name " + "ofType { kind name " * 7 + "}" * 7
INTROSPECTION: Final = f"""
    query IntrospectionQuery {{
      __schema {{
        queryType {{ name }} mutationType {{ name }} subscriptionType {{ name }}
        types {{ ...FullType }}
        directives {{ name description locations args {{ ...InputValue }} }}
      }}
    }}
    fragment FullType on __Type {{
      kind name description
      fields(includeDeprecated: true) {{
        name description args {{ ...InputValue }} type {{ ...TypeRef }} isDeprecated deprecationReason
      }}
      inputFields {{ ...InputValue }} interfaces {{ ...TypeRef }}
      enumValues(includeDeprecated: true) {{ name description isDeprecated deprecationReason }}
      possibleTypes {{ ...TypeRef }}
    }}
    fragment InputValue on __InputValue {{ name description type {{ ...TypeRef }} defaultValue }}
    fragment TypeRef on __Type {{ {TYPE_REF} }}
"""


@pytest.fixture(scope="module")
async def parser() -> Parser:
    return Parser(await cooked("test_guards"), LIMITS)


def doubling(count: int) -> str:
    fragments = [f"fragment F{nr} on Query {{ a: __typename ...F{nr + 1} b: __typename }}" for nr in range(count)]
    twice = [f"fragment G{nr} on Query {{ ...G{nr + 1} ... on Query {{ ...G{nr + 1} }} }}" for nr in range(count)]
    ends = f"fragment F{count} on Query {{ __typename }} fragment G{count} on Query {{ __typename }}"
    return f"{{ ...F0 ...G0 }} {' '.join(fragments)} {' '.join(twice)} {ends}"


def doubling_without_fields(count: int) -> str:
    return "{ ...F0 } " + " ".join(f"fragment F{nr} on Query {{ ...F{nr + 1} ...F{nr + 1} }}" for nr in range(count))


def a_chain(links: int, nested: int, order: int) -> str:
    fragments = [
        f"fragment F{nr} on Query {{ {'... { ' * nested} ...F{nr + 1} {'} ' * nested} }}" for nr in range(links)
    ]
    return f"{{ ...F0 }} {' '.join(fragments[::order])} fragment F{links} on Query {{ __typename }}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 40_000, "brackets"),
        ("{a" * 5_000 + "}" * 5_000, "brackets"),
        ("{ location(id: " + "[" * 200 + "]" * 200 + ") { id } }", "brackets"),
        ("{ __typename }\0", "NUL"),
        ("{ __typename \ud800 }", "surrogate"),
        ("{" + " a" * 20_000 + "}", "tokens"),
        ('"' * 100_000, "tokens"),
        ("{ __typename } #" + "x" * 300_000, "longer than"),
        ("{ locations { evses " + "{ evses " * 12 + "{ uid }" + "}" * 14, "nests fields"),
        ("{ locations { " + " ".join(f"a{nr}: id" for nr in range(51)) + " } }", "aliases"),
        ("{ locations { " + "id " * 2_000 + "} }", "has fields"),
        ("{ " + " ".join(f"a{nr}: locations {{ id }}" for nr in range(21)) + " }", "root fields"),
        (doubling(25), "cost|fields"),
        (doubling_without_fields(60), "has fields"),
        (a_chain(90, 30, order=1), "nests selections"),
        (a_chain(90, 30, order=-1), "nests selections"),
        (a_chain(1, 63, order=1), "nests selections"),
        ("{ ...F } " + " ".join(f"fragment F{nr} on Query {{ __typename }}" for nr in range(101)), "more than 100"),
        ("{ __schema { types { fields { type { fields { type { fields { name } } } } } } } }", "Introspection"),
        ('{ __type(name: "EVSE") { ...T } } fragment T on __Type { ofType { ...T } }', "spreads itself"),
        ("{ ...F } fragment F on Query { __typename ...G } fragment G on Query { ...F }", "spreads itself"),
        ("mutation { __typename }", "no mutation"),
        ("subscription { __typename }", "no subscription"),
    ],
)
def test_what_is_too_much_is_refused_at_once(parser: Parser, text: str, message: str) -> None:
    with pytest.raises(Guarded, match=message):
        parser.document(text)


@pytest.mark.parametrize(
    ("text", "done"),
    [
        ("{ __typename } #" + "x" * 300_000, []),
        ("[" * 40_000, []),
        ("{" + " a" * 20_000 + "}", []),
        ("{ locations { evses " + "{ evses " * 12 + "{ uid }" + "}" * 14, ["_ast"]),
        ("{ locations { " + " ".join(f"a{nr}: id" for nr in range(51)) + " } }", ["_ast"]),
        ("{ locations { " + "id " * 2_000 + "} }", ["_ast"]),
        ("{ locations { id } }", ["_ast", "_validated"]),
    ],
    ids=["size", "brackets", "tokens", "depth", "aliases", "cost", "fine"],
)
def test_each_guard_stands_before_the_work_that_it_spares(
    parser: Parser, monkeypatch: pytest.MonkeyPatch, text: str, done: list[str]
) -> None:
    worked: list[str] = []

    def watched(name: str, work: Callable[[Parser, Any], Any]) -> Callable[[Parser, Any], Any]:
        def do(of: Parser, what: Any) -> Any:
            worked.append(name)
            return work(of, what)

        return do

    for name in ("_ast", "_validated"):
        monkeypatch.setattr(Parser, name, watched(name, getattr(Parser, name)))
    with suppress(Guarded):
        parser.document(text)
    assert worked == done


def test_selections_may_nest_as_deep_as_brackets(parser: Parser) -> None:
    assert parser.document(a_chain(1, 61, order=1))


def test_the_default_introspection_passes(parser: Parser) -> None:
    document, _ = parser.document(INTROSPECTION)
    assert len(document.definitions) == 4


def test_a_fragment_may_be_spread_from_many_places(parser: Parser) -> None:
    assert parser.document(
        """{ locations { ...A ...C ...A } }
           fragment A on LOCATIONS { ...B ...C ...C evses { ...E ...E } }
           fragment B on LOCATIONS { ...C @skip(if: true) ...C evses { ...E } }
           fragment C on LOCATIONS { id }
           fragment E on EVSE_WITHOUT_LOCATIONS { uid }"""
    )


@pytest.mark.parametrize(
    "text",
    [
        '{ evse(location_name: "' + "[({" * 80 + '") { uid } }',
        "{ __typename # " + "{[(" * 80 + "\n}",
        "{ __typename } " + "# " + "(" * 100,
        '{ evse(location_name: "a\\"[[[[\\\\") { uid } }',
        "\ufeff{ __typename }",
    ],
)
def test_brackets_in_strings_and_comments_do_not_count(parser: Parser, text: str) -> None:
    assert parser.document(text)


def test_block_strings_are_strings() -> None:
    check_text('{ a(b: """ ' + "{" * 100 + ' \\""" " "" ' + "{" * 100 + ' """) }', LIMITS)
    with pytest.raises(Guarded):
        check_text('{ a(b: """ """, c: ' + "[" * 100, LIMITS)
    with pytest.raises(Guarded):
        check_text('{ a(b: "unterminated ' + "\n" + "[" * 100, LIMITS)


@pytest.mark.parametrize(
    ("variables", "is_fine"),
    [
        ({"a": [1] * 900}, True),
        ({"a": [1] * 1_001}, False),
        ({"a": [[1] * 500, [1] * 501]}, False),
        ({"a": {"b": {"c": ["x" * 19_990]}}}, True),
        ({"a": ["x" * 10_001, "y" * 10_001]}, False),
        ({"a": {"k" * 20_001: None}}, False),
    ],
)
def test_variables_have_a_measure(variables: dict[str, Any], *, is_fine: bool) -> None:
    if is_fine:
        check_variables(variables, LIMITS)
        return
    with pytest.raises(Guarded):
        check_variables(variables, LIMITS)


def test_a_syntax_error_tells_its_place(parser: Parser) -> None:
    with pytest.raises(SyntaxFault) as refused:
        parser.document("{\n  locations { id\n")
    assert (refused.value.line, refused.value.column) == (3, 1)
    assert refused.value.message.startswith("Syntax error: ")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "}",
        "type T { a: Int }",
        "{ location(id: {a: 1}) { id } }",
        "{ location(id: 9999999999999999999999) { id } }",
        "{ find_ev_filter_locations(lat: 1e999) { nothing } }",
        "query ($a: [[Int!]!]!) { location(id: $a) { id } }",
        "query ($a: Nothing) { location(id: $a) { id } }",
        "query ($a: LOCATIONS) { location(id: $a) { id } }",
        "{ ...F } fragment F on Nothing { id }",
        "{ ...F } fragment F on Query { ...G } fragment G on Query { ...F }",
        "{ locations @skip { id } }",
        "{ locations @skip(if: 1) { id } }",
        "{ locations @include(unless: true) { id } }",
        "{ locations(limit: [1]) { id } }",
        "{ __typename(a: 1) }",
        "query A { __typename } query A { __typename }",
        "query A { __typename } { __typename }",
        "fragment F on Query { __typename }",
        "{ locations { evses } }",
        "{ locations { id { a } } }",
        '{ evse(location_name: "\\q") { uid } }',
    ],
)
def test_invalid_texts_are_refused_and_nothing_else_happens(parser: Parser, text: str) -> None:
    with pytest.raises((BadUserInput, Invalid)):
        parser.document(text)


def test_a_query_is_no_other_operation() -> None:
    assert issubclass(NotAQuery, Guarded)
    assert issubclass(Guarded, BadUserInput)
