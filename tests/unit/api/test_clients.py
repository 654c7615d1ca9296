"""Basic clients: who they are is configured, and found in equal time."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from api.clients import ACCOUNTS, READ, WrongClients, parse_clients

SECRET = "a-secret-of-16-c"
OTHER = "another-secret-of-a-client"


def test_clients_have_the_scopes_that_are_named_or_both() -> None:
    clients = parse_clients(f"app:{SECRET}:read, desk:{OTHER}:accounts,both:{SECRET},all:{SECRET}:read+accounts")
    assert {name: client.scopes for name, client in clients.by_name.items()} == {
        "app": {READ},
        "desk": {ACCOUNTS},
        "both": {READ, ACCOUNTS},
        "all": {READ, ACCOUNTS},
    }


def test_only_the_right_pair_is_found() -> None:
    clients = parse_clients(f"app:{SECRET},desk:{OTHER}")
    found = clients.find("app", SECRET)
    assert found is not None
    assert found.name == "app"
    for name, secret in [("app", OTHER), ("desk", SECRET), ("App", SECRET), ("nobody", SECRET), ("app", ""), ("", "")]:
        assert clients.find(name, secret) is None


def test_secrets_are_kept_as_hashes_alone() -> None:
    assert SECRET not in repr(parse_clients(f"app:{SECRET}"))


def test_a_file_holds_hashes(tmp_path: Path) -> None:
    file = tmp_path / "clients"
    digest = hashlib.sha256(SECRET.encode()).hexdigest()
    file.write_text(f"# who may call\n\napp:{digest}:read\n  desk:{digest.upper()}  \n")
    clients = parse_clients(f"file:{file}")
    app, desk = clients.find("app", SECRET), clients.find("desk", SECRET)
    assert app is not None
    assert desk is not None
    assert (app.scopes, desk.scopes) == (frozenset({READ}), frozenset({READ, ACCOUNTS}))


@pytest.mark.parametrize(
    "text",
    [
        "",
        ",",
        "app",
        "app:short",
        f":{SECRET}",
        f"app:{SECRET}:write",
        f"app:{SECRET}:read+",
        f"app:{SECRET},app:{OTHER}",
    ],
)
def test_what_can_not_be_understood_is_refused_without_its_secret(text: str) -> None:
    with pytest.raises(WrongClients) as wrong:
        parse_clients(text)
    assert SECRET not in str(wrong.value)
    assert "short" not in str(wrong.value)


@pytest.mark.parametrize("line", [f"app:{SECRET}", "app:" + "g" * 64, "app:" + "a" * 63, "# nobody"])
def test_a_file_without_hashes_is_refused(tmp_path: Path, line: str) -> None:
    file = tmp_path / "clients"
    file.write_text(line)
    with pytest.raises(WrongClients) as wrong:
        parse_clients(f"file:{file}")
    assert SECRET not in str(wrong.value)
