"""docs/errors.md has every code that can be answered, with its status, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from api.envelope import STATUS_OF
from write_side.domain import errors
from write_side.domain.errors import DomainError

ROOT = Path(__file__).parents[2]
WITH_STATUS = re.compile(r"^\| (\d{3}) \| `([^`]+)` \|", re.MULTILINE)
RULE = re.compile(r"^\| `([A-Z_]+)(:[^`]*)?` \|", re.MULTILINE)

PAGE = (ROOT / "docs/errors.md").read_text()
RULES = {
    one.rule
    for one in vars(errors).values()
    if isinstance(one, type) and issubclass(one, DomainError) and one is not DomainError
}
UNKNOWN_VALUES = {
    rule for file in ROOT.glob("api/**/*.py") for rule in re.findall(r'_code_of\([^)]*"([A-Z_]+)"\)', file.read_text())
}


def test_the_page_has_every_status_with_its_messages() -> None:
    told = {(int(status), message) for status, message in WITH_STATUS.findall(PAGE)}
    answered = {(status, message) for status, message in STATUS_OF.values() if message is not None}
    assert told == answered | {(400, errors.VALIDATION_ERROR), (500, "Internal Server Error")}


def test_the_page_has_every_rule_and_unknown_value() -> None:
    told = [code for code, _ in RULE.findall(PAGE)]
    assert len(told) == len(set(told))
    assert set(told) == RULES | UNKNOWN_VALUES
    assert RULES
    assert UNKNOWN_VALUES


def test_a_status_of_the_table_is_told_by_the_first_class_that_fits() -> None:
    kinds = list(STATUS_OF)
    hidden = [(late, early) for nr, late in enumerate(kinds) for early in kinds[:nr] if issubclass(late, early)]
    assert hidden == []
