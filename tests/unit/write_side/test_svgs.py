"""An SVG is a drawing: no script, nothing from elsewhere; refused, not repaired."""

from __future__ import annotations

import pytest

from tests.support.pictures import SVG, an_svg
from write_side.adapters.svgs import MAX_DEPTH, MAX_ELEMENTS, cleaned_svg
from write_side.domain.errors import InvalidImage

DOCTYPE = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<!-- made by a program -->\n'
    '<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">'
)

DRAWINGS = {
    "plain": SVG,
    "with a document type": an_svg(before=DOCTYPE),
    "with a title": an_svg("<title>Isla: url(http://isla.example) javascript: &amp; co</title>"),
    "in Latin-1": '<?xml version="1.0" encoding="ISO-8859-1"?><svg xmlns="http://www.w3.org/2000/svg"><text>ñ</text></svg>'.encode(
        "latin-1"
    ),
    "in UTF-16": '<svg xmlns="http://www.w3.org/2000/svg"><text>ñ</text></svg>'.encode("utf-16"),
    "with a style sheet": an_svg("<style>.a { fill: url(#g); font-family: 'A' } /* blue */</style>"),
    "with styles": an_svg('<rect style="fill:url(\'#g\')" filter="url( &quot;#f&quot; )"/>'),
    "with links into itself": an_svg('<use href="#a"/><use xlink:href="#b"/><a href="#c"/>'),
    "with an animation": an_svg('<animate attributeName="x" values="1;2;3" dur="1s"/>'),
    "with a program's own elements": an_svg(
        '<metadata><x:y xmlns:x="http://program.example/ns" x:label="1"/></metadata>',
        'xmlns:p="http://program.example" p:z="1"',
    ),
}


@pytest.mark.parametrize("drawing", DRAWINGS.values(), ids=DRAWINGS)
def test_a_drawing_is_kept(drawing: bytes) -> None:
    cleaned = cleaned_svg(drawing)
    assert cleaned.startswith(b'<?xml version="1.0" encoding="utf-8"?>')
    assert b'xmlns="http://www.w3.org/2000/svg"' in cleaned
    assert cleaned_svg(cleaned) == cleaned


def test_letters_and_gradients_stay() -> None:
    cleaned = cleaned_svg(an_svg('<text>Isla ñ</text><rect fill="url(#g)"/><linearGradient id="g"/>')).decode()
    assert "Isla ñ" in cleaned
    assert 'fill="url(#g)"' in cleaned
    assert '<linearGradient id="g"/>' in cleaned


def test_comments_and_document_types_go() -> None:
    cleaned = cleaned_svg(an_svg("<!-- secret -->", before=DOCTYPE))
    assert b"secret" not in cleaned
    assert b"DOCTYPE" not in cleaned


BAD = {
    "nothing": b"",
    "no XML": b"hello",
    "not closed": SVG[:-6],
    "another document": b"<html><body/></html>",
    "no namespace": b'<svg viewBox="0 0 1 1"/>',
    "another namespace": b'<svg xmlns="http://www.w3.org/1999/xhtml"/>',
    "a prefix for everything": b'<s:svg xmlns:s="http://www.w3.org/2000/svg"><s:rect/></s:svg>',
    "a script": an_svg("<script>alert(1)</script>"),
    "a script in capitals": an_svg("<SCRIPT>alert(1)</SCRIPT>"),
    "a script of another namespace": an_svg('<x:script xmlns:x="http://www.w3.org/1999/xhtml">alert(1)</x:script>'),
    "a script by link": an_svg('<script href="#a"/>'),
    "HTML": an_svg('<x:div xmlns:x="http://www.w3.org/1999/xhtml"/>'),
    "a foreign object": an_svg("<foreignObject><p/></foreignObject>"),
    "an iframe": an_svg('<iframe xmlns="http://www.w3.org/1999/xhtml" src="#"/>'),
    "an event handler": an_svg(attributes='onload="alert(1)"'),
    "an event handler below": an_svg('<rect onclick="x()"/>'),
    "an event handler in capitals": an_svg('<rect ONCLICK="x()"/>'),
    "a link": an_svg('<a href="https://evil.example"/>'),
    "a link of old": an_svg('<a xlink:href="//evil.example"/>'),
    "a script in a link": an_svg('<a href="javascript:alert(1)"/>'),
    "a script in a link, spaced": an_svg('<a href=" java&#10;script:alert(1)"/>'),
    "a use of elsewhere": an_svg('<use href="https://evil.example/x.svg#a"/>'),
    "an image of elsewhere": an_svg('<image href="https://evil.example/x.png"/>'),
    "an image inside": an_svg('<image href="data:image/png;base64,AAAA"/>'),
    "another base": an_svg('<g xml:base="https://evil.example/"><use href="#a"/></g>'),
    "a style by url": an_svg('<rect fill="url(https://evil.example/#a)"/>'),
    "a style by quoted url": an_svg('<rect style="fill: URL( &quot;https://evil.example/&quot; )"/>'),
    "a style by data": an_svg('<rect style="fill:url(data:image/png;base64,AA)"/>'),
    "a style by escaped url": an_svg('<rect style="fill:u\\72l(https://evil.example/)"/>'),
    "a style by escaped url in a presentation attribute": an_svg('<rect fill="u\\72l(https://evil.example/)"/>'),
    "a style by a url behind a comment": an_svg("<style>a{b:url(/**/#a)}</style>"),
    "a style by a url in capitals": an_svg('<rect fill="URL(//evil.example/)"/>'),
    "an import": an_svg('<style>@import "https://evil.example/x.css";</style>'),
    "an escaped import": an_svg('<style>@\\69mport "https://evil.example/x.css";</style>'),
    "an import in CDATA": an_svg("<style><![CDATA[@import 'https://evil.example/x.css';]]></style>"),
    "a style sheet with pieces": an_svg("<style>@im<!-- x -->port 'https://evil.example/x.css';</style>"),
    "a font": an_svg("<style>@font-face{font-family:a;src:url(https://evil.example/a.woff)}</style>"),
    "a set of images": an_svg('<rect style="background:image-set(&quot;https://evil.example/&quot; 1x)"/>'),
    "a url behind what looks like a comment": an_svg(
        "<style>a{content:'/*'} b{fill:url(https://evil.example/)} c{content:'*/'}</style>"
    ),
    "a url behind very much space": an_svg(f'<rect fill="url({" " * 3_000_000}#a)"/>'),
    "an expression": an_svg('<rect style="width:expression(alert(1))"/>'),
    "an animated link": an_svg('<set attributeName="href" to="#a"/>'),
    "an animated link of old": an_svg('<animate attributeName="xlink:href" values="#a"/>'),
    "an animated handler": an_svg('<set attributeName="onclick" to="x()"/>'),
    "an animation to a script": an_svg('<animate attributeName="x" values="1;javascript:alert(1)"/>'),
    "a style sheet by instruction": an_svg(before='<?xml-stylesheet href="https://evil.example/x.css"?>'),
    "an instruction inside": an_svg("<?php echo 1 ?>"),
    "an entity": an_svg("&a;", before='<!DOCTYPE svg [<!ENTITY a "b">]>'),
    "an entity that grows": an_svg(
        "&b;", before='<!DOCTYPE svg [<!ENTITY a "xxxxxxxxxx"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    ),
    "an entity of elsewhere": an_svg("&a;", before='<!DOCTYPE svg [<!ENTITY a SYSTEM "file:///etc/passwd">]>'),
    "an entity for parameters": an_svg(before='<!DOCTYPE svg [<!ENTITY % a SYSTEM "https://evil.example/"> %a;]>'),
    "an unknown encoding": an_svg(before='<?xml version="1.0" encoding="klingon"?>'),
    "a wrong encoding": an_svg("\xff").replace("\xff".encode(), b"\xff"),
    "too deep": an_svg("<g>" * MAX_DEPTH + "</g>" * MAX_DEPTH),
    "very deep": an_svg("<g>" * 500_000),
    "too many elements": an_svg("<g/>" * MAX_ELEMENTS),
    "gzip": b"\x1f\x8b\x08\x00",
}


@pytest.mark.parametrize("drawing", BAD.values(), ids=BAD)
def test_what_is_more_or_less_than_a_drawing_is_refused(drawing: bytes) -> None:
    with pytest.raises(InvalidImage) as refused:
        cleaned_svg(drawing)
    assert refused.value.reason
