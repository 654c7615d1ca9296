"""The pages' files: what is not ours is what was published, keeps its licence, and is installed with the rest."""

from __future__ import annotations

import hashlib
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
STATIC = ROOT / "api/static"
VENDORED = STATIC / "vendored"
PACKAGES = ("api", "ocpi", "projections", "read_side", "write_side")


def test_vendored_files_are_those_whose_sums_were_noted() -> None:
    noted = dict(line.split("  ")[::-1] for line in (VENDORED / "SHA256SUMS").read_text().splitlines())
    found = {
        path.relative_to(VENDORED).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in VENDORED.rglob("*")
        if path.is_file() and path.name != "SHA256SUMS"
    }
    assert found == noted


def test_every_vendored_package_has_its_licence_and_is_told_of() -> None:
    notice = (ROOT / "THIRD_PARTY.md").read_text()
    script = (ROOT / "scripts/vendor_pages.py").read_text()
    for folder in sorted(path for path in VENDORED.iterdir() if path.is_dir()):
        name, _, version = folder.name.rpartition("-")
        assert (folder / "LICENSE").stat().st_size > 0
        assert f"`{name}` {version}" in notice
        assert f'"{name}@{version}"' in script


def test_the_pages_load_files_that_are_there_and_nothing_from_elsewhere() -> None:
    for page in STATIC.glob("*.html"):
        text = page.read_text()
        loaded = re.findall(r'(?:src|href)="/static/([^"]+)"', text)
        assert loaded
        assert [path for path in loaded if not (STATIC / path).is_file()] == []
        assert "//" not in re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)


def test_every_file_that_is_no_python_is_installed_too() -> None:
    globs = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["*"]
    for name in PACKAGES:
        files = {path for path in (ROOT / name).rglob("*") if path.is_file() and "__pycache__" not in path.parts}
        data = {path for path in files if path.suffix != ".py"}
        packages = [ROOT / name, *(path.parent for path in files if path.name == "__init__.py")]
        assert data <= {path for package in packages for glob in globs for path in package.glob(glob)}
