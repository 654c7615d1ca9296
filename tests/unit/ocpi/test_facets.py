"""Facets are stored: none may ever become another, and none may share its bit while its list fits its bits."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ocpi.facets import FACETS, PAIRS, SIGNATURE_BITS, grams_of, grams_wanted, place_facets
from ocpi.identifiers import Party

ABC = Party("PH", "ABC")


def test_every_facet_has_a_bit_of_its_own() -> None:
    facets = [*FACETS.values(), *PAIRS.values()]
    assert len({facet % SIGNATURE_BITS for facet in facets}) == len(facets) == 142
    of_places = {facet % SIGNATURE_BITS for n in range(500) for facet in place_facets("city", f"town {n}")}
    of_places |= {facet % SIGNATURE_BITS for n in range(500) for facet in place_facets("province", f"town {n}")}
    assert of_places == set(range(160, 320))
    assert not of_places & {facet % SIGNATURE_BITS for facet in facets}


def test_facets_that_were_stored_mean_the_same_for_ever() -> None:
    assert FACETS["facilities", "WIFI"] == 16
    assert FACETS["power_types", "AC_3_PHASE"] == 158
    assert PAIRS[("capabilities", "payment_types"), "PRIVILEGE_AND_LOYALTY", "MAYA"] == 334
    assert PAIRS[("connector_types", "power_types"), "CCS_2", "DC"] == 514
    assert place_facets("city", "makati") == (1_925_809, 4_265_877)
    assert grams_of(ABC, "ab") == [-1_494_725_987, 1_071_717_159, 1_410_055_049]


@given(st.text(max_size=40), st.text(min_size=1, max_size=5), st.text(max_size=40))
def test_a_name_has_all_grams_of_each_of_its_parts(before: str, part: str, after: str) -> None:
    assert set(grams_wanted(ABC, part)) <= set(grams_of(ABC, before + part + after))


@given(st.text(min_size=1, max_size=20))
def test_grams_are_a_partys_own(name: str) -> None:
    assert grams_of(ABC, name) != grams_of(Party("PH", "XYZ"), name)
    assert all(-(1 << 31) <= gram < 1 << 31 for gram in grams_of(ABC, name))
