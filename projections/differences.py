"""What may be wrong with views: one difference a column, with both values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Difference:
    """One column of one row that is not what the events say.

    key: `location/ID`, `cpo/COUNTRY/PARTY`, `places`, or `all` for what was counted
    live, told: what the views have and what the events say; both whole rows, as JSON, where one of them is missing.
    """

    key: str
    table: str
    column: str
    live: str | None
    told: str | None


def columns_of(table: str, key: str, live: str | None, told: str | None) -> Sequence[Difference]:
    """What differs of one row, column by column. live, told: the row as JSON; None: there is none."""
    if live is None or told is None:
        return [Difference(key, table, "*", live, told)]
    found, expected = orjson.loads(live), orjson.loads(told)
    return [
        Difference(key, table, column, text_of(found.get(column)), text_of(expected.get(column)))
        for column in found | expected
        if found.get(column) != expected.get(column)
    ]


def text_of(value: object) -> str:
    """A value as it is shown."""
    return value if isinstance(value, str) else orjson.dumps(value).decode()
