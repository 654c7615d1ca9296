from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

import pytest
from aiohttp import StreamReader, web
from aiohttp.base_protocol import BaseProtocol
from aiohttp.test_utils import make_mocked_request
from hypothesis import given, settings
from hypothesis import strategies as st

from api.multipart import MAX_FIELD_BYTES, MAX_PARTS, SPOOL_BYTES, FilePart, Form, multipart_form
from api.patience import PATIENCE, Patience
from api.refusals import PayloadTooLarge, UnsupportedMediaType
from write_side.domain.errors import Faults

FORM = "multipart/form-data; boundary=b"


class Part(NamedTuple):
    name: str
    content: bytes
    filename: str | None = None


def encoded(*parts: Part, boundary: str = "b") -> bytes:
    lines = b""
    for part in parts:
        quoted = part.name.replace('"', "%22")
        disposition = f'form-data; name="{quoted}"'
        if part.filename is not None:
            disposition += f'; filename="{part.filename}"'
        head = f"--{boundary}\r\nContent-Disposition: {disposition}\r\n\r\n"
        lines += head.encode() + part.content + b"\r\n"
    return lines + f"--{boundary}--\r\n".encode()


def request_of(chunks: Sequence[bytes], content_type: str = FORM, **headers: str) -> web.Request:
    loop = asyncio.get_running_loop()
    body = StreamReader(BaseProtocol(loop), limit=2**24, loop=loop)
    for chunk in chunks:
        body.feed_data(chunk)
    body.feed_eof()
    named = {"Content-Type": content_type} | {name.replace("_", "-"): value for name, value in headers.items()}
    app = web.Application()
    app[PATIENCE] = Patience()
    return make_mocked_request("POST", "/", headers=named, payload=body, app=app)


async def read(*chunks: bytes, content_type: str = FORM, limit_bytes: int = 10**7, **headers: str) -> Form:
    """The form, its files closed."""
    async with multipart_form(request_of(chunks, content_type, **headers), limit_bytes=limit_bytes) as form:
        return form


async def faults_of(*chunks: bytes, content_type: str = FORM) -> list[tuple[str, str]]:
    with pytest.raises(Faults) as refused:
        await read(*chunks, content_type=content_type)
    assert refused.value.code == "VALIDATION_ERROR"
    return [(fault.field, fault.message) for fault in refused.value.faults]


def shown(file: FilePart) -> tuple[str, str, bytes, int]:
    return file.name, file.filename, file.file.read(), file.size_bytes


async def test_fields_and_files_are_read_in_the_order_sent() -> None:
    body = encoded(
        Part("location_id", b"7"),
        Part("photo", b"one", "a.png"),
        Part("photo", b"two", "b é ñ.jpg"),
        Part("location_id", "ñ".encode()),
        Part("logo", b"", "empty.svg"),
    )
    async with multipart_form(request_of([body]), limit_bytes=len(body)) as form:
        assert form.fields == {"location_id": ["7", "ñ"]}
        assert [shown(file) for file in form.files["photo"]] == [
            ("photo", "a.png", b"one", 3),
            ("photo", "b é ñ.jpg", b"two", 3),
        ]
        assert [shown(file) for file in form.files["logo"]] == [("logo", "empty.svg", b"", 0)]


async def test_its_files_are_closed_afterwards() -> None:
    form = await read(encoded(Part("a", b"x", "a.png")))
    assert form.files["a"][0].file.closed


async def test_a_large_file_goes_to_the_disk_and_comes_back_whole() -> None:
    content = bytes(range(256)) * 4_000
    async with multipart_form(request_of([encoded(Part("a", content, "a.bin"))]), limit_bytes=10**7) as form:
        (file,) = form.files["a"]
        assert file.size_bytes == len(content) > SPOOL_BYTES
        assert file.file.read() == content


async def test_a_file_that_nobody_chose_is_left_out() -> None:
    assert (await read(encoded(Part("a", b"", "")))).files == {}


async def test_a_form_without_parts_is_empty() -> None:
    form = await read(b"--b--")
    assert (form.fields, form.files) == ({}, {})


@pytest.mark.parametrize(
    ("disposition", "filename"),
    [
        ("form-data; name=a; filename*=UTF-8''ni%C3%B1o.png", "niño.png"),
        ("form-data; name=a; filename=plain.png; filename*=utf-8''other.png", "plain.png"),
        ('form-data; name="a"; filename="say %22hi%22.png"', 'say "hi".png'),
        ('form-data; name="a"; filename=" trimmed.png "', "trimmed.png"),
        ('form-data; name="a"; filename="C:\\pictures\\logo.png"', "logo.png"),
        ('form-data; name="a"; filename="../../etc/passwd.png"', "../../etc/passwd.png"),
    ],
)
async def test_file_names_are_read_as_clients_write_them(disposition: str, filename: str) -> None:
    body = f"--b\r\nContent-Disposition: {disposition}\r\n\r\nx\r\n--b--".encode()
    assert (await read(body)).files["a"][0].filename == filename


async def test_what_is_around_the_form_is_ignored() -> None:
    assert (await read(b"preamble\r\n" + encoded(Part("a", b"1")) + b"epilogue")).fields == {"a": ["1"]}


@settings(deadline=None)
@given(st.data())
def test_however_it_is_cut_it_is_the_same_form(data: st.DataObject) -> None:
    names = st.text(st.characters(exclude_categories=("C", "Z"), exclude_characters='"%\\'), min_size=1, max_size=10)
    content = st.binary(max_size=30) | st.sampled_from([b"\r\n--", b"\r\n--b", b"\r\n--bb--x", b"--b--", b"\r\n\r\n"])
    content = content.filter(lambda text: b"\r\n--b" not in b"\r\n" + text)
    parts = data.draw(st.lists(st.builds(Part, names, content, names), max_size=4))
    body = encoded(*parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=6)))
    chunks = [body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True) if start < end]

    async def check() -> None:
        async with multipart_form(request_of(chunks), limit_bytes=len(body)) as form:
            read_parts = [shown(file) for files in form.files.values() for file in files]
        assert sorted(read_parts) == sorted((p.name, p.filename, p.content, len(p.content)) for p in parts)

    asyncio.run(check())


SENT = (Part("a", b"1"), Part("f", b"content", "f.png"))


async def test_the_fingerprint_does_not_hang_on_the_boundary() -> None:
    one = await read(encoded(*SENT))
    two = await read(encoded(*SENT, boundary="another"), content_type='multipart/form-data; boundary="another"')
    assert one.fingerprint == two.fingerprint


@pytest.mark.parametrize(
    "other",
    [
        (Part("a", b"2"), SENT[1]),
        (Part("b", b"1"), SENT[1]),
        (SENT[0], Part("f", b"content", "g.png")),
        (SENT[0], Part("f", b"contents", "f.png")),
        (SENT[0], Part("f", b"content")),
        (Part("a", b"1", ""), SENT[1]),
        (SENT[0],),
        (*SENT, SENT[0]),
        (Part("a1", b""), SENT[1]),
    ],
)
async def test_the_fingerprint_tells_other_names_file_names_and_contents(other: tuple[Part, ...]) -> None:
    assert (await read(encoded(*SENT))).fingerprint != (await read(encoded(*other))).fingerprint


@pytest.mark.parametrize(
    "content_type", ["application/json", "text/plain", "multipart/mixed; boundary=b", "application/octet-stream"]
)
async def test_another_content_type_is_refused(content_type: str) -> None:
    with pytest.raises(UnsupportedMediaType):
        await read(encoded(*SENT), content_type=content_type)


async def test_a_compressed_body_is_refused() -> None:
    with pytest.raises(UnsupportedMediaType):
        await read(encoded(*SENT), Content_Encoding="gzip")


async def test_a_body_over_the_limit_is_refused() -> None:
    body = encoded(*SENT)
    await read(body, limit_bytes=len(body))
    with pytest.raises(PayloadTooLarge):
        await read(body, limit_bytes=len(body) - 1)
    with pytest.raises(PayloadTooLarge):
        await read(b"", limit_bytes=len(body), Content_Length=str(len(body) + 1))


MALFORMED = {
    "nothing": b"",
    "no boundary in it": b"hello",
    "not closed": encoded(*SENT).removesuffix(b"--\r\n"),
    "cut in a part": encoded(*SENT)[:-20],
    "cut in a header": b"--b\r\nContent-Dispo",
    "no header": b"--b\r\n\r\nx\r\n--b--",
    "another disposition": b'--b\r\nContent-Disposition: attachment; name="a"\r\n\r\nx\r\n--b--',
    "a header that is none": b"--b\r\nhello\r\n\r\nx\r\n--b--",
    "a header that is no UTF-8": b'--b\r\nContent-Disposition: form-data; name="\xff"\r\n\r\nx\r\n--b--',
    "a wrong length of a part": b"--b\r\nContent-Disposition: form-data; name=a\r\nContent-Length: 9\r\n\r\nx\r\n--b--",
    "a bare line break": b"--b\nContent-Disposition: form-data; name=a\n\nx\n--b--",
    "an endless header": b"--b\r\nX: " + b"x" * 100_000,
    "many headers": b"--b\r\n" + b"X: 1\r\n" * 100 + b"\r\nx\r\n--b--",
    "many parts": encoded(*[Part("a", b"1")] * (MAX_PARTS + 1)),
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED)
async def test_a_malformed_body_is_refused(body: bytes) -> None:
    ((field, message),) = await faults_of(body)
    assert field == ""
    assert message.startswith("not a well-formed form: ")


@pytest.mark.parametrize(
    "content_type",
    ["multipart/form-data", "multipart/form-data; boundary=", f"multipart/form-data; boundary={'x' * 201}"],
)
async def test_a_form_without_a_boundary_is_refused(content_type: str) -> None:
    assert await faults_of(encoded(*SENT), content_type=content_type) == [("Content-Type", "expected a boundary")]


async def test_wrong_names_and_fields_are_told_at_once() -> None:
    found = await faults_of(
        encoded(
            Part("", b"1"),
            Part("x" * 256, b"1"),
            Part("a", b"1", "x" * 256),
            Part("b", b"1", "bell\a.png"),
            Part("c", b"\xff"),
            Part("d", b"x" * (MAX_FIELD_BYTES + 1)),
            Part("e", b"fine"),
        )
    )
    assert [field for field, _ in found] == ["", "", "a", "b", "c", "d"]


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_whatever_comes_is_a_form_or_a_refusal(rubbish: bytes) -> None:
    async def check() -> None:
        with suppress(Faults):
            await read(b"--b\r\n" + rubbish)

    asyncio.run(check())
