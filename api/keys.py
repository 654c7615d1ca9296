"""The secrets of the embedded default: generated once into the data folder, readable by its owner alone."""

from __future__ import annotations

import os
import secrets
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pydantic import SecretStr

KEY_BYTES: Final = 48
FOLDER_MODE: Final = 0o700


def key_of(configured: SecretStr | None, data_dir: Path, name: str) -> str:
    """The configured key, or the one in DATA_DIR/keys, made at first need.

    raises: OSError where the folder can't be written
    """
    if configured is not None:
        return configured.get_secret_value()
    folder = data_dir / "keys"
    folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    path = folder / name
    if not path.exists():
        # Readable by its owner alone; left behind by a crash it stands in nobody's way.
        descriptor, unfinished = tempfile.mkstemp(dir=folder, prefix=f".{name}.")
        with open(descriptor, "w") as file:  # noqa: PTH123 - made with its mode
            file.write(secrets.token_urlsafe(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        try:
            # Of two processes that start at once the first one's key stays.
            os.link(unfinished, path)
        except FileExistsError:
            pass
        finally:
            Path(unfinished).unlink()
    return path.read_text().strip()
