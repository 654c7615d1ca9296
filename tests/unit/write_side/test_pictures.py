"""A picture is what its name says, and nothing but a picture."""

from __future__ import annotations

import asyncio
import io
from typing import IO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tests.support.pictures import SVG, a_picture, a_png_of, an_svg, opened
from write_side.adapters.pictures import MAX_PIXELS, MAX_SCANS, PictureCheck
from write_side.domain.errors import InvalidImage

CHECK = PictureCheck(max_bytes=1_000_000)
ORIENTATION = 0x0112
GPS = 0x8825
RED = (255, 0, 0)


async def checked(content: bytes, filename: str = "photo.png") -> bytes:
    picture = await CHECK.checked(filename, io.BytesIO(content))
    assert filename.lower().endswith(f".{picture.extension}")
    return picture.content


async def reason(content: bytes, filename: str = "photo.png") -> str:
    with pytest.raises(InvalidImage) as refused:
        await CHECK.checked(filename, io.BytesIO(content))
    return refused.value.reason


@pytest.mark.parametrize(
    ("filename", "kind"), [("a.png", "PNG"), ("A.PNG", "PNG"), ("a.b.jpg", "JPEG"), ("a.JpEg", "JPEG")]
)
async def test_a_picture_is_encoded_anew_in_its_kind(filename: str, kind: str) -> None:
    image = opened(await checked(a_picture(kind), filename))
    assert (image.format, image.size) == (kind, (6, 4))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
async def test_every_mode_of_png_keeps_its_pixels(mode: str) -> None:
    original = a_picture("PNG", mode) if mode != "I;16" else _of_sixteen_bits()
    assert opened(await checked(original)).convert("RGBA").tobytes() == opened(original).convert("RGBA").tobytes()


def _of_sixteen_bits() -> bytes:
    out = io.BytesIO()
    Image.new("I;16", (6, 4), 40_000).save(out, "PNG")
    return out.getvalue()


async def test_transparency_stays() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putpixel((1, 0), 1)
    out = io.BytesIO()
    image.save(out, "PNG", transparency=1)
    assert opened(await checked(out.getvalue())).convert("RGBA").getpixel((1, 0)) == (0, 0, 255, 0)


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
async def test_every_mode_of_jpeg_becomes_one_that_browsers_show(mode: str) -> None:
    image = opened(await checked(a_picture("JPEG", mode, (64, 32)), "a.jpg"))
    assert image.mode in {"L", "RGB"}


async def test_a_phones_picture_of_several_frames_is_a_jpeg() -> None:
    frame = opened(a_picture("JPEG"))
    out = io.BytesIO()
    frame.save(out, "MPO", save_all=True, append_images=[frame])
    assert opened(await checked(out.getvalue(), "a.jpg")).format == "JPEG"


async def test_what_a_camera_wrote_is_gone_and_the_picture_stands_upright() -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6  # the camera was held upright: turn by 90 degrees to the right
    exif.get_ifd(GPS)[1] = "N"
    original = a_picture("JPEG", size=(64, 32), exif=exif, comment=b"secret", icc_profile=b"profile", quality=95)
    assert opened(original).getexif()[ORIENTATION] == 6
    cleaned = await checked(original, "a.jpg")
    image = opened(cleaned)
    assert image.size == (32, 64)
    top = image.getpixel((16, 8))
    assert isinstance(top, tuple)
    assert [abs(one - other) < 20 for one, other in zip(top, RED, strict=True)] == [True] * 3
    assert dict(image.getexif()) == {}
    assert not {"comment", "icc_profile", "exif"} & set(image.info)
    assert b"secret" not in cleaned


async def test_the_texts_of_a_png_are_gone() -> None:
    info = PngInfo()
    info.add_text("Author", "secret")
    info.add_itxt("XML:com.adobe.xmp", "secret")
    cleaned = await checked(a_picture("PNG", pnginfo=info, icc_profile=b"profile"))
    assert b"secret" not in cleaned
    assert opened(cleaned).info == {}


async def test_what_hangs_behind_a_picture_is_gone() -> None:
    assert b"<script>" not in await checked(a_picture("PNG") + b"<script>alert(1)</script>")


@pytest.mark.parametrize(
    "filename", ["photo", "photo.gif", "photo.png.exe", "png", ".", "", "photo.webp", "photo.svgz", "photo.png ."]
)
async def test_another_extension_is_refused(filename: str) -> None:
    assert (await reason(a_picture(), filename)).startswith("expected a file name that ends in .png, .jpg, .jpeg, .svg")


@pytest.mark.parametrize(
    ("content", "filename"),
    [
        (a_picture("JPEG"), "a.png"),
        (a_picture("PNG"), "a.jpg"),
        (a_picture("GIF"), "a.png"),
        (a_picture("WEBP"), "a.jpg"),
        (a_picture("PNG"), "a.svg"),
        (SVG, "a.png"),
        (b"", "a.png"),
        (b"", "a.jpg"),
        (b"", "a.svg"),
        (b"\x89PNG\r\n\x1a\n", "a.png"),
        (b"\xff\xd8\xff", "a.jpg"),
        (b"<html></html>", "a.svg"),
        (b"PK\x03\x04", "a.jpeg"),
    ],
)
async def test_content_that_is_not_what_the_name_says_is_refused(content: bytes, filename: str) -> None:
    assert await reason(content, filename)


@pytest.mark.parametrize("missing", [1, 2, 4, 8, 12, 13, 30, 60])
@pytest.mark.parametrize(("kind", "filename"), [("PNG", "a.png"), ("JPEG", "a.jpg")])
async def test_a_truncated_picture_is_refused(kind: str, filename: str, missing: int) -> None:
    assert await reason(a_picture(kind, size=(200, 100))[:-missing], filename) == f"no whole {kind} picture"


async def test_a_png_with_a_wrong_checksum_is_refused() -> None:
    content = bytearray(a_picture("PNG"))
    content[-5] ^= 1
    assert await reason(bytes(content)) == "no whole PNG picture"


async def test_a_picture_of_too_many_pixels_is_refused_before_it_is_decoded() -> None:
    side = int(MAX_PIXELS**0.5)
    await checked(a_png_of(side, 100))
    assert await reason(a_png_of(side + 8, side)) == f"more than {MAX_PIXELS} pixels"


async def test_a_bomb_is_refused() -> None:
    assert await reason(a_png_of(100_000, 60_000)) in {f"more than {MAX_PIXELS} pixels", "no whole PNG picture"}


async def test_a_jpeg_of_very_many_scans_is_refused() -> None:
    content = a_picture("JPEG", size=(64, 64), progressive=True)
    await checked(content, "a.jpg")
    last = content.rindex(b"\xff\xda")
    many = content[:-2] + content[last:-2] * (MAX_SCANS + 1) + content[-2:]
    assert await reason(many, "a.jpg") == f"more than {MAX_SCANS} scans"


async def test_a_file_over_the_limit_is_refused() -> None:
    at_most = PictureCheck(max_bytes=len(SVG))
    await at_most.checked("a.svg", io.BytesIO(SVG))
    with pytest.raises(InvalidImage) as refused:
        await at_most.checked("a.svg", io.BytesIO(SVG + b"\n"))
    assert refused.value.reason == f"larger than {len(SVG)} bytes"


@settings(deadline=None)
@given(st.data())
def test_spoiled_pictures_are_shown_or_refused(data: st.DataObject) -> None:
    kind, filename = data.draw(st.sampled_from([("PNG", "a.png"), ("JPEG", "a.jpg"), ("SVG", "a.svg")]))
    content = bytearray(an_svg("<g/>") if kind == "SVG" else a_picture(kind, size=(40, 40)))
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=5)):
        content[place] = data.draw(st.integers(0, 255))

    async def check() -> None:
        try:
            shown = await checked(bytes(content), filename)
        except InvalidImage:
            return
        assert shown

    asyncio.run(check())


async def test_only_so_many_are_decoded_at_once() -> None:
    class Watched(io.BytesIO):
        reading = 0
        most = 0

        def read(self, size: int | None = -1, /) -> bytes:
            Watched.reading += 1
            Watched.most = max(Watched.most, Watched.reading)
            content = super().read(size)
            Watched.reading -= 1
            return content

    check = PictureCheck(max_bytes=1_000_000, at_once=1)
    files: list[IO[bytes]] = [Watched(a_picture("PNG", size=(300, 300))) for _ in range(8)]
    await asyncio.gather(*(check.checked("a.png", file) for file in files))
    assert Watched.most == 1
