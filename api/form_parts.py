"""What the calls with files have in common: which parts of a form they need, told with all that is wrong."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from api.values import MAX_INT
from write_side.commands.wishes import ImageFile
from write_side.domain.errors import Fault, MissingFile, TooManyFiles

if TYPE_CHECKING:
    from api.multipart import Form

WHOLE: Final = re.compile(r"0*([1-9][0-9]{0,9})", re.ASCII)


def image_files(form: Form, name: str, *, at_most: int, faults: list[Fault]) -> tuple[ImageFile, ...]:
    """The files under that name; MISSING_FILE and TOO_MANY_FILES go into the faults."""
    parts = form.files.get(name, [])
    if not parts:
        faults.append(MissingFile().at(name))
    if len(parts) > at_most:
        faults.append(TooManyFiles().at(name))
    fields = [name] if at_most == 1 else [f"{name}[{place}]" for place in range(len(parts))]
    return tuple(ImageFile(field, part.filename, part.file) for field, part in zip(fields, parts, strict=False))


def whole_number(form: Form, name: str, faults: list[Fault]) -> int:
    """The one value under that name, from 1 to 2,147,483,647; or a fault, and 0."""
    values = form.fields.get(name, [])
    if len(values) != 1:
        faults.append(Fault(name, "expected it once" if values else "required"))
        return 0
    found = WHOLE.fullmatch(values[0].strip())
    if found is None or int(found[1]) > MAX_INT:
        faults.append(Fault(name, f"expected a whole number from 1 to {MAX_INT}"))
        return 0
    return int(found[1])
