"""A multipart/form-data body as a form: read as a stream within bounds, each part in a temporary file (RFC 7578)."""

from __future__ import annotations

import re
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from tempfile import SpooledTemporaryFile
from typing import IO, TYPE_CHECKING, Final
from urllib.parse import unquote

from aiohttp import hdrs
from multipart import MultipartError, PushMultipartParser, parse_options_header

from api.calls import NO_ENCODINGS, limited_chunks
from api.refusals import UnsupportedMediaType
from api.values import SHORT, has_controls
from write_side.domain.errors import Fault, Faults

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from hashlib import _Hash

    from aiohttp import web
    from multipart import MultipartSegment

FORM_DATA: Final = "multipart/form-data"
MAX_PARTS: Final = 64
MAX_HEADERS: Final = 8
MAX_HEADER_BYTES: Final = 4_096
MAX_FIELD_BYTES: Final = 4_096
MAX_BOUNDARY_LENGTH: Final = 200
SPOOL_BYTES: Final = 64 * 1024
"""So much of a part is kept in memory; more goes to the disk."""

EXTENDED_FILENAME: Final = re.compile(r";\s*filename\*\s*=\s*utf-8'[^';]*'([^\s;]*)", re.IGNORECASE)
"""How RFC 5987 writes a file name beyond ASCII. RFC 7578 takes it back; older clients still send it."""


@dataclass(frozen=True, slots=True)
class Upload:
    """What a call takes as a form. key, types, at_most: of its files; types: media types; fields: its other keys."""

    key: str
    types: tuple[str, ...]
    at_most: int = 1
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FilePart:
    """One file of a form. name: the form's key; file: at its start, closed with its form; sha256: of its content."""

    name: str
    filename: str
    content_type: str
    file: IO[bytes]
    size_bytes: int
    sha256: bytes


@dataclass(frozen=True, slots=True)
class Form:
    """A form's fields and files by their keys, each key's in the order sent.

    fingerprint: SHA-256 over its parts' names, file names and contents, not its boundary (contract §3).
    """

    fields: dict[str, list[str]]
    files: dict[str, list[FilePart]]
    fingerprint: bytes


@asynccontextmanager
async def multipart_form(request: web.Request, *, limit_bytes: int) -> AsyncIterator[Form]:
    """The form in a request's body; its files are gone when this ends.

    limit_bytes: of the whole body, boundaries and all
    raises: UnsupportedMediaType; PayloadTooLarge
            Faults  malformed, too many parts, or names and fields that are too long or no text: all of these at once
    """
    encoding = request.headers.get(hdrs.CONTENT_ENCODING, "").lower()
    # A compressed body could be a bomb, and no client of the contract sends one.
    if request.content_type.lower() != FORM_DATA or encoding not in NO_ENCODINGS:
        raise UnsupportedMediaType
    boundary = _boundary_of(request.headers[hdrs.CONTENT_TYPE])
    with ExitStack() as files:
        parts = _Parts(files)
        try:
            with PushMultipartParser(
                boundary,
                max_header_size=MAX_HEADER_BYTES,
                max_header_count=MAX_HEADERS,
                max_segment_count=MAX_PARTS,
            ) as parser:
                async for chunk in limited_chunks(request, limit_bytes):
                    for event in parser.parse(chunk):
                        parts.take(event)
        except MultipartError as wrong:
            raise Faults([Fault("", f"not a well-formed form: {wrong.args[0]}")]) from None
        yield parts.form()


def _boundary_of(content_type: str) -> str:
    boundary: str = parse_options_header(content_type)[1].get("boundary", "")
    if not 1 <= len(boundary) <= MAX_BOUNDARY_LENGTH or not (boundary.isascii() and boundary.isprintable()):
        raise Faults([Fault(hdrs.CONTENT_TYPE, "expected a boundary")])
    return boundary


@dataclass(slots=True)
class _Part:
    """One part of a form while it is read. filename None: it is a field."""

    name: str
    filename: str | None
    content_type: str
    file: IO[bytes]
    content: _Hash
    size_bytes: int = 0

    @property
    def is_left_out(self) -> bool:
        """Whether it stands for a file that nobody chose: browsers send it without name and content."""
        return self.filename == "" and self.size_bytes == 0


@dataclass(slots=True)
class _Parts:
    """What has been read of a form. files: closes the temporary files."""

    files: ExitStack
    _read: list[_Part] = field(default_factory=list)

    def take(self, event: MultipartSegment | bytes | None) -> None:
        """What the parser tells: a part begins, goes on (its next bytes), or ends (None)."""
        if event is None:
            self._read[-1].file.seek(0)
        elif isinstance(event, bytes):
            part = self._read[-1]
            part.file.write(event)
            part.content.update(event)
            part.size_bytes += len(event)
        else:
            file = self.files.enter_context(SpooledTemporaryFile(max_size=SPOOL_BYTES))  # noqa: SIM115 - the stack closes it
            content_type = event.content_type or ""
            self._read.append(_Part(event.name or "", _filename_of(event), content_type, file, sha256()))

    def form(self) -> Form:
        """All of it. raises: Faults."""
        if faults := [fault for part in self._read for fault in _faults_of(part)]:
            raise Faults(faults)
        form = Form({}, {}, _fingerprint_of(self._read))
        for part in self._read:
            if part.filename is None:
                form.fields.setdefault(part.name, []).append(part.file.read().decode())
            elif not part.is_left_out:
                file = FilePart(
                    part.name, part.filename, part.content_type, part.file, part.size_bytes, part.content.digest()
                )
                form.files.setdefault(part.name, []).append(file)
        return form


def _filename_of(segment: MultipartSegment) -> str | None:
    filename: str | None = segment.filename
    if filename is None and (extended := EXTENDED_FILENAME.search(segment.header("Content-Disposition", ""))):
        filename = unquote(extended[1])
    return None if filename is None else filename.strip()


def _faults_of(part: _Part) -> list[Fault]:
    if not 1 <= len(part.name) <= SHORT or has_controls(part.name):
        return [Fault("", f"expected parts whose names have 1 to {SHORT} characters, none of them a control character")]
    if part.filename is not None:
        is_wrong = len(part.filename) > SHORT or has_controls(part.filename)
        message = f"expected a file name of at most {SHORT} characters, none of them a control character"
        return [Fault(part.name, message)] if is_wrong else []
    if part.size_bytes > MAX_FIELD_BYTES:
        return [Fault(part.name, f"expected at most {MAX_FIELD_BYTES} bytes")]
    try:
        part.file.read().decode()
    except UnicodeDecodeError:
        return [Fault(part.name, "expected text in UTF-8")]
    part.file.seek(0)
    return []


def _fingerprint_of(parts: list[_Part]) -> bytes:
    whole = sha256()
    for part in parts:
        # Lengths before the texts: no part can be taken for two others.
        for text in (part.name, part.filename):
            encoded = b"" if text is None else text.encode()
            whole.update(b"%d:%b" % (-1 if text is None else len(encoded), encoded))
        whole.update(part.content.digest())
    return whole.digest()
