#!/usr/bin/env python3
"""Bring the browser libraries of our pages into api/static/vendored: pinned, whole files as published, with their sums.

Run by hand when a version below changes; needs npm, with whatever registry it is configured for. The same versions give
the same bytes: `git diff` tells what changed.
"""

import hashlib
import json
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

TO = Path(__file__).parents[1] / "api" / "static" / "vendored"
SUMS = "SHA256SUMS"
PACKAGES = {
    "swagger-ui-dist@5.35.0": (
        "swagger-ui-bundle.js",
        "swagger-ui-bundle.js.LICENSE.txt",
        "swagger-ui.css",
        "LICENSE",
        "NOTICE",
    ),
    "graphiql@3.9.0": ("graphiql.min.js", "graphiql.min.css", "LICENSE"),
    "react@18.3.1": ("umd/react.production.min.js", "LICENSE"),
    "react-dom@18.3.1": ("umd/react-dom.production.min.js", "LICENSE"),
}


def packed(package: str, folder: Path) -> Path:
    """The package's archive, as it was published; npm has compared it with the registry's sum."""
    told = subprocess.run(  # noqa: S603 - our own words
        ["npm", "pack", "--json", "--ignore-scripts", package],  # noqa: S607 - whichever npm is on the PATH
        cwd=folder,
        check=True,
        stdout=subprocess.PIPE,
    )
    (about,) = json.loads(told.stdout)
    return folder / about["filename"]


def taken(archive: Path, names: tuple[str, ...], to: Path) -> None:
    """Only these files of the archive, without the folders they are in."""
    to.mkdir(parents=True)
    with tarfile.open(archive) as tar:
        for name in names:
            member = tar.extractfile(f"package/{name}")
            if member is None:
                raise SystemExit(f"{archive.name} has no file {name}")
            (to / Path(name).name).write_bytes(member.read())


def sums_of(folder: Path) -> str:
    """A line for each file, as sha256sum writes and checks them."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != SUMS)
    return "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder)}\n" for path in files)


def main() -> None:
    """Make the folder anew."""
    shutil.rmtree(TO, ignore_errors=True)
    with tempfile.TemporaryDirectory() as scratch:
        for package, names in PACKAGES.items():
            taken(packed(package, Path(scratch)), names, TO / package.replace("@", "-"))
            print(package)
    (TO / SUMS).write_text(sums_of(TO))


if __name__ == "__main__":
    main()
