"""Log lines: JSON with the request's id, and no secret."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
import structlog

from api.log import hide_secrets, set_up_logging


@pytest.fixture
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in capsys.readouterr().err.splitlines()]


@pytest.mark.usefixtures("_logging_as_before")
def test_our_lines_and_the_libraries_are_json_with_the_requests_id(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("json")
    log = structlog.get_logger("test")
    with structlog.contextvars.bound_contextvars(request_id="r1"):
        log.info("ours", position=5)
        logging.getLogger("library").warning("theirs %s", 7)
    log.info("later")
    logging.getLogger("library").info("too much")
    ours, theirs, later = lines(capsys)
    assert (ours["event"], ours["position"], ours["request_id"], ours["level"]) == ("ours", 5, "r1", "info")
    assert (theirs["event"], theirs["request_id"], theirs["level"]) == ("theirs 7", "r1", "warning")
    assert "request_id" not in later
    assert all(line["timestamp"].endswith("Z") for line in (ours, theirs, later))


@pytest.mark.usefixtures("_logging_as_before")
def test_a_trace_is_in_the_line(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("json")
    try:
        int("a bug")
    except ValueError:
        structlog.get_logger("test").exception("request failed")
    (line,) = lines(capsys)
    assert line["exception"].endswith("invalid literal for int() with base 10: 'a bug'")


@pytest.mark.usefixtures("_logging_as_before")
def test_the_console_is_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("console")
    structlog.get_logger("test").warning("ready", url="http://127.0.0.1:8080")
    assert "ready" in capsys.readouterr().err


@pytest.mark.parametrize(
    "key", ["password", "new_password", "token", "token_c", "Authorization", "client_secret", "event_store_url"]
)
def test_what_sounds_like_a_secret_is_blacked_out(key: str) -> None:
    assert hide_secrets(None, "info", {"event": "e", key: "s3cret"}) == {"event": "e", key: "***"}


def test_the_rest_is_shown() -> None:
    line = {"event": "mail postponed", "message_id": "<1@emsp.example>", "tries": 2}
    assert hide_secrets(None, "info", dict(line)) == line
