"""What a picture must be, and how it is made harmless: decoded and encoded anew, without what a camera wrote into it.

The pixels stay, turned upright; EXIF with its places and names, comments and colour profiles go.
"""

from __future__ import annotations

import asyncio
import io
import struct
import zlib
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING, Final

from PIL import Image, ImageOps

from write_side.adapters.svgs import cleaned_svg
from write_side.domain.errors import InvalidImage
from write_side.ports import Picture

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMATS: Final[Mapping[str, str]] = {"png": "PNG", "jpg": "JPEG", "jpeg": "JPEG", "svg": "SVG"}
"""The format that each extension promises (contract §2)."""

MAX_PIXELS: Final = 30_000_000
"""More than phones take, but for modes whose files are over 5 MiB; decoded it is 120 MB, while it is turned 240."""

MAX_SCANS: Final = 100
"""A progressive JPEG may repeat a scan of a few bytes very often, and each costs the time of the whole picture."""

PNG_END: Final = b"IEND\xaeB`\x82"
"""The last part of every PNG, with its checksum; Pillow looks no further than its name."""

START_OF_SCAN: Final = b"\xff\xda"
JPEG_QUALITY: Final = 90

UNREADABLE: Final = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    EOFError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)
"""What Pillow raises over files that are none, or not whole."""


class PictureCheck:
    """The `Pictures` port. max_bytes: of one file; at_once: pictures that are decoded at the same time."""

    def __init__(self, *, max_bytes: int, at_once: int = 2) -> None:
        self._max_bytes = max_bytes
        self._turns = asyncio.Semaphore(at_once)

    async def checked(self, filename: str, file: IO[bytes]) -> Picture:
        """The picture in that file, made harmless; decoded in a thread. raises: InvalidImage."""
        extension = PurePosixPath(filename).suffix.removeprefix(".").lower()
        if extension not in FORMATS:
            raise InvalidImage(f"expected a file name that ends in {', '.join('.' + one for one in FORMATS)}")
        async with self._turns:
            return Picture(extension, await asyncio.to_thread(self._read, extension, file))

    def _read(self, extension: str, file: IO[bytes]) -> bytes:
        content = file.read(self._max_bytes + 1)
        if len(content) > self._max_bytes:
            raise InvalidImage(f"larger than {self._max_bytes} bytes")
        kind = FORMATS[extension]
        return cleaned_svg(content) if kind == "SVG" else cleaned_raster(content, kind)


def cleaned_raster(content: bytes, kind: str) -> bytes:
    """The picture encoded anew. kind: `PNG` or `JPEG`.

    raises: InvalidImage  it is none of that kind, not whole, or too large to be decoded
    """
    if kind == "JPEG" and content.count(START_OF_SCAN) > MAX_SCANS:
        raise InvalidImage(f"more than {MAX_SCANS} scans")
    try:
        if kind == "PNG":
            content.index(PNG_END)
            with Image.open(io.BytesIO(content), formats=[kind]) as image:
                # Every part of the file with its checksum, to the end; decoding stops at the last pixel.
                image.verify()
        with Image.open(io.BytesIO(content), formats=[kind]) as image:
            if image.width * image.height > MAX_PIXELS:
                raise InvalidImage(f"more than {MAX_PIXELS} pixels")
            image.load()
            ImageOps.exif_transpose(image, in_place=True)
            return _encoded(image, kind)
    except UNREADABLE:
        raise InvalidImage(f"no whole {kind} picture") from None


def _encoded(image: Image.Image, kind: str) -> bytes:
    # Pillow writes back some of what it has read; only transparency is part of the picture.
    image.info = {key: value for key, value in image.info.items() if key == "transparency"}
    out = io.BytesIO()
    if kind == "PNG":
        image.save(out, "PNG")
    else:
        plain = image if image.mode in {"L", "RGB"} else image.convert("RGB")
        plain.save(out, "JPEG", quality=JPEG_QUALITY)
    return out.getvalue()
