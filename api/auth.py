"""Who calls: the Authorization header becomes a client, a CPO's user or a CPO's machine, or a refusal (contract §1)."""

from __future__ import annotations

import base64
import ipaddress
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from aiohttp import hdrs, web

from api.clients import ACCOUNTS
from api.refusals import Forbidden, InvalidCountryCode
from api.services import SERVICES
from ocpi.identifiers import folded
from read_side.scope import READ, Viewer
from write_side.accounts.tokens import TokenExpired, Unauthorized

if TYPE_CHECKING:
    from collections.abc import Sequence
    from ipaddress import IPv4Network, IPv6Network

    from api.clients import Client, Clients
    from ocpi.identifiers import Party
    from write_side.accounts.login import LoggedIn
    from write_side.accounts.tokens import Bearer


class Auth(StrEnum):
    """Who may call, as the API's description names it (contract §1)."""

    CLIENT = "client"
    USER = "accessToken"
    REFRESH = "refreshToken"
    MACHINE = "tokenC"


CHALLENGE: Final = web.RequestKey("challenge", str)
"""The scheme that the call takes: what a 401 asks for."""

BASIC: Final = "basic"
BEARER: Final = "bearer"
MAX_HEADER_LENGTH: Final = 4_096
SUBSCRIBER_BITS: Final = 64


def credentials(request: web.Request) -> tuple[str, str] | None:
    """(scheme in lower case, the rest) of the Authorization header; None where there is none.

    raises: Unauthorized  there are several, or it is malformed
    """
    headers = request.headers.getall(hdrs.AUTHORIZATION, [])
    if not headers:
        return None
    scheme, _, rest = headers[0].partition(" ")
    if len(headers) > 1 or len(headers[0]) > MAX_HEADER_LENGTH or not rest.strip():
        raise Unauthorized
    return scheme.lower(), rest.strip()


def _client_of(clients: Clients, encoded: str) -> Client:
    try:
        name, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except ValueError:
        # No base64, no ASCII, or no UTF-8 in it.
        raise Unauthorized from None
    client = clients.find(name, secret)
    if client is None:
        raise Unauthorized
    return client


def accounts_client(request: web.Request) -> Client:
    """The application that calls R1–R3. raises: Unauthorized; Forbidden without the scope `accounts`."""
    return _client_with(request, ACCOUNTS)


def reading_client(request: web.Request) -> Client:
    """The application that calls R11 or R12.

    raises: Unauthorized; Forbidden without the scope `read`; TooManyRequests
    """
    client = _client_with(request, READ)
    request.app[SERVICES].rates.read.count(client.name, caller_network(request))
    return client


def _client_with(request: web.Request, scope: str) -> Client:
    request[CHALLENGE] = "Basic"
    given = credentials(request)
    if given is None or given[0] != BASIC:
        raise Unauthorized
    client = _client_of(request.app[SERVICES].clients, given[1])
    if scope not in client.scopes:
        raise Forbidden
    return client


def _bearer_token(request: web.Request) -> str:
    """The token of a call that takes one. raises: Unauthorized."""
    request[CHALLENGE] = "Bearer"
    given = credentials(request)
    if given is None or given[0] != BEARER:
        raise Unauthorized
    return given[1]


async def cpo_user(request: web.Request) -> Bearer:
    """The CPO's user whose access token calls.

    raises: Unauthorized, TokenExpired, TooManyRequests, StoreOutOfReach
    """
    services = request.app[SERVICES]
    bearer = await services.accounts.bearer(_bearer_token(request))
    services.rates.user.count(str(bearer.party))
    return bearer


async def uploader(request: web.Request) -> Client | Bearer:
    """The application, or the CPO's user, that calls R2. raises: as `accounts_client` and `cpo_user`."""
    given = credentials(request)
    return await cpo_user(request) if given is not None and given[0] == BEARER else accounts_client(request)


async def refreshed(request: web.Request) -> LoggedIn:
    """Another pair of tokens for the refresh token that calls (R4).

    raises: Unauthorized, TokenExpired, RefreshTokenReused, TooManyRequests, StoreOutOfReach
    """
    services = request.app[SERVICES]
    token = _bearer_token(request)
    services.rates.login.count("refresh", caller_network(request))
    return await services.accounts.refresh(token)


async def machine(request: web.Request) -> tuple[Party, int]:
    """The CPO whose CREDENTIALS_TOKEN_C calls, and its cpo_owner_id; the path names it.

    raises: in the contract's order: Unauthorized, Forbidden, InvalidCountryCode; TooManyRequests
    """
    services = request.app[SERVICES]
    party, cpo_owner_id = await services.accounts.machine(_bearer_token(request))
    if folded(request.match_info["party_id"]) != folded(party.party_id):
        raise Forbidden
    if folded(request.match_info["country_code"]) != folded(party.country_code):
        raise InvalidCountryCode
    services.rates.machine.count(str(party))
    return party, cpo_owner_id


async def viewer_of(request: web.Request) -> Viewer:
    """The caller of a GraphQL query; a refused token is told by the query's protected fields, not here.

    raises: TooManyRequests, StoreOutOfReach
    """
    viewer = await _viewer_of(request)
    rates = request.app[SERVICES].rates
    if viewer.party is None:
        rates.read.count(viewer.client or "", caller_network(request))
    else:
        rates.user.count(str(viewer.party))
    return viewer


async def _viewer_of(request: web.Request) -> Viewer:
    services = request.app[SERVICES]
    try:
        given = credentials(request)
        if given is None:
            return Viewer()
        if given[0] == BASIC:
            client = _client_of(services.clients, given[1])
            return Viewer(client=client.name, scopes=client.scopes)
        if given[0] == BEARER:
            bearer = await services.accounts.bearer(given[1])
            return Viewer(party=bearer.party)
    except TokenExpired:
        return Viewer(rejected="Token Expired")
    except Unauthorized:
        pass
    return Viewer(rejected="Unauthorized")


def challenge(request: web.Request) -> str:
    """What a 401 asks for: the scheme that the call takes (RFC 7617, RFC 6750)."""
    if request.get(CHALLENGE) == "Basic":
        return 'Basic realm="emsp", charset="UTF-8"'
    return 'Bearer realm="emsp"' + (', error="invalid_token"' if hdrs.AUTHORIZATION in request.headers else "")


def caller_network(request: web.Request) -> str:
    """By what calls are counted: the caller's address; of an IPv6 address its /64, which is one subscriber's."""
    address = caller_address(request, request.app[SERVICES].trusted_proxies)
    try:
        known = ipaddress.IPv6Address(address)
    except ValueError:
        return address
    return str(known.ipv4_mapped or ipaddress.IPv6Network((known, SUBSCRIBER_BITS), strict=False))


def caller_address(request: web.Request, trusted_proxies: Sequence[IPv4Network | IPv6Network]) -> str:
    """Where the call comes from: the nearest address of X-Forwarded-For that is no proxy of ours, else the peer."""
    address = request.remote or ""
    hops = [hop.strip() for value in request.headers.getall(hdrs.X_FORWARDED_FOR, []) for hop in value.split(",")]
    while hops and _is_trusted(address, trusted_proxies):
        try:
            address = str(ipaddress.ip_address(hops.pop()))
        except ValueError:
            # A proxy adds addresses only: this was made up by whoever called the last one that is known.
            break
    return address


def _is_trusted(address: str, trusted_proxies: Sequence[IPv4Network | IPv6Network]) -> bool:
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return False
    # As a socket that takes both kinds names a peer of the older one.
    known = getattr(known, "ipv4_mapped", None) or known
    return any(known in network for network in trusted_proxies)
