"""How PostgreSQL answers a root field: the plan of its statement."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import asyncpg
import orjson

from read_side.plan import bind
from read_side.scope import Scope
from read_side.sql import render


async def plan_of(
    connection: asyncpg.Connection[Any], name: str, arguments: dict[str, Any], scope: Scope, *, options: str = ""
) -> dict[str, Any]:
    """As `explain` has it in JSON. options: more of them, with a comma behind each."""
    text, values = render(bind(name, None, arguments, scope, cap=10_000))
    await connection.execute(f"prepare question as {text}")
    call = f"question({', '.join(map(_literal, values))})" if values else "question"
    found = await connection.fetchval(f"explain ({options}format json) execute {call}")
    await connection.execute("deallocate question")
    plan: dict[str, Any] = orjson.loads(found)[0]["Plan"]
    return plan


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The plan and all that is below it."""
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


def _literal(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, tuple | list):
        kind = "text" if isinstance(value[0], str) else "int"
        return f"array[{', '.join(map(_literal, value))}]::{kind}[]"
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value)
