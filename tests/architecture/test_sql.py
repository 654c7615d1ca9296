"""SQL stands on the page as SQL: in constants, in small letters, in the room that owns the tables."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("api", "ocpi", "projections", "read_side", "write_side")
STATEMENT = re.compile(
    r"\s*(select\s|insert\s+into\s|update\s+\w|delete\s+from\s|with\s+\w+\s+as\s|create\s+\w|alter\s+\w|truncate\s"
    r"|set\s+(local\s+)?\w+\s*=|listen\s|lock\s+table)",
    re.IGNORECASE,
)
KEYWORD = re.compile(
    r"\b(SELECT|INSERT|INTO|UPDATE|DELETE|FROM|WHERE|JOIN|VALUES|RETURNING|GROUP BY|ORDER BY|LIMIT|CONFLICT)\b"
)
CLAUSES = ("from", "where", "order by", "group by", "having", "limit", "returning", "values", "on conflict")
# Three one-line commands about the schema itself, beside the constants of that module.
BARE_COMMANDS = {ROOT / "projections" / "migrate.py"}


class Text(NamedTuple):
    """A string in a module. constant: the upper-case module constant that it is the value of, else None."""

    path: Path
    line: int
    value: str
    constant: str | None


def modules() -> list[Path]:
    return [file for room in ROOMS for file in sorted((ROOT / room).rglob("*.py"))]


def docstrings(tree: ast.Module) -> set[int]:
    """Ids of nodes that are there to be read: docstrings, of constants too."""
    return {
        id(node.value)
        for owner in ast.walk(tree)
        if isinstance(owner, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        for node in owner.body
        if isinstance(node, ast.Expr)
    }


def constants(tree: ast.Module) -> dict[int, str]:
    """Id of each string node below an upper-case module constant, and the constant's name."""
    found: dict[int, str] = {}
    for node in tree.body:
        target: ast.expr | None = node.target if isinstance(node, ast.AnnAssign) else None
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target = node.targets[0]
        if isinstance(target, ast.Name) and target.id.lstrip("_").isupper():
            found |= {id(below): target.id for below in ast.walk(node)}
    return found


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


@cache
def texts(path: Path) -> list[Text]:
    tree = tree_of(path)
    to_read, named = docstrings(tree), constants(tree)
    return [
        Text(path, node.lineno, node.value, named.get(id(node)))
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in to_read
    ]


@cache
def statements() -> list[Text]:
    return [text for path in modules() for text in texts(path) if STATEMENT.match(text.value)]


def where(text: Text) -> str:
    return f"{text.path.relative_to(ROOT)}:{text.line}"


def test_the_statements_are_found() -> None:
    rooms = {text.path.relative_to(ROOT).parts[0] for text in statements()}
    assert {"projections", "read_side", "write_side"} <= rooms
    assert len(statements()) > 50


def test_every_statement_is_an_upper_case_constant_of_its_module() -> None:
    bare = [text for text in statements() if text.constant is None and text.path not in BARE_COMMANDS]
    assert [where(text) for text in bare] == []


def test_no_statement_is_put_together_from_pieces() -> None:
    pieces = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in modules()
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.JoinedStr)
        and node.values
        and isinstance(node.values[0], ast.Constant)
        and STATEMENT.match(str(node.values[0].value))
    ]
    assert pieces == []


def test_keywords_are_in_small_letters() -> None:
    assert [where(text) for text in statements() if KEYWORD.search(text.value)] == []


def test_a_statement_of_several_lines_has_one_clause_a_line() -> None:
    crowded = [
        f"{where(text)}: {line.strip()}"
        for text in statements()
        if "\n" in text.value.strip()
        for line in text.value.splitlines()
        if sum(bool(re.search(rf"(?<![\w(]){clause}\s", line)) for clause in ("where", "order by", "limit", "having"))
        > 1
    ]
    assert crowded == []


@pytest.mark.parametrize(
    ("room", "foreign"),
    [
        ("write_side", re.compile(r"\w+_view\b|\bviews\.")),
        ("read_side", re.compile(r"\bes\.\w")),
        ("projections", re.compile(r"\bes\.\w")),
        ("ocpi", re.compile(r"\bes\.\w|\bviews\.")),
    ],
)
def test_no_room_names_tables_of_another(room: str, foreign: re.Pattern[str]) -> None:
    named = [
        f"{where(text)}: {text.value.strip()[:60]}"
        for path in sorted((ROOT / room).rglob("*.py"))
        for text in texts(path)
        if foreign.search(text.value)
    ]
    assert named == []
    scripts = [file for file in (ROOT / room).rglob("*.sql") if foreign.search(file.read_text("utf-8"))]
    assert scripts == []


def test_only_the_store_writes_events() -> None:
    writes = re.compile(r"(insert\s+into|update|delete\s+from)\s+es\.(events|head|claims|commands)\b", re.IGNORECASE)
    owners = {text.path.relative_to(ROOT).parts[:2] for text in statements() if writes.search(text.value)}
    assert owners <= {("write_side", "store")}
