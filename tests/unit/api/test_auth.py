from __future__ import annotations

from ipaddress import ip_network

import pytest
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from api.auth import CHALLENGE, _client_of, caller_address, challenge, credentials
from api.clients import parse_clients
from write_side.accounts.tokens import Unauthorized

PROXIES = [ip_network("10.0.0.0/8"), ip_network("fd00::/8")]
CLIENTS = parse_clients("app:a-secret-of-16-chars")


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("Basic YWI=", ("basic", "YWI=")),
        ("BEARER abc", ("bearer", "abc")),
        ("bearer   abc  ", ("bearer", "abc")),
    ],
)
def test_a_scheme_is_read_whatever_its_case(header: str, expected: tuple[str, str]) -> None:
    assert credentials(make_mocked_request("GET", "/", {"Authorization": header})) == expected


def test_no_header_is_no_credentials() -> None:
    assert credentials(make_mocked_request("GET", "/")) is None


@pytest.mark.parametrize("header", ["", "Basic", "Basic ", "Bearer", "Bearer " + "x" * 5_000])
def test_a_malformed_header_is_refused(header: str) -> None:
    with pytest.raises(Unauthorized):
        credentials(make_mocked_request("GET", "/", {"Authorization": header}))


def test_two_headers_are_refused() -> None:
    headers = CIMultiDict([("Authorization", "Bearer a"), ("Authorization", "Bearer b")])
    with pytest.raises(Unauthorized):
        credentials(make_mocked_request("GET", "/", headers))


def test_a_known_client_is_found() -> None:
    assert _client_of(CLIENTS, "YXBwOmEtc2VjcmV0LW9mLTE2LWNoYXJz").name == "app"


@pytest.mark.parametrize(
    "encoded",
    [
        "!!!",
        "YXBw",  # no colon
        "YXBwOmEtc2VjcmV0LW9mLTE2LWNoYXJ6",  # another secret
        "YXBw OmEtc2VjcmV0LW9mLTE2LWNoYXJz",
        "/////w==",  # no UTF-8
        "\udcff",  # a byte beyond ASCII, as aiohttp hands it on
        "ñ",
    ],
)
def test_other_pairs_are_refused(encoded: str) -> None:
    with pytest.raises(Unauthorized):
        _client_of(CLIENTS, encoded)


@pytest.mark.parametrize(
    ("scheme", "headers", "expected"),
    [
        ("Basic", {}, 'Basic realm="emsp", charset="UTF-8"'),
        ("Basic", {"Authorization": "x"}, 'Basic realm="emsp", charset="UTF-8"'),
        ("Bearer", {}, 'Bearer realm="emsp"'),
        ("Bearer", {"Authorization": "x"}, 'Bearer realm="emsp", error="invalid_token"'),
    ],
)
def test_a_401_asks_for_what_the_call_takes(scheme: str, headers: dict[str, str], expected: str) -> None:
    request = make_mocked_request("GET", "/", headers)
    request[CHALLENGE] = scheme
    assert challenge(request) == expected


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("198.51.100.7", [], "198.51.100.7"),
        ("198.51.100.7", ["203.0.113.1"], "198.51.100.7"),  # anybody may send the header
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.1"], "203.0.113.1"),
        ("10.0.0.1", ["1.1.1.1, 203.0.113.1"], "203.0.113.1"),  # what the caller wrote stands before
        ("10.0.0.1", ["1.1.1.1", "203.0.113.1, 10.0.0.2"], "203.0.113.1"),
        ("10.0.0.1", ["10.0.0.3"], "10.0.0.3"),
        ("10.0.0.1", ["203.0.113.1, nonsense"], "10.0.0.1"),
        ("10.0.0.1", ["nonsense, 10.0.0.2"], "10.0.0.2"),
        ("10.0.0.1", [""], "10.0.0.1"),
        ("fd00::1", ["2001:DB8:0:0::1"], "2001:db8::1"),
        ("::ffff:10.0.0.1", ["203.0.113.1"], "203.0.113.1"),
        ("::ffff:198.51.100.7", ["203.0.113.1"], "::ffff:198.51.100.7"),
        ("", ["203.0.113.1"], ""),
    ],
)
def test_the_caller_is_the_nearest_address_that_is_no_proxy_of_ours(
    peer: str, forwarded: list[str], expected: str
) -> None:
    headers = CIMultiDict([("X-Forwarded-For", value) for value in forwarded])
    request = make_mocked_request("GET", "/", headers).clone(remote=peer)
    assert caller_address(request, PROXIES) == expected
