"""Keys of the embedded default: made once, kept, readable by their owner alone."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import SecretStr

from api.keys import key_of
from api.settings import MIN_KEY_BYTES


def test_a_key_is_made_once_and_kept(tmp_path: Path) -> None:
    key = key_of(None, tmp_path / "var", "seal_key")
    assert len(key.encode()) >= MIN_KEY_BYTES
    assert key_of(None, tmp_path / "var", "seal_key") == key
    assert key_of(None, tmp_path / "var", "jwt_access_key") != key


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    key_of(None, tmp_path, "seal_key")
    folder = tmp_path / "keys"
    (file,) = folder.iterdir()
    assert [path.stat().st_mode & 0o777 for path in (folder, file)] == [0o700, 0o600]


def test_a_configured_key_is_used_and_nothing_is_written(tmp_path: Path) -> None:
    assert key_of(SecretStr("configured"), tmp_path, "seal_key") == "configured"
    assert list(tmp_path.iterdir()) == []


def test_of_many_that_start_at_once_all_have_the_same_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        keys = set(threads.map(lambda _: key_of(None, tmp_path, "seal_key"), range(8)))
    assert len(keys) == 1
    assert [file.name for file in (tmp_path / "keys").iterdir()] == ["seal_key"]


def test_what_a_crash_left_is_in_nobodys_way(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / f".seal_key.{os.getpid()}").write_text("half")
    assert key_of(None, tmp_path, "seal_key") != "half"


def test_a_folder_that_can_not_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("no folder")
    with pytest.raises(OSError, match="var"):
        key_of(None, tmp_path / "var", "seal_key")
