from __future__ import annotations

from ocpi.codes import REFERENCE_LISTS
from read_side.reports import REFERENCE_DATA, _by_name


def test_names_are_in_the_order_in_which_people_look_them_up() -> None:
    names = ["Binangonan", "Binmaley", "Biñan", "Bislig", "Parang", "parañaque", "Pasig"]
    assert sorted(set(names), key=_by_name) == names


def test_reference_data_is_every_list_with_its_ids_in_order() -> None:
    assert list(REFERENCE_DATA) == [known.name for known in REFERENCE_LISTS]
    for known in REFERENCE_LISTS:
        told = REFERENCE_DATA[known.name]
        assert [one["id"] for one in told] == list(range(1, len(told) + 1))
        assert [(one["code"], one["description"]) for one in told] == [(c.code, c.description) for c in known.codes]
