"""What an SVG must be to be shown to strangers: a drawing, without script and without anything from elsewhere."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser
from py_svg_hush import filter_svg

from write_side.domain.errors import InvalidImage

if TYPE_CHECKING:
    from collections.abc import Mapping

SVG: Final = "http://www.w3.org/2000/svg"
XHTML: Final = "http://www.w3.org/1999/xhtml"
FEED_BYTES: Final = 64 * 1024
"""Fed in pieces, so that other threads get their turns."""

MAX_ELEMENTS: Final = 50_000
MAX_DEPTH: Final = 64
"""The filter indents: without this limit a deep file of a megabyte would become one of gigabytes."""

ACTIVE: Final = frozenset(
    {"script", "foreignobject", "handler", "listener", "iframe", "embed", "object", "audio", "video", "canvas", "link"}
)
"""Elements that run, or bring in another document, in any namespace and any case."""

LINKS: Final = frozenset({"href", "src", "base", "action", "formaction", "data", "ping", "poster", "srcset"})
SCHEMES: Final = re.compile(r"(?:^|;)\s*(?:javascript|vbscript|data)\s*:", re.IGNORECASE)
"""Animations name several values, one of which may be a link."""

CSS_OUTSIDE: Final = (
    "@import",
    "expression(",
    "javascript:",
    "behavior:",
    "-moz-binding",
    "image(",
    "image-set(",
    "cross-fade(",
    "src(",
)
"""What CSS can load or run, beside `url(`."""

CSS_URL: Final = "url("
MAX_SPACE: Final = 100
"""So many characters behind `url(` the `#` must have come that leads into the drawing itself."""

UNREADABLE: Final = (ParseError, DefusedXmlException, LookupError, ValueError)


def cleaned_svg(content: bytes) -> bytes:
    """The drawing as it may be stored, in UTF-8: without comments, metadata and whatever no drawing needs.

    raises: InvalidImage  no well-formed SVG, too large a tree, or with script or a reference to elsewhere in it
    """
    _check(content)
    try:
        cleaned = filter_svg(content, {})
    except ValueError:
        raise InvalidImage("no SVG that can be read") from None
    # What the filter makes of it has to stand the same test.
    _check(cleaned)
    return cleaned


def _check(content: bytes) -> None:
    parser = DefusedXMLParser(target=_Drawing(), forbid_dtd=False, forbid_entities=True, forbid_external=True)
    try:
        for start in range(0, len(content), FEED_BYTES):
            parser.feed(content[start : start + FEED_BYTES])
        parser.close()
    except UNREADABLE:
        raise InvalidImage("no well-formed SVG, or one with entities") from None


class _Drawing:
    """Sees the elements of a file as they come; keeps none of them."""

    def __init__(self) -> None:
        self._depth = 0
        self._elements = 0
        self._style: list[str] | None = None

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        """An element begins. tag, and names of attributes: `{namespace}name`."""
        namespace, name = _split(tag)
        if self._elements == 0 and (namespace, name) != (SVG, "svg"):
            raise InvalidImage("its outermost element is no svg")
        self._elements += 1
        self._depth += 1
        if self._elements > MAX_ELEMENTS or self._depth > MAX_DEPTH:
            raise InvalidImage(f"more than {MAX_ELEMENTS} elements, or nested deeper than {MAX_DEPTH}")
        if name in ACTIVE or namespace == XHTML:
            raise InvalidImage(f"an element {name} is not allowed")
        for attribute, value in attributes.items():
            _check_attribute(_split(attribute)[1], value)
        if name == "style":
            self._style = []

    def data(self, text: str) -> None:
        """Text; only that of a style sheet matters."""
        if self._style is not None:
            self._style.append(text)

    def end(self, tag: str) -> None:
        """An element ends."""
        self._depth -= 1
        if self._style is not None and _split(tag)[1] == "style":
            _check_css("".join(self._style))
            self._style = None

    def pi(self, target: str, _text: str | None = None) -> None:
        """A processing instruction, `<?xml-stylesheet …?>`."""
        raise InvalidImage(f"a processing instruction {target} is not allowed")

    def close(self) -> Any:  # noqa: ANN401 - whatever a parser's target makes; this one makes nothing
        """The file ends."""


def _split(name: str) -> tuple[str, str]:
    namespace, _, local = name.rpartition("}")
    return namespace.removeprefix("{"), local.lower()


def _check_attribute(name: str, value: str) -> None:
    if name.startswith("on"):
        raise InvalidImage(f"an event handler {name} is not allowed")
    if name in LINKS and not value.strip().startswith("#") and value.strip():
        raise InvalidImage(f"{name} leads outside the drawing")
    if name == "attributename" and (_split(value.replace(":", "}"))[1] in LINKS or value.lower().startswith("on")):
        raise InvalidImage("an animation of a link or an event handler is not allowed")
    if ":" in value and SCHEMES.search(value):
        raise InvalidImage(f"{name} leads outside the drawing")
    # Many attributes are CSS; what is none of a style sheet can only load by a function.
    if name == "style" or "(" in value:
        _check_css(value)


def _check_css(text: str) -> None:
    """No regular expression goes over the whole of it: other threads would wait, and it may be megabytes."""
    if "\\" in text:
        raise InvalidImage("a style with escapes is not allowed")
    lower = text.lower()
    if any(word in lower for word in CSS_OUTSIDE):
        raise InvalidImage("a style brings in something from outside the drawing")
    start = lower.find(CSS_URL)
    while start != -1:
        behind = start + len(CSS_URL)
        if not lower[behind : behind + MAX_SPACE].lstrip().lstrip("'\"").lstrip().startswith("#"):
            raise InvalidImage("a style brings in something from outside the drawing")
        start = lower.find(CSS_URL, start + 1)
