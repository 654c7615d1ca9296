"""Where images lie: a local folder, or an S3 bucket for many machines."""

from __future__ import annotations

import asyncio
import os
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from obstore.exceptions import BaseError
from obstore.store import LocalStore, S3Store

from write_side.domain.errors import ImagesOutOfReach

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from obstore.store import ClientConfig, ObjectStore, RetryConfig

CONNECT_TIMEOUT: Final = timedelta(seconds=3)
TIMEOUT: Final = timedelta(seconds=15)
RETRIES: Final = 2
UNFINISHED: Final = "#1"
"""What the library appends to the name of a local file while it is written; a killed process leaves it so."""

CHUNK_BYTES: Final = 256 * 1024


class ImageMissing(Exception):
    """There is no image of that name."""


@dataclass(frozen=True, slots=True)
class StoredImage:
    """An image on its way out. chunks: its content, once; raises ImagesOutOfReach where it breaks off."""

    size_bytes: int
    chunks: AsyncIterator[bytes]


@dataclass(frozen=True, slots=True)
class S3Access:
    """How to reach an S3 server. What is None is found as AWS's own programs find it: environment, then the machine."""

    endpoint: str | None = None
    region: str | None = None
    access_key_id: str | None = None
    secret_access_key: str | None = None


def images_at(url: str, s3: S3Access) -> ObjectImages:
    """The store at `file:///folder`, which is made, or `s3://bucket/prefix`; nothing is asked of it yet.

    raises: OSError, obstore's BaseError  the folder can't be made, or the access is malformed
    """
    if url.startswith("file:"):
        folder = Path(unquote(urlsplit(url).path))
        return ObjectImages(LocalStore(folder, mkdir=True), folder=folder)
    access = {name: value for name, value in _named(s3).items() if value is not None}
    client: ClientConfig = {
        "connect_timeout": CONNECT_TIMEOUT,
        "timeout": TIMEOUT,
        "allow_http": (s3.endpoint or "").startswith("http://"),
    }
    retry: RetryConfig = {"max_retries": RETRIES, "retry_timeout": TIMEOUT}
    return ObjectImages(S3Store.from_url(url, client_options=client, retry_config=retry, **access))  # type: ignore[arg-type]


def _named(s3: S3Access) -> dict[str, str | None]:
    return {
        "endpoint": s3.endpoint,
        "region": s3.region,
        "access_key_id": s3.access_key_id,
        "secret_access_key": s3.secret_access_key,
    }


class ObjectImages:
    """The `Images` port over an object store. folder: of a local one, whose files are to survive a power cut."""

    def __init__(self, store: ObjectStore, *, folder: Path | None = None) -> None:
        self._store = store
        self._folder = folder

    async def put(self, name: str, content: bytes) -> None:
        """Store an image, whole or not at all. raises: ImagesOutOfReach."""
        with _reaching():
            await self._store.put_async(name, content, use_multipart=False)
            if self._folder is not None:
                await asyncio.to_thread(_sync, self._folder / name)

    async def get(self, name: str) -> StoredImage:
        """A stored image. raises: ImageMissing, ImagesOutOfReach."""
        with _reaching():
            try:
                found = await self._store.get_async(name)
            except FileNotFoundError:
                raise ImageMissing from None
        return StoredImage(found.meta["size"], _chunks(found.stream(min_chunk_size=CHUNK_BYTES)))

    async def size(self, name: str) -> int:
        """Bytes of a stored image. raises: ImageMissing, ImagesOutOfReach."""
        with _reaching():
            try:
                found = await self._store.head_async(name)
            except FileNotFoundError:
                raise ImageMissing from None
        return found["size"]

    async def remove(self, name: str) -> None:
        """Remove an image; one that is not there is removed already. raises: ImagesOutOfReach."""
        with _reaching():
            if self._folder is not None:
                await asyncio.to_thread((self._folder / f"{name}{UNFINISHED}").unlink, missing_ok=True)
            try:
                await self._store.delete_async(name)
            except FileNotFoundError:
                return


@contextmanager
def _reaching() -> Iterator[None]:
    try:
        yield
    except (BaseError, OSError) as trouble:
        raise ImagesOutOfReach from trouble


async def _chunks(stream: AsyncIterator[object]) -> AsyncIterator[bytes]:
    with _reaching():
        async for chunk in stream:
            yield bytes(chunk)  # type: ignore[call-overload]  # obstore's Bytes is a buffer


def _sync(path: Path) -> None:
    for place in (path, path.parent):
        descriptor = os.open(place, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
