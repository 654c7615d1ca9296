"""Small pictures of every kind, whole and spoiled."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any, Final

from PIL import Image

SVG: Final = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8">'
    b'<defs><linearGradient id="g"><stop offset="0" stop-color="#123"/></linearGradient></defs>'
    b'<rect width="8" height="8" fill="url(#g)"/></svg>'
)


def a_picture(kind: str = "PNG", mode: str = "RGB", size: tuple[int, int] = (6, 4), **saved: Any) -> bytes:
    """An image file; the left half is red, the right half blue. saved: what else Pillow shall write."""
    image = Image.new("RGB", size, "red")
    image.paste("blue", (size[0] // 2, 0, *size))
    out = io.BytesIO()
    image.convert(mode).save(out, kind, **saved)
    return out.getvalue()


def opened(content: bytes) -> Image.Image:
    """The decoded image."""
    image = Image.open(io.BytesIO(content))
    image.load()
    return image


def an_svg(inside: str = "", attributes: str = "", before: str = "") -> bytes:
    """A drawing with something in it. before: of its outermost element."""
    return (
        f'{before}<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" {attributes}>'
        f'<circle r="3"/>{inside}</svg>'
    ).encode()


def a_png_of(width: int, height: int) -> bytes:
    """A PNG file of very many black pixels in a few bytes: `width` by `height`, one bit each."""
    line = b"\0" * (1 + (width + 7) // 8)
    thousands, rest = divmod(height, 1_000)
    squeezed = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    # Behind a full flush nothing refers to what came before: the same lines again are the same bytes again.
    thousand = squeezed.compress(line * 1_000) + squeezed.flush(zlib.Z_FULL_FLUSH)
    last = squeezed.compress(line * rest) + squeezed.flush()
    adler = len(line) * height % 65_521 << 16 | 1  # of zeros alone (RFC 1950, section 8.2)
    pixels = b"\x78\xda" + thousand * thousands + last + struct.pack(">I", adler)
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", pixels) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
