"""R1: who may register, which party_id it gets, and what its mail says."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes
from email.policy import SMTPUTF8
from typing import Any
from uuid import UUID

import pytest

from ocpi.identifiers import Party
from tests.support.builders import NOON, PARTY
from tests.support.drafts import a_cpo_draft
from tests.support.spec import Spec, claims_of
from write_side.commands.cpos import RegisterFacts, RegisterState, decide_register, welcome_mail
from write_side.commands.wishes import RegisterCpo
from write_side.domain.changes import Claim, NewPersonalKey, NewTokenC, NewUser, SealedMail
from write_side.domain.cpo import Upload, all_party_ids, preferred_party_ids
from write_side.domain.errors import CpoOwnerNameExists, UsernameExists
from write_side.events.cpo import CpoLogoChanged, CpoRegistered, PersonalData
from write_side.events.ranges import Position
from write_side.events.streams import cpo_stream

SEALED: PersonalData = {"key_id": str(UUID(int=2)), "sealed": "c2VhbGVk"}
FACTS = RegisterFacts(
    at=NOON,
    command_id=UUID(int=1),
    party=PARTY,
    cpo_owner_id=7,
    password_hash="$argon2id$…",
    temporary_until=NOON + timedelta(days=14),
    token_hash=b"\x01" * 32,
    mail=SealedMail("<1@emsp.example>", b"sealed"),
    contact=SEALED,
    contact_key=NewPersonalKey(UUID(int=2), b"sealed key"),
)


def registered(**changed: Any) -> CpoRegistered:
    fields: dict[str, Any] = {
        "cpo_owner_id": 7,
        "country_code": "PH",
        "party_id": "ABC",
        "username": "maria",
        "cpo_owner_name": "Isla Charge",
        "contact": SEALED,
        "ocpp_ready": True,
        "logo": None,
    }
    return CpoRegistered(originator_id=cpo_stream(PARTY), originator_version=1, timestamp=NOON, **fields | changed)


def names_taken(_command: RegisterCpo, events: tuple[object, ...]) -> RegisterState:
    """As claims keep them: by whether a name is another's, ignoring case."""
    known = [event for event in events if isinstance(event, CpoRegistered)]
    draft = _command.draft
    return RegisterState(
        any(event.username.casefold() == draft.username.casefold() for event in known),
        any(event.cpo_owner_name.casefold() == draft.cpo_owner_name.casefold() for event in known),
        Position(0),
    )


registering = Spec(decide_register, names_taken)


def test_a_cpo_is_registered_with_user_token_and_mail() -> None:
    decision = registering.given().when(RegisterCpo(a_cpo_draft()), FACTS).then(registered())
    assert decision.data == "SUCCESS"
    assert claims_of(decision) == (Claim("username", "maria", "7"), Claim("cpo_owner_name", "isla charge", "7"))
    assert decision.changes is not None
    assert decision.changes.users == (NewUser("maria", 7, "CPO_OWNER", "$argon2id$…", NOON + timedelta(days=14)),)
    assert decision.changes.tokens == (NewTokenC(b"\x01" * 32, 7),)
    assert decision.changes.mails == (SealedMail("<1@emsp.example>", b"sealed"),)


def test_names_keep_their_case_and_are_claimed_without_it() -> None:
    draft = a_cpo_draft("MaRia", "ISLA Straße")
    decision = (
        registering.given()
        .when(RegisterCpo(draft), FACTS)
        .then(registered(username="MaRia", cpo_owner_name="ISLA Straße"))
    )
    assert [claim.key for claim in claims_of(decision)] == ["maria", "isla strasse"]


def test_a_logo_that_was_not_uploaded_is_no_fault() -> None:
    registering.given().when(RegisterCpo(a_cpo_draft(logo="ours.png")), FACTS).then(registered(logo=None))


def test_a_logo_that_was_uploaded_is_taken() -> None:
    def uploaded(command: RegisterCpo, events: tuple[object, ...]) -> RegisterState:
        return replace(names_taken(command, events), logo=Upload("01.png", "ours.png"))

    given = Spec(decide_register, uploaded).given().when(RegisterCpo(a_cpo_draft(logo="ours.png")), FACTS)
    changed = CpoLogoChanged(cpo_stream(PARTY), 2, NOON, 7, "PH", "ABC", "01.png", "ours.png")
    decision = given.then(registered(logo=None), changed)
    assert claims_of(decision)[-1] == Claim("upload", "01.png", "7")
    assert decision.changes is not None
    assert decision.changes.images_used == ("01.png",)


@pytest.mark.parametrize(
    ("username", "name", "faults", "code"),
    [
        ("MARIA", "Another", [UsernameExists().at("username")], "USERNAME_EXISTS"),
        ("juan", "isla CHARGE", [CpoOwnerNameExists().at("cpo_owner_name")], "CPO_OWNER_NAME_EXISTS"),
        (
            "Maria",
            "Isla charge",
            [UsernameExists().at("username"), CpoOwnerNameExists().at("cpo_owner_name")],
            "VALIDATION_ERROR",
        ),
    ],
)
def test_names_that_are_taken_in_any_case_are_refused(username: str, name: str, faults: list[Any], code: str) -> None:
    given = registering.given(registered()).when(RegisterCpo(a_cpo_draft(username, name)), FACTS)
    assert given.refused(*faults) == code


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("Isla Charge", ["ISL", "ISA", "ISC", "ISH", "ISR", "ISG", "ISE", "ISB", "ISD"]),
        ("Ñandú Energía", ["NAN", "NAD", "NAU", "NAE", "NAR", "NAG", "NAI", "NAA", "NAB"]),
        ("A", ["AXX", "AXA", "AXB"]),
        ("24/7 Q8", ["QXX", "QXA"]),
        ("12345", ["XXX", "XXA"]),
        ("東京電力", ["DON"]),
    ],
)
def test_a_party_id_is_made_of_the_name(name: str, first: list[str]) -> None:
    preferred = preferred_party_ids(name)
    assert preferred[: len(first)] == first
    assert len(preferred) == len(set(preferred)) == 26
    assert all(re.fullmatch("[A-Z]{3}", party_id) for party_id in preferred)


def test_after_those_of_the_name_any_triple_is_good() -> None:
    triples = list(all_party_ids())
    assert (len(triples), triples[0], triples[1], triples[-1]) == (17_576, "AAA", "AAB", "ZZZ")


@pytest.mark.parametrize("name", ["maria", "ü" * 255, "🔌" * 255, "a " * 127 + "b", "=?utf-8?q?no?=", "From me"])
def test_the_mail_says_everything_on_lines_of_its_own(name: str) -> None:
    draft = a_cpo_draft(name, name, contact={"name": name, "number": "09171234567", "email": "maria@isla.example"})
    mail = welcome_mail(
        RegisterCpo(draft),
        Party("PH", "ISL"),
        "a-password",
        "a-token_c" * 5,
        sender="no-reply@emsp.example",
        message_id="<1@emsp.example>",
        at=NOON,
    )
    message = message_from_bytes(mail, policy=SMTPUTF8)
    assert message["To"] == "maria@isla.example"
    assert message["From"] == "no-reply@emsp.example"
    assert message["Message-ID"] == "<1@emsp.example>"
    assert message["Date"].datetime == NOON.replace(microsecond=0)
    assert message.get_content_type() == "text/plain"
    assert message["Content-Transfer-Encoding"] == "8bit"
    assert message.get_content().splitlines()[-5:] == [
        f"Username: {name}",
        "Temporary password: a-password",
        "Country code: PH",
        "Party ID: ISL",
        "Token C: " + "a-token_c" * 5,
    ]
    assert f"Username: {name}\r\n".encode() in mail


@pytest.mark.parametrize(
    "address", ["josé@isla.example", "info@münchen.example", "a" * 64 + "@" + "b" * 60 + ".example"]
)
def test_an_address_is_written_as_it_is(address: str) -> None:
    draft = a_cpo_draft(contact={"name": "José", "number": "09171234567", "email": address})
    mail = welcome_mail(RegisterCpo(draft), PARTY, "p", "t", sender="a@b.example", message_id="<1@b.example>", at=NOON)
    assert re.search(rb"^To:\s+" + re.escape(address.encode()) + rb"\r\n", mail, re.MULTILINE)
