"""Why a command is refused, in the contract's own codes, and what may be out of reach. Nothing here knows of HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

VALIDATION_ERROR: Final = "VALIDATION_ERROR"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with one field.

    field: path in the body, `locations[0].evses[1].uid`; rule: the contract's code without its value;
    about: the value that makes the code whole (`DUPLICATE_EVSE_UID:123`), or empty; row: of a CSV file, whose header
    is 1: then the field is its column (contract §4).
    """

    field: str
    message: str
    rule: str = VALIDATION_ERROR
    about: str = ""
    row: int | None = None

    @property
    def code(self) -> str:
        """The whole code as the client sees it."""
        return f"{self.rule}:{self.about}" if self.about else self.rule


class Faults(Exception):
    """Everything that is wrong with a command, collected and raised once (contract §1)."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__(self.code)

    @property
    def code(self) -> str:
        """One code for all of them: the whole one they share, else the rule they share, else VALIDATION_ERROR."""
        codes = {fault.code for fault in self.faults}
        if len(codes) == 1:
            return codes.pop()
        rules = {fault.rule for fault in self.faults}
        return rules.pop() if len(rules) == 1 else VALIDATION_ERROR


class DomainError(Exception):
    """A rule refused the command. about: the value that the contract puts behind the code."""

    rule: ClassVar[str]
    text: ClassVar[str] = "refused"

    def __init__(self, about: str | int = "") -> None:
        self.about = str(about)
        super().__init__(self.code)

    @property
    def code(self) -> str:
        """The whole code as the client sees it."""
        return f"{self.rule}:{self.about}" if self.about else self.rule

    def at(self, field: str, *, row: int | None = None) -> Fault:
        """The same refusal as one fault among others, at a field of the body or a column of that row."""
        return Fault(field, self.text, self.rule, self.about, row)


class DuplicateEvseUid(DomainError):
    """The CPO has an EVSE of that uid already, or the call names it twice."""

    rule = "DUPLICATE_EVSE_UID"
    text = "an EVSE with this uid exists already"


class LocationNotFound(DomainError):
    """Neither the address nor the coordinates can be placed."""

    rule = "LOCATION_NOT_FOUND"
    text = "the address can't be placed, and no coordinates came that can"


class LocationIdDoesNotExist(DomainError):
    """The CPO has no location of that id; another CPO's answers the same."""

    rule = "LOCATION_ID_DOES_NOT_EXISTS"
    text = "no such location"


class LocationNameExists(DomainError):
    """Another location of the CPO has, or had, that name."""

    rule = "LOCATION_NAME_EXISTS"
    text = "another location has this name"


class TooManyEvses(DomainError):
    """A location would have more EVSEs than the setting allows."""

    rule = "TOO_MANY_EVSES"
    text = "the location would have too many EVSEs"


class EvseUidDoesNotExist(DomainError):
    """The CPO has no EVSE of that uid."""

    rule = "EVSE_UID_DOES_NOT_EXISTS"
    text = "no such EVSE"


class ConnectorIdDoesNotExist(DomainError):
    """The EVSE has no connector of that number."""

    rule = "CONNECTOR_ID_DOES_NOT_EXISTS"
    text = "no such connector"


class LocationIsNotAssociated(DomainError):
    """The location is another CPO's."""

    rule = "LOCATION_IS_NOT_ASSOCIATED_WITH_CPO_OWNER_ID"
    text = "this location is another CPO's"

    def __init__(self, cpo_owner_id: int) -> None:
        # The contract writes a space here, and nowhere else.
        super().__init__(f" {cpo_owner_id}")


class LocationPhotoNotExists(DomainError):
    """There is no photo of that id."""

    rule = "LOCATION_PHOTO_NOT_EXISTS"
    text = "no such photo"


class LocationPhotoIsNotAssociated(DomainError):
    """The photo is of another CPO's location."""

    rule = "LOCATION_PHOTO_IS_NOT_ASSOCIATED_WITH_CPO_OWNER_ID"
    text = "this photo is another CPO's"

    def __init__(self, cpo_owner_id: int) -> None:
        # As above.
        super().__init__(f" {cpo_owner_id}")


class MissingFile(DomainError):
    """The form lacks the file that the call is about."""

    rule = "MISSING_FILE"
    text = "no file was sent under this name"


class TooManyFiles(DomainError):
    """More files than one call, or one location, may have."""

    rule = "TOO_MANY_FILES"
    text = "too many files"


class InvalidImage(DomainError):
    """A file is no image of the kind that its name says, or holds what an image must not hold. reason: in words."""

    rule = "INVALID_IMAGE"
    text = "not an image that is allowed here"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__()

    def at(self, field: str, *, row: int | None = None) -> Fault:
        """The same refusal as a fault, with its reason."""
        return Fault(field, self.reason, self.rule, row=row)


class LogoNotExists(DomainError):
    """No upload of that name is the caller's to take."""

    rule = "LOGO_NOT_EXISTS"
    text = "no upload of this name"


class LogoNotUnique(DomainError):
    """Several uploads of that name could be meant."""

    rule = "LOGO_NOT_UNIQUE"
    text = "several uploads have this name"


class InvalidOldPassword(DomainError):
    """The password that is to be replaced is another one."""

    rule = "INVALID_OLD_PASSWORD"
    text = "this is not the password"


class PasswordsDoNotMatch(DomainError):
    """The new password was typed in two ways."""

    rule = "PASSWORDS_DO_NOT_MATCH"
    text = "the two are not the same"


class WeakPassword(DomainError):
    """The new password is too short, too long, the username, or the old one."""

    rule = "WEAK_PASSWORD"
    text = "expected 10 to 128 characters, and neither the username nor the old password"


class UsernameExists(DomainError):
    """Somebody has that username, ignoring case."""

    rule = "USERNAME_EXISTS"
    text = "this username is taken"


class CpoOwnerNameExists(DomainError):
    """A CPO has that name, ignoring case."""

    rule = "CPO_OWNER_NAME_EXISTS"
    text = "this CPO name is taken"


class IdempotencyKeyReused(DomainError):
    """The key was used for another body."""

    rule = "IDEMPOTENCY_KEY_REUSED"


class NoPartyIdLeft(DomainError):
    """All 17,576 party ids of the country are taken."""

    rule = "NO_PARTY_ID_LEFT"


class InvalidFileType(DomainError):
    """The file that was uploaded is no CSV."""

    rule = "INVALID_FILE_TYPE"


class NoConnector(DomainError):
    """A row of a CSV file has no connector."""

    rule = "PLEASE_PROVIDE_ATLEAST_ONE_CONNECTOR"
    text = "expected at least one connector"


class NothingPending(DomainError):
    """The CPO has staged nothing that waits for its approval."""

    rule = "NO_PENDING_LOCATIONS_AND_EVSES"


class Conflict(Exception):
    """A stream or a claim has moved on since it was loaded: load and decide again."""


class KeyTaken(Exception):
    """The idempotency key was remembered meanwhile: answer as the call that took it."""


class StoreOutOfReach(Exception):
    """The event store doesn't answer, or is too busy. Nothing was half done."""


class GeocoderOutOfReach(Exception):
    """The geocoder doesn't answer, or only later again. Nothing was done. retry_after_s: when it may."""

    def __init__(self, retry_after_s: int = 2) -> None:
        self.retry_after_s = retry_after_s
        super().__init__()


class ImagesOutOfReach(Exception):
    """The store of images doesn't answer. Nothing was done that a client could see."""


class MailRefused(Exception):
    """The mail server refuses this mail for good. Its text is the server's codes alone: a server quotes addresses."""


class MailServerOutOfReach(Exception):
    """The mail server doesn't take this mail now. Its text says why, without address or password."""


class UnknownCpo(Exception):
    """No CPO of that country and party id is registered. Only operators name CPOs so."""


class ForgottenCpo(Exception):
    """The CPO's personal data can't be read, or can't be made unreadable; the text says which."""
