"""Settings: read once, checked whole, never printed."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from api.settings import MIN_KEY_BYTES, PREFIX, Settings, WrongSettings, read_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    Reading = Callable[..., Settings]

KEY = "k" * MIN_KEY_BYTES
SERVER = {
    "event_store_url": "postgresql://emsp:s3cret@db/emsp",
    "clients": "app:" + "s" * 16,
    "jwt_access_key": KEY,
    "jwt_refresh_key": KEY,
    "seal_key": KEY,
}


@pytest.fixture
def reading(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Reading:
    """Reads settings from an environment that holds these alone."""

    def read(**values: str) -> Settings:
        monkeypatch.chdir(tmp_path)
        for name in Settings.model_fields:
            monkeypatch.delenv(PREFIX + name.upper(), raising=False)
        for name, value in values.items():
            monkeypatch.setenv(PREFIX + name.upper(), value)
        return read_settings()

    return read


def test_without_any_setting_everything_is_embedded(reading: Reading) -> None:
    settings = reading()
    assert settings.is_embedded
    assert (settings.http_host, settings.http_port, settings.data_dir) == ("127.0.0.1", 8080, Path("var"))


def test_a_server_needs_its_clients_and_keys(reading: Reading) -> None:
    assert not reading(**SERVER).is_embedded
    with pytest.raises(WrongSettings) as wrong:
        reading(event_store_url="postgresql://db/emsp")
    assert wrong.value.lines == [
        f"EMSP_{name}: required with EMSP_EVENT_STORE_URL"
        for name in ("CLIENTS", "JWT_ACCESS_KEY", "JWT_REFRESH_KEY", "SEAL_KEY")
    ]


def test_all_that_is_wrong_is_told_at_once_by_name(reading: Reading) -> None:
    with pytest.raises(WrongSettings) as wrong:
        reading(http_port="eighty", country_code="ph", seal_key="short", rate_register="often", mail_from="us")
    assert [line.partition(":")[0] for line in wrong.value.lines] == [
        "EMSP_HTTP_PORT",
        "EMSP_SEAL_KEY",
        "EMSP_COUNTRY_CODE",
        "EMSP_MAIL_FROM",
        "EMSP_RATE_REGISTER",
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("http_port", "65536"),
        ("http_port", "-1"),
        ("find_cap", "0"),
        ("append_patience_s", "0"),
        ("append_patience_s", "nan"),
        ("trusted_proxies", "10.0.0.0/8,nonsense"),
        ("log_format", "xml"),
        ("mail_from", "EMSP <no-reply@emsp.example>"),
        ("mail_from", "a@b.example\r\nBcc: c@d.example"),
        ("rate_register", "30"),
        ("rate_read", "no"),
        ("cors_origins", "app.example"),
        ("cors_origins", "https://app.example/"),
        ("cors_origins", "https://app.example:443"),
        ("cors_origins", "https://App.example"),
        ("cors_origins", "https://app.example,*"),
        ("cors_origins", "null"),
        ("cors_origins", "https://*.example"),
        ("cors_origins", "file:///app"),
        ("body_csv_bytes", "0"),
    ],
)
def test_a_wrong_setting_stops_the_start_with_one_line_that_names_it(reading: Reading, name: str, value: str) -> None:
    with pytest.raises(WrongSettings) as wrong:
        reading(**{name: value})
    (line,) = wrong.value.lines
    assert line.startswith(f"EMSP_{name.upper()}: ")


def test_a_secret_that_is_wrong_is_not_told(reading: Reading) -> None:
    with pytest.raises(WrongSettings) as wrong:
        reading(seal_key="s3cret", jwt_access_key="s3cret")
    assert wrong.value.__cause__ is None
    assert "s3cret" not in "".join(wrong.value.lines)


def test_secrets_are_not_shown(reading: Reading) -> None:
    settings = reading(**SERVER)
    for secret in (KEY, "s3cret", "s" * 16):
        assert secret not in repr(settings) + str(settings) + settings.model_dump_json()


def test_a_key_is_counted_in_bytes(reading: Reading) -> None:
    assert reading(seal_key="é" * (MIN_KEY_BYTES // 2)).seal_key is not None


def test_an_empty_setting_is_as_none(reading: Reading) -> None:
    assert reading(event_store_url="", trusted_proxies="", http_port="").is_embedded


def test_networks_are_comma_separated(reading: Reading) -> None:
    networks = reading(trusted_proxies="10.0.0.0/8, ::1,127.0.0.1").trusted_proxies
    assert networks == (ip_network("10.0.0.0/8"), ip_network("::1"), ip_network("127.0.0.1"))


def test_origins_are_comma_separated_or_all(reading: Reading) -> None:
    origins = reading(cors_origins="https://app.example, http://localhost:3000,https://[2001:db8::1]:8443").cors_origins
    assert origins == ("https://app.example", "http://localhost:3000", "https://[2001:db8::1]:8443")
    assert reading(cors_origins="*").cors_origins == ("*",)
    assert reading().cors_origins == ()


def test_a_rate_can_be_turned_off(reading: Reading) -> None:
    assert reading(rate_register="off").rate_register == "off"


def test_a_file_of_settings_is_read_and_the_environment_wins(reading: Reading, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("EMSP_HTTP_PORT=1\nEMSP_FIND_CAP=5\nUNKNOWN=1\nEMSP_OF_A_LATER_VERSION=1\n")
    settings = reading(http_port="2")
    assert (settings.http_port, settings.find_cap) == (2, 5)


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        (
            "smtp://me:s3cret@mail.example:25",
            "mail to another machine needs TLS: smtps://…, port 587, or ?tls=starttls",
        ),
        ("smtps://me:s3cret@mail.example?ca=nowhere.pem", "ca names no file"),
        (
            "smtps://me:s3c/ret@mail.example",
            "needs the form smtp://[user:password@]host[:port] or smtps://…, user and password %-encoded",
        ),
    ],
)
def test_a_mail_server_that_is_not_safe_stops_the_start_with_one_line(reading: Reading, url: str, fault: str) -> None:
    with pytest.raises(WrongSettings) as wrong:
        reading(smtp_url=url)
    assert wrong.value.lines == [f"EMSP_SMTP_URL: Value error, {fault}"]
    assert reading(smtp_url="smtps://me:s3cret@mail.example").smtp_url is not None


def test_an_s3_key_has_two_halves_and_its_secret_is_not_shown(reading: Reading) -> None:
    with pytest.raises(WrongSettings) as wrong:
        reading(s3_access_key_id="an-id")
    assert wrong.value.lines == ["EMSP_S3_SECRET_ACCESS_KEY: required with EMSP_S3_ACCESS_KEY_ID"]
    with pytest.raises(WrongSettings) as wrong:
        reading(s3_secret_access_key="a-s3cret")
    assert wrong.value.lines == ["EMSP_S3_ACCESS_KEY_ID: required with EMSP_S3_SECRET_ACCESS_KEY"]
    assert "a-s3cret" not in repr(reading(s3_access_key_id="an-id", s3_secret_access_key="a-s3cret"))


@pytest.mark.parametrize("url", ["file:///var/images", "s3://a-bucket", "s3://a-bucket/some/prefix"])
def test_images_lie_in_a_folder_or_a_bucket(reading: Reading, url: str) -> None:
    assert reading(images_url=url).images_url == url


@pytest.mark.parametrize("url", ["images", "/var/images", "file://images", "s3://", "s3:bucket", "https://x.example"])
def test_images_lie_nowhere_else(reading: Reading, url: str) -> None:
    with pytest.raises(WrongSettings, match="EMSP_IMAGES_URL"):
        reading(images_url=url)


def test_google_needs_its_key_which_is_not_shown(reading: Reading) -> None:
    with pytest.raises(WrongSettings) as wrong:
        reading(geocoder="google")
    assert wrong.value.lines == ["EMSP_GOOGLE_API_KEY: required with EMSP_GEOCODER=google"]
    settings = reading(geocoder="google", google_api_key="AIza-s3cret")
    assert "s3cret" not in repr(settings) + str(settings.model_dump())
    assert reading(geocoder="offline").geocoder == "offline"


@pytest.mark.parametrize(
    "url",
    ["http://maps.example/json", "maps.example", "https://", "ftp://127.0.0.1/", "https://me:s3cret@maps.example/"],
)
def test_googles_key_goes_nowhere_in_the_clear(reading: Reading, url: str) -> None:
    with pytest.raises(WrongSettings) as wrong:
        reading(google_url=url)
    (line,) = wrong.value.lines
    assert line.startswith("EMSP_GOOGLE_URL: ")
    assert "s3cret" not in line
    assert reading(google_url="http://127.0.0.1:8000/json").google_url == "http://127.0.0.1:8000/json"
