from __future__ import annotations

import re
from pathlib import Path

import pytest

from api.settings import Settings, env_example
from api.welcome import EXAMPLES

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def test_env_example_says_every_setting_with_its_default() -> None:
    assert (ROOT / ".env.example").read_text() == env_example()


def test_every_setting_has_a_meaning() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_named_files_are_there(page: Path) -> None:
    text = page.read_text()
    links = [link for link in re.findall(r"\]\(([^)#]+)", text) if "://" not in link]
    assert [link for link in links if not (page.parent / link).exists()] == []
    named = re.findall(r"`((?:api|docs|ocpi|projections|read_side|scripts|tests|write_side)/[\w./]+\.\w+)`", text)
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("setting", re.findall(r"EMSP_[A-Z0-9_]+", (ROOT / "docs/operations.md").read_text()))
def test_settings_that_operations_names_exist(setting: str) -> None:
    assert setting.removeprefix("EMSP_").lower() in Settings.model_fields


def test_the_welcome_says_the_same_calls_as_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    paths = {path.rstrip("/") for path in re.findall(r"/ocpi/cpo/[\w./]+", EXAMPLES)}
    assert paths
    assert [path for path in paths if path not in readme] == []


def test_decisions_are_numbered_without_a_gap() -> None:
    numbers = [int(page.name[:4]) for page in sorted((ROOT / "docs/decisions").glob("*.md"))]
    assert numbers == list(range(1, len(numbers) + 1))
