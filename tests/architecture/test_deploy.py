"""The compose file and the image keep to what operators were promised."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from api import cli, roles
from api.settings import PREFIX, Settings

ROOT: Final = Path(__file__).parents[2]
TEXT: Final = (ROOT / "docker-compose.yml").read_text("utf-8")
COMPOSE: Final[dict[str, Any]] = yaml.safe_load(TEXT)
SERVICES: Final[dict[str, dict[str, Any]]] = COMPOSE["services"]
IMAGE: Final = (ROOT / "Dockerfile").read_text("utf-8")
ROLES: Final = {
    "api": roles.API_METRICS_PORT,
    "publish": roles.PUBLISH_METRICS_PORT,
    "project": roles.PROJECT_METRICS_PORT,
    "mail": roles.MAIL_METRICS_PORT,
}


def pinned(image: str) -> bool:
    return re.search(r":\d+\.\d+", image) is not None


def test_every_part_of_the_service_is_there() -> None:
    assert set(SERVICES) == {"postgres", "rabbitmq", "migrate", "proxy", *ROLES}
    assert SERVICES["api"]["deploy"]["replicas"] >= 2


def test_every_image_is_pinned() -> None:
    bases = re.findall(r"^FROM (\S+)", IMAGE, re.MULTILINE)
    assert bases
    assert [image for image in [*bases, *(s["image"] for s in SERVICES.values())] if not pinned(image)] == []


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_service_is_started_again_and_looked_after(name: str) -> None:
    service = SERVICES[name]
    if name == "migrate":
        assert service["restart"] == "no"
    else:
        assert service["restart"] == "unless-stopped"
        assert service["healthcheck"]["test"][0] == "CMD"


@pytest.mark.parametrize("name", sorted(ROLES))
def test_a_role_is_asked_for_its_health_on_its_own_port(name: str) -> None:
    assert f":{ROLES[name]}/healthz" in SERVICES[name]["healthcheck"]["test"][-1]


@pytest.mark.parametrize("name", ["migrate", *sorted(ROLES)])
def test_a_role_runs_a_command_that_exists_and_not_as_root(name: str) -> None:
    assert SERVICES[name]["command"] == [name]
    assert name in {
        command.name or command.callback.__name__ for command in cli.app.registered_commands if command.callback
    }
    assert SERVICES[name]["user"].split(":")[0] not in {"", "0", "root"}


def test_the_image_does_not_run_as_root() -> None:
    assert re.findall(r"^USER (\S+)", IMAGE, re.MULTILINE) == ["10001:10001"]


def test_every_setting_that_is_set_exists() -> None:
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    of_services = {name for s in SERVICES.values() for name in s.get("environment", {}) if name.startswith(PREFIX)}
    of_image = set(re.findall(rf"\b({PREFIX}\w+)=", IMAGE))
    assert of_services | of_image <= known


UNUSED = {(name, ":-") for name in ("EMSP_GOOGLE_API_KEY", "EMSP_S3_ACCESS_KEY_ID", "EMSP_S3_SECRET_ACCESS_KEY")}


def test_no_secret_has_a_default() -> None:
    variables = re.findall(r"\$\{(\w+)([^}]*)\}", TEXT)
    secrets = {(name, rest) for name, rest in variables if re.search("PASSWORD|KEY|CLIENTS|SECRET", name)}
    assert secrets
    # An empty one is no default: it is a part that isn't used.
    assert [name for name, rest in secrets if not rest.startswith(":?") and (name, rest) not in UNUSED] == []


def test_every_volume_that_is_used_has_a_name() -> None:
    used = {volume.split(":")[0] for s in SERVICES.values() for volume in s.get("volumes", [])}
    assert {volume for volume in used if not volume.startswith("./")} == set(COMPOSE["volumes"])
    assert all((ROOT / volume).exists() for volume in used if volume.startswith("./"))
