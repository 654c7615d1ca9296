"""Turns an address into the words that a gazetteer compares by: plain letters, one spelling for each abbreviation."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

COUNTRY: Final = frozenset({"philippines", "ph", "phl", "phil", "phils", "pilipinas", "philippine"})
"""How an address says that it is in the Philippines."""
POSTAL_WORDS: Final = frozenset({"zip", "code", "zipcode", "postal", "postcode"})

STREET_WORDS: Final = frozenset(
    """
    alley arcade ave avenue bldg blk block blvd boulevard building bypass center centre circle city cloverleaf compound
    complex condominium court crossing diversion doctor drive estate exit expressway ext extension floor freeway gate
    highway hills homes hospital hotel hway hwy junction km lane level link lot loop mall market park parkway pier place
    plaza poblacion rd resort road rotonda rotunda sector square st station str street subd subdivision terminal tower
    towncenter towers village wharf
    """.split()  # noqa: SIM905 - seventy quoted words would hide the words
)
"""What stands last before a city's name when a comma was forgotten: `Ayala Ave Makati`, `SM City Lipa`."""

BINDING_WORDS: Final = frozenset(
    """
    along and at bago bagong barangay bayan behind beside between by camp colonel cor corner de del dela delos
    district don dona el fort fronting general gitna gitnang governor greater la las little los lumang malaking
    maliit mayor mount munting near new ng north nueva nuevo of off old phase president purok sa san santa santo
    senator sitio south the to uptown via villa zone
    """.split()  # noqa: SIM905 - as above
)
"""What makes the next word part of another name: `Paseo de Roxas`, `Los Angeles`, `Brgy. San Isidro`, `cor. Rizal`."""

REMARK_WORDS: Final = frozenset(
    """
    across adjacent along attention attn barangay basement before behind beside besides between contact cor corner
    facing floor front fronting ground infront inside landmark level lower mobile near nearby next opposite outside
    parking phone purok sitio telephone tel tin unit upper within
    """.split()  # noqa: SIM905 - as above
)
"""What begins a remark behind an address: `…, Makati City, beside the church`."""

_SPELLINGS: Final = {
    "bgy": "barangay",
    "brgy": "barangay",
    "brg": "barangay",
    "gen": "general",
    "gov": "governor",
    "dr": "doctor",
    "mt": "mount",
    "pres": "president",
    "sen": "senator",
    "saint": "st",
    "sta": "santa",
    "sto": "santo",
}
# Letters that decompose don't need a line here; these marks don't, and "Ã±" is an "ñ" that was decoded wrongly.
_MARKS: Final = {"Ã±": "ñ", "Ã\u2018": "Ñ", "\u2018": "'", "’": "'"} | dict.fromkeys("–—“”·•", " ")
_MARK: Final = re.compile("|".join(_MARKS))
_REMARK: Final = re.compile(r"\([^()]*\)")
_SEPARATORS: Final = ",;|/\n\r\t()[]"
_KEPT: Final = "abcdefghijklmnopqrstuvwxyz0123456789?"
_TABLE: Final = str.maketrans(
    {chr(code): "" if chr(code) == "'" else " " for code in range(128) if chr(code) not in _KEPT + _SEPARATORS}
    | dict.fromkeys(_SEPARATORS, ",")
)


def plain(text: str) -> str:
    """The text in lower case and ASCII. A letter of another script is `?`, so that an unknown word stays one."""
    if not text.isascii():
        text = unicodedata.normalize("NFKD", _MARK.sub(lambda mark: _MARKS[mark[0]], text))
        text = "".join(letter for letter in text if not unicodedata.combining(letter))
        text = text.encode("ascii", "replace").decode()
    return text.lower()


def without_remarks(text: str) -> str:
    """A plain text without what stands in parentheses."""
    return _REMARK.sub(",", text)


def segments(text: str) -> list[list[str]]:
    """The words of a plain text between its commas, abbreviations written out. shape: [[word, …], …], none empty."""
    spelled = _SPELLINGS.get
    split = [part.split() for part in text.translate(_TABLE).split(",")]
    return [[spelled(word, word) for word in words] for words in split if words]


def key(name: str) -> str:
    """The words of a name, to look it up by: `Sto. Tomas` is `santo tomas`."""
    return " ".join(word for words in segments(plain(name)) for word in words)
