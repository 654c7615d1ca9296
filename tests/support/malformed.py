"""Bodies of GraphQL requests that somebody spoiled: cut off, unbalanced, nested, huge, or no text at all."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Final

import orjson

BRACKETS: Final = "{}[]()"
NOISE: Final[tuple[str, ...]] = (
    *BRACKETS,
    "\0",
    "\ufeff",
    "\u2028",
    "ß",
    "𝄞",
    "$",
    "@",
    "!",
    "...",
    "...on",
    ":",
    "#",
    '"',
    '"""',
    "&",
    "|",
    "\\",
)
ESCAPES: Final = (r"\q", r"\u12", r"\uD800", r"\u0000", "\\", "\n", "\x07", r"\u{41}")
NUMBERS: Final = ("9" * 400, "-" + "9" * 40, "1e999", "1e-999", "0x10", "007", "1.", ".5", "1e", "--1", "2147483648")


def cut_off(text: str, chance: Random) -> str:
    return text[: chance.randrange(len(text))]


def without_a_bracket(text: str, chance: Random) -> str:
    at = chance.choice([place for place, letter in enumerate(text) if letter in BRACKETS])
    return text[:at] + text[at + 1 :]


def with_noise(text: str, chance: Random) -> str:
    at = chance.randrange(len(text))
    return text[:at] + chance.choice(NOISE) + text[at:]


def nested(text: str, chance: Random) -> str:
    at, depth = chance.randrange(len(text)), chance.choice((10, 60, 70, 1_000, 10_000, 50_000))
    return text[:at] + chance.choice(BRACKETS) * depth + text[at:]


def with_a_bad_string(text: str, chance: Random) -> str:
    return f'{{ evse(location_name: "a{chance.choice(ESCAPES)}{chance.random()}") {{ uid }} }} {text}'


def with_a_bad_number(text: str, chance: Random) -> str:
    return f"{{ locations(limit: {chance.choice(NUMBERS)}) {{ id a{chance.getrandbits(60)}: name }} }}"


def deep(text: str, chance: Random) -> str:
    depth = chance.randrange(5, 4_000)
    return "{ locations " + "{ evses " * depth + "{ uid " + "}" * (depth + chance.randrange(4))


def many(text: str, chance: Random) -> str:
    """Aliases, fields, fragments, operations or variables."""
    one = chance.choice(("a{0}: id ", "id ", "...F{0} ", "...{{ id }} ", "photos {{ a{0}: id }} "))
    whole = chance.choice(("{{ locations {{ {0} }} }}", "query Q {{ {0} }} " * 3, "fragment F0 on LOCATIONS {{ {0} }}"))
    return whole.format("".join(map(one.format, range(int(50 * 60 ** chance.random() ** 4)))))


def doubling(text: str, chance: Random) -> str:
    """Fragments that spread each other twice, or themselves."""
    count = chance.randrange(2, 60)
    ring = " ".join(
        f"fragment F{nr} on Query {{ ...F{(nr + 1) % chance.choice((count, count + 1))} ...F{nr + 1} }}"
        for nr in range(count)
    )
    return f"{{ ...F0 }} {ring}"


def of_another_schema(text: str, chance: Random) -> str:
    wrong = f"w{chance.getrandbits(40)}"
    return chance.choice(
        (
            f"{{ {wrong} }}",
            f"{{ locations({wrong}: 1) {{ id }} }}",
            f"{{ location(id: {{a: [{wrong}]}}) {{ id }} }}",
            f"{{ locations {{ ...{wrong} }} }}",
            f"{{ locations {{ ... on {wrong} {{ id }} }} }}",
            f"query (${wrong}: [[{wrong}!]!]!) {{ location(id: ${wrong}) {{ id }} }}",
            f"{{ locations @{wrong} {{ id }} }}",
            f"{{ locations {{ evses id {{ {wrong} }} }} }}",
            f"mutation {{ {wrong} }}",
            f"type {wrong} {{ a: Int }}",
        )
    )


def shuffled(text: str, chance: Random) -> str:
    words = text.split()
    chance.shuffle(words)
    return " ".join(words)


SPOILT_TEXTS: Final[tuple[Callable[[str, Random], str], ...]] = (
    cut_off,
    without_a_bracket,
    with_noise,
    nested,
    with_a_bad_string,
    with_a_bad_number,
    deep,
    many,
    doubling,
    of_another_schema,
    shuffled,
)


def malformed(text: str, chance: Random) -> bytes:
    """A body in which that valid text, or the JSON around it, is spoiled."""
    body = bytearray(orjson.dumps({"query": chance.choice(SPOILT_TEXTS)(text, chance)}))
    match chance.randrange(8):
        case 0:
            body[chance.randrange(len(body))] = chance.randrange(256)  # most often no UTF-8, no JSON or no GraphQL
        case 1:
            del body[chance.randrange(len(body)) :]
    return bytes(body)
