"""R14, and R1 with a logo: which upload is meant, and who gets it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.builders import NOON, PARTY, cpo_logo_changed, cpo_registered
from tests.support.spec import Spec, claims_of
from write_side.commands.logos import LogoState, decide_logo
from write_side.commands.wishes import ChangeCpoLogo
from write_side.domain import cpo as cpos
from write_side.domain.changes import Claim
from write_side.domain.cpo import Upload
from write_side.domain.errors import LogoNotExists, LogoNotUnique
from write_side.events.cpo import CpoLogoChanged
from write_side.events.ranges import Position
from write_side.events.streams import cpo_stream

if TYPE_CHECKING:
    from eventsourcing.domain import DomainEvent

WISH = ChangeCpoLogo(PARTY, 7, "logo.png")
OWN, OLDER = Upload("01.png", "logo.png"), Upload("02.png", "logo.png")
SHARED, SECOND = Upload("03.png", "logo.png"), Upload("04.png", "logo.png")


def changing(*, own: tuple[Upload, ...] = (), shared: tuple[Upload, ...] = ()) -> Spec:
    def state(_command: object, events: tuple[DomainEvent, ...]) -> LogoState:
        history: Any = events
        cpo = cpos.replay(history)
        assert cpo is not None
        return LogoState(cpo, own, shared, Position(len(events)))

    return Spec(decide_logo, state)


def changed(upload: Upload, version: int = 2) -> CpoLogoChanged:
    return CpoLogoChanged(cpo_stream(PARTY), version, NOON, 7, "PH", "ABC", upload.name, upload.filename)


@pytest.mark.parametrize(
    ("own", "shared", "meant"),
    [
        ((OWN,), (), OWN),
        ((OWN, OLDER), (), OWN),
        ((OWN,), (SHARED,), OWN),
        ((OWN,), (SHARED, SECOND), OWN),
        ((), (SHARED,), SHARED),
    ],
)
def test_the_upload_that_is_meant_becomes_the_logo(
    own: tuple[Upload, ...], shared: tuple[Upload, ...], meant: Upload
) -> None:
    decision = changing(own=own, shared=shared).given(cpo_registered()).when(WISH, NOON).then(changed(meant))
    assert decision.data == []
    assert claims_of(decision) == (Claim("upload", meant.name, "7"),)
    assert decision.changes is not None
    assert (decision.changes.images_used, decision.changes.images_replaced) == ((meant.name,), ())


def test_the_logo_before_has_to_go() -> None:
    given = changing(own=(OWN,)).given(cpo_registered(), cpo_logo_changed("00.svg", "old.svg"))
    decision = given.when(WISH, NOON).then(changed(OWN, version=3))
    assert decision.changes is not None
    assert decision.changes.images_replaced == ("00.svg",)


@pytest.mark.parametrize("shared", [(), (SHARED,), (SHARED, SECOND)])
@pytest.mark.parametrize("filename", ["logo.png", "00.png"])
def test_the_current_logo_changes_nothing_under_both_its_names(filename: str, shared: tuple[Upload, ...]) -> None:
    given = changing(shared=shared).given(cpo_registered(), cpo_logo_changed("00.png", "logo.png"))
    assert given.when(ChangeCpoLogo(PARTY, 7, filename), NOON).silent().data == []


def test_a_new_upload_of_the_current_logos_name_is_meant_before_it() -> None:
    given = changing(own=(OWN,)).given(cpo_registered(), cpo_logo_changed("00.png", "logo.png"))
    given.when(WISH, NOON).then(changed(OWN, version=3))


def test_a_name_that_nobody_uploaded_is_refused() -> None:
    given = changing().given(cpo_registered(), cpo_logo_changed("00.svg", "old.svg"))
    assert given.when(WISH, NOON).refused(LogoNotExists().at("logo")) == "LOGO_NOT_EXISTS"


def test_a_name_that_several_uploads_have_is_refused() -> None:
    given = changing(shared=(SHARED, SECOND)).given(cpo_registered())
    assert given.when(WISH, NOON).refused(LogoNotUnique().at("logo")) == "LOGO_NOT_UNIQUE"


def test_an_upload_that_was_the_logo_before_is_not_there_any_more() -> None:
    history = (
        cpo_registered(),
        cpo_logo_changed("00.png", "old.png"),
        cpo_logo_changed("01.png", "new.png", version=3),
    )
    changing().given(*history).when(ChangeCpoLogo(PARTY, 7, "old.png"), NOON).refused(LogoNotExists().at("logo"))
