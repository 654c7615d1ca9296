"""What was measured, written into a page of the documentation: between two comments that mark its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def write_between_marks(page: Path, mark: str, text: str) -> None:
    """What stands between `<!-- MARK: begin -->` and `<!-- MARK: end -->` becomes this text."""
    begin, end = f"<!-- {mark}: begin -->", f"<!-- {mark}: end -->"
    whole = page.read_text("utf-8")
    assert begin in whole, f"{page.name} has lost its mark {begin}"
    assert end in whole, f"{page.name} has lost its mark {end}"
    before, _, rest = whole.partition(begin)
    after = rest.partition(end)[2]
    page.write_text(f"{before}{begin}\n{text}\n{end}{after}", "utf-8")
