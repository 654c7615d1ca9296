"""What is taken as it is: exactly what Tartiflette's coercion answers, or it is left to Tartiflette."""

from __future__ import annotations

import re
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from read_side.coercion import Declared, declared, plain_variables
from read_side.executor import cooked
from read_side.guards import Limits
from read_side.parsing import Invalid
from read_side.plan import Plan
from read_side.preparing import Preparer

USES: Final = {
    "Int": "location(id: $v)",
    "Float": "find_ev_filter_locations(lat: $v)",
    "String": "find_ev_filter_locations(city: $v)",
    "Boolean": "find_ev_locations @skip(if: $v)",
    "[String]": "find_ev_filter_locations(facilities: $v)",
}
TYPES: Final = ["Int", "Float", "String", "Boolean!", "[String]", "[String]!", "Int!", "[String!]"]
VALUES: Final = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.sampled_from([2**31, 2**31 - 1, -(2**31), 2**53 + 1])
    | st.floats()
    | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=4,
)


@pytest.fixture(scope="module")
async def preparer() -> Preparer:
    return Preparer(await cooked("test_coercion"), Limits())


def plan_of(preparer: Preparer, *types: str) -> tuple[Plan, tuple[Declared, ...] | None]:
    """An operation with variables v0, v1, … of these types."""
    variables = ", ".join(f"$v{place}: {of}" for place, of in enumerate(types))
    used = " ".join(
        f"k{place}: {USES[re.sub(r'!| = .*', '', of)]} {{ id }}".replace("$v", f"$v{place}")
        for place, of in enumerate(types)
    )
    plan = preparer.plan(f"query ({variables}) {{ {used} }}", None)
    return plan, declared(plan.operation.variable_definitions or ())


@settings(max_examples=400, deadline=None, derandomize=True)
@given(types=st.lists(st.sampled_from(TYPES), min_size=1, max_size=3), data=st.data())
async def test_what_is_plain_is_what_tartiflette_answers(
    preparer: Preparer, types: list[str], data: st.DataObject
) -> None:
    plan, known = plan_of(preparer, *types)
    given_values = {
        f"v{place}": data.draw(VALUES, label=of) for place, of in enumerate(types) if data.draw(st.integers(0, 4))
    }
    if known is None:
        assert "[String!]" in types
        return
    plain = plain_variables(known, given_values)
    if plain is not None:
        assert await preparer.coerced(plan, given_values) == plain


@pytest.mark.parametrize(
    ("of", "value"),
    [
        ("Int", 7),
        ("Float", 7),
        ("Float", 7.5),
        ("String", ""),
        ("Boolean!", False),
        ("[String]", ["a", None]),
        ("Int", None),
    ],
)
async def test_what_clients_send_is_plain(preparer: Preparer, of: str, value: Any) -> None:
    _, known = plan_of(preparer, of)
    assert known is not None
    assert plain_variables(known, {"v0": value, "another": 1}) == {"v0": value}


@pytest.mark.parametrize(
    ("of", "value"),
    [
        ("Int", True),
        ("Int", 2**31),
        ("Int", 1.0),
        ("Float", float("inf")),
        ("[String]", "a"),
        ("Int!", None),
        ("Int", [1]),
    ],
)
async def test_the_rest_is_left_to_tartiflette(preparer: Preparer, of: str, value: Any) -> None:
    _, known = plan_of(preparer, of)
    assert known is not None
    assert plain_variables(known, {"v0": value}) is None


async def test_a_variable_with_a_default_that_is_left_out_is_tartiflettes(preparer: Preparer) -> None:
    plan, known = plan_of(preparer, "Int = 3")
    assert known is not None
    assert plain_variables(known, {}) is None
    assert await preparer.coerced(plan, {}) == {"v0": 3}


async def test_a_required_variable_that_is_missing_is_refused_by_tartiflette(preparer: Preparer) -> None:
    plan, known = plan_of(preparer, "Int!")
    assert known is not None
    assert plain_variables(known, {}) is None
    with pytest.raises(Invalid):
        await preparer.coerced(plan, {})
