"""Which mail server, and how it is reached: EMSP_SMTP_URL, understood."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import parse_qsl, unquote, urlsplit

if TYPE_CHECKING:
    from urllib.parse import SplitResult

Tls = Literal["smtps", "starttls", "none"]
SUBMISSION_PORT: Final = 587
SMTPS_PORT: Final = 465
QUERY_NAMES: Final = frozenset({"tls", "ca"})


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """A mail server.

    tls:  smtps: from the first byte; starttls: before anything is said; none: only on this machine
    ca:   path of a PEM file with the authorities to trust instead of the system's
    """

    host: str
    port: int
    tls: Tls
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    ca: str | None = None


def parse_smtp_url(url: str) -> SmtpServer:
    """The server of `smtp://user:password@host:587?ca=PATH` or `smtps://…`; user and password percent-encoded.

    raises: ValueError  says what is wrong without quoting the URL, which may hold a password
    source: contract §2 "SMTP outside loopback needs TLS"
    """
    parts = _split(url)
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname or parts.path not in {"", "/"} or parts.fragment:
        raise ValueError("needs the form smtp://[user:password@]host[:port] or smtps://…, user and password %-encoded")
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    if not query.keys() <= QUERY_NAMES:
        raise ValueError("takes no other parameters than tls and ca")
    port = _port(parts)
    tls = _tls(parts.scheme, port, query.get("tls"))
    if tls == "none" and not is_loopback(parts.hostname):
        raise ValueError("mail to another machine needs TLS: smtps://…, port 587, or ?tls=starttls")
    return SmtpServer(
        parts.hostname,
        port,
        tls,
        None if parts.username is None else unquote(parts.username),
        None if parts.password is None else unquote(parts.password),
        query.get("ca"),
    )


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:
        # Its text may quote user and password.
        raise ValueError("needs a host that is a name or an address, IPv6 in brackets") from None


def _port(parts: SplitResult) -> int:
    try:
        port = parts.port
    except ValueError:
        # Its text would quote what stands there, perhaps the half of a password.
        raise ValueError("has a port that is no number up to 65535, or a password that is not %-encoded") from None
    if port == 0:
        raise ValueError("has port 0")
    return port or (SMTPS_PORT if parts.scheme == "smtps" else SUBMISSION_PORT)


def _tls(scheme: str, port: int, asked: str | None) -> Tls:
    """The port of submission means STARTTLS; any other is plain unless it says so."""
    if scheme == "smtps":
        if asked is not None:
            raise ValueError("smtps:// is TLS already: leave tls out")
        return "smtps"
    match asked:
        case None:
            return "starttls" if port == SUBMISSION_PORT else "none"
        case "starttls" | "none":
            return asked
        case _:
            raise ValueError("tls is starttls or none")


def is_loopback(host: str) -> bool:
    """Whether that name or address surely is this machine; no name is looked up."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
