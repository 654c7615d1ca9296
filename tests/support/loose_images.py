"""The `LooseImages` port in memory; it passes the suite of the stored one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from write_side.domain.cpo import Upload


@dataclass
class LooseImagesInMemory:
    """offered: by name, with the CPO that may take it, or None for any; gone: names that were let go."""

    announced: list[str] = field(default_factory=list)
    offered: dict[str, tuple[Upload, int | None]] = field(default_factory=dict)
    gone: list[str] = field(default_factory=list)

    async def announce(self, names: Sequence[str]) -> None:
        self.announced.extend(names)

    async def offer_to_all(self, upload: Upload, client: str) -> None:  # noqa: ARG002 - a port
        self.offered[upload.name] = (upload, None)

    async def offer_to_one(self, upload: Upload, cpo_owner_id: int) -> None:
        for older in await self.own(cpo_owner_id, upload.filename):
            del self.offered[older.name]
        self.offered[upload.name] = (upload, cpo_owner_id)

    async def own(self, cpo_owner_id: int, filename: str) -> list[Upload]:
        return [
            one for one, whose in reversed(self.offered.values()) if (whose, one.filename) == (cpo_owner_id, filename)
        ]

    async def shared(self, filename: str) -> list[Upload]:
        return [one for one, whose in self.offered.values() if (whose, one.filename) == (None, filename)][:2]

    async def let_go(self, names: Sequence[str]) -> None:
        self.gone.extend(names)
        for name in names:
            self.offered.pop(name, None)
