"""Every setting, with its default, its meaning and its limits: read once, checked whole, never printed."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal

from limits import parse
from pydantic import AfterValidator, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from yarl import URL

from api.limits import OFF
from write_side.adapters.google_answers import GEOCODING_URL
from write_side.adapters.smtp_server import is_loopback, parse_smtp_url

PREFIX = "EMSP_"
MIN_KEY_BYTES = 32
Network = IPv4Network | IPv6Network
Port = Annotated[int, Field(ge=0, le=65_535)]
Seconds = Annotated[float, Field(gt=0, le=3_600)]
Count = Annotated[int, Field(ge=1)]
MIB = 1024 * 1024


def _rate(value: str) -> str:
    if value != OFF:
        parse(value)
    return value


Rate = Annotated[str, AfterValidator(_rate)]
"""How often: `30/minute`, or `off`."""


S3_KEY = ("s3_access_key_id", "s3_secret_access_key")
"""Both or neither."""


class WrongSettings(Exception):
    """Some settings are wrong. lines: one for each, naming it, without its value."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        super().__init__("; ".join(lines))


class Settings(BaseSettings):
    """The operators' contract (contract §7). Names in the environment: EMSP_ and the field's name in capitals."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=".env",
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    http_host: str = Field(default="127.0.0.1", description="where the API listens")
    http_port: Port = Field(default=8080, description="where the API listens; 0: any free port")
    event_store_url: SecretStr | None = Field(
        default=None, description="PostgreSQL of the event store; empty: an embedded one in the data folder"
    )
    read_model_url: SecretStr | None = Field(
        default=None, description="PostgreSQL of the views; empty: the event store's"
    )
    amqp_url: SecretStr | None = Field(
        default=None, description="RabbitMQ; empty: a bus inside the one process of `emsp run`"
    )
    data_dir: Path = Field(default=Path("var"), description="embedded database, keys, images and mail")
    images_url: str | None = Field(
        default=None,
        pattern=r"^(file:///.+|s3://[a-z0-9][a-z0-9.-]+(/.*)?)$",
        description="where images lie, file:///folder or s3://bucket/prefix; empty: DATA_DIR/images",
    )
    s3_endpoint: str | None = Field(
        default=None,
        pattern=r"^https?://\S+$",
        description="S3 server of EMSP_IMAGES_URL; empty: Amazon's of the region",
    )
    s3_region: str | None = Field(default=None, description="region of the bucket; empty: AWS_REGION, else us-east-1")
    s3_access_key_id: str | None = Field(
        default=None,
        description="who reads and writes the bucket; empty: the usual AWS_… variables, else the machine's role",
    )
    s3_secret_access_key: SecretStr | None = Field(default=None, description="the secret of EMSP_S3_ACCESS_KEY_ID")
    postgres_binaries: Path | None = Field(
        default=None, description="folder of PostgreSQL's programs for the embedded database; empty: found"
    )
    clients: SecretStr | None = Field(
        default=None,
        description="Basic clients, name:secret[:scope+scope],… or file:PATH with a line name:sha256-hex[:scope+scope] "
        "for each; scopes are read and accounts. Empty: a generated demo client, only on the embedded default",
    )
    jwt_access_key: SecretStr | None = Field(
        default=None, description="signs access tokens, at least 32 bytes; generated on the embedded default"
    )
    jwt_refresh_key: SecretStr | None = Field(
        default=None, description="signs refresh tokens, at least 32 bytes; generated on the embedded default"
    )
    seal_key: SecretStr | None = Field(
        default=None, description="encrypts mails that wait, at least 32 bytes; generated on the embedded default"
    )
    country_code: str = Field(
        default="PH", pattern="^[A-Z]{2}$", description="country of the CPOs that register, ISO 3166 alpha-2"
    )
    mail_from: str = Field(
        default="no-reply@emsp.example",
        pattern=r"^[A-Za-z0-9._+-]+@[A-Za-z0-9.-]+$",
        description="sender of our mails, an address alone",
    )
    smtp_url: SecretStr | None = Field(
        default=None,
        description="mail server: smtp://[user:password@]host:587 (STARTTLS) or smtps://[user:password@]host:465, user "
        "and password %-encoded; ?tls=starttls for other ports, ?ca=PATH for an authority of your own. Plain SMTP only "
        "to this machine. Empty: .eml files in the data folder",
    )
    geocoder: Literal["offline", "google"] = Field(
        default="offline", description="who places addresses: offline (a gazetteer of ours) or google"
    )
    google_api_key: SecretStr | None = Field(default=None, description="key of Google's Geocoding API; for google")
    google_url: str = Field(
        default=GEOCODING_URL, description="where that API is; https, or a stand-in on this machine"
    )
    google_calls_per_second: Count = Field(default=40, description="most calls a second of this process to that API")
    trusted_proxies: Annotated[tuple[Network, ...], NoDecode] = Field(
        default=(), description="networks whose X-Forwarded-For is believed, comma separated"
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="origins whose pages may call, https://app.example, comma separated, or *; empty: none"
    )
    body_json_bytes: Count = Field(default=4 * MIB, description="largest JSON body")
    body_graphql_bytes: Count = Field(default=256 * 1024, description="largest GraphQL body")
    body_image_bytes: Count = Field(default=6 * MIB, description="largest body with one picture (R2, R8)")
    body_photos_bytes: Count = Field(default=26 * MIB, description="largest body with photos (R7)")
    body_csv_bytes: Count = Field(default=64 * MIB, description="largest body with a CSV (R9, R10)")
    image_bytes: Count = Field(default=5 * MIB, description="largest image file")
    photos_per_location: Count = Field(default=50, description="most photos of one location")
    body_wait_s: Seconds = Field(default=20.0, description="how long a body is waited for; then 408")
    body_bytes_per_s: Count = Field(default=8_192, description="so many bytes that come win a second of it back")
    idle_s: Seconds = Field(
        default=75.0,
        description="a connection without a whole request head for so long is closed; longer than a proxy's",
    )
    shutdown_s: Seconds = Field(default=25.0, description="how long requests under way may take to end at a stop")
    csv_rows: Count = Field(default=100_000, description="most rows of a CSV file")
    uploads_at_once: Count = Field(
        default=2, description="CSV files that a process reads at once; others wait for their turn"
    )
    upload_patience_s: Seconds = Field(
        default=60.0, description="how long a CSV file waits for its turn before its 503"
    )
    rate_register: Rate = Field(
        default="30/minute", description="registrations (R1) of one client and address; off: no limit"
    )
    rate_logo_upload: Rate = Field(
        default="30/minute", description="logo uploads (R2) of one client and address; off: no limit"
    )
    rate_login: Rate = Field(default="300/minute", description="logins (R3) of one client and address; off: no limit")
    rate_read: Rate = Field(
        default=OFF, description="calls that read with Basic (R11, R12, GraphQL) of one client and address"
    )
    rate_user: Rate = Field(default=OFF, description="calls of the users of one CPO, with an access token")
    rate_machine: Rate = Field(default=OFF, description="webhook calls (W1 to W4) of one CPO")
    login_wrong_pairs: Count = Field(default=10, description="wrong logins of one user and address in 10 minutes")
    login_wrong_pairs_of_address: Count = Field(default=100, description="wrong logins of one address in 10 minutes")
    evses_per_location: Count = Field(default=500, description="most EVSEs of one location")
    aggregates_remembered: Count = Field(default=10_000, description="states of streams that a process remembers")
    idempotency_days: Count = Field(default=30, description="how long answers under an Idempotency-Key are kept")
    find_cap: Count = Field(default=10_000, description="most locations that one query answers")
    graphql_depth: Count = Field(default=12, description="deepest GraphQL selection")
    graphql_aliases: Count = Field(default=50, description="most aliases in a GraphQL query")
    graphql_cost: Count = Field(default=2_000, description="most fields in a GraphQL query, fragments spread")
    fragment_cache_bytes: Annotated[int, Field(ge=0)] = Field(
        default=64 * MIB, description="memory of a process for pieces of GraphQL answers; 0: none are kept"
    )
    statement_timeout_s: Seconds = Field(default=10.0, description="longest statement of the read side")
    append_patience_s: Seconds = Field(
        default=10.0, description="how long a command waits for the store before its 503"
    )
    min_position_wait_s: Seconds = Field(default=2.0, description="how long a query waits for the position it names")
    compress: bool = Field(
        default=True, description="JSON answers go out as br or gzip to clients that ask; no: a proxy in front does it"
    )
    ready_lag_s: Seconds = Field(default=30.0, description="/readyz fails when the views are further behind than this")
    store_connections: Count = Field(
        default=8, description="connections of a process to the event store, beside a few for its own work"
    )
    read_connections: Count = Field(
        default=8, description="connections of a process to the views that queries share, beside a few for its own work"
    )
    metrics_host: str = Field(default="127.0.0.1", description="where metrics and health are served")
    metrics_port: Port | None = Field(
        default=None, description="9464 run and api, 9465 publish, 9466 project, 9467 mail; 0: off"
    )
    log_format: Literal["console", "json"] | None = Field(
        default=None, description="console or json; empty: console on a terminal, else json"
    )

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _networks(cls, value: Any) -> Any:  # noqa: ANN401 - pydantic hands in what the environment says
        if not isinstance(value, str):
            return value
        return tuple(ip_network(part.strip()) for part in value.split(",") if part.strip())

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _origins(cls, value: Any) -> Any:  # noqa: ANN401 - pydantic hands in what the environment says
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if value != ("*",) and not all(map(_is_origin, value)):
            msg = (
                "needs origins as browsers send them, https://app.example without a path or a standard port, or * alone"
            )
            raise ValueError(msg)
        return value

    @field_validator("jwt_access_key", "jwt_refresh_key", "seal_key")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value().encode()) < MIN_KEY_BYTES:
            msg = f"needs at least {MIN_KEY_BYTES} bytes"
            raise ValueError(msg)
        return value

    @field_validator("google_url")
    @classmethod
    def _safe_for_the_key(cls, value: str) -> str:
        url = URL(value)
        is_safe = url.scheme == "https" or (url.scheme == "http" and is_loopback(url.host or ""))
        if not is_safe or not url.host or url.query_string or url.user:
            msg = "needs the form https://host/path; http:// only to this machine, since the key goes there"
            raise ValueError(msg)
        return value

    @field_validator("smtp_url")
    @classmethod
    def _mail_server(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            server = parse_smtp_url(value.get_secret_value())
            if server.ca is not None and not Path(server.ca).is_file():
                msg = "ca names no file"
                raise ValueError(msg)
        return value

    @property
    def is_embedded(self) -> bool:
        """Whether the event store is the embedded one: then keys and a demo client may be generated."""
        return self.event_store_url is None


def _is_origin(text: str) -> bool:
    try:
        url = URL(text)
        return url.scheme in {"http", "https"} and str(url.origin()) == text and "*" not in text
    except ValueError:
        return False


def read_settings() -> Settings:
    """The settings of this process. raises: WrongSettings with all the faults at once."""
    try:
        settings = Settings()
    except ValidationError as wrong:
        raise WrongSettings([f"{_name(e['loc'])}: {e['msg']}" for e in wrong.errors()]) from None
    missing = [f"{_name((name,))}: required with {reason}" for name, reason in _required(settings)]
    if missing:
        raise WrongSettings(missing)
    return settings


def _required(settings: Settings) -> Iterator[tuple[str, str]]:
    """What has no value though another setting needs it, and which."""
    if not settings.is_embedded:
        for name in ("clients", "jwt_access_key", "jwt_refresh_key", "seal_key"):
            if getattr(settings, name) is None:
                yield name, "EMSP_EVENT_STORE_URL"
    if settings.geocoder == "google" and settings.google_api_key is None:
        yield "google_api_key", "EMSP_GEOCODER=google"
    for one, other in (S3_KEY, S3_KEY[::-1]):
        if getattr(settings, one) is None and getattr(settings, other) is not None:
            yield one, _name((other,))


def _name(location: tuple[int | str, ...]) -> str:
    return PREFIX + str(location[0]).upper() if location else PREFIX


def env_example() -> str:
    """The text of `.env.example`: every setting with its default and meaning."""
    lines = [
        "# Every setting of emsp with its default. Copy to .env, or set in the environment. Generated; a test compares."
    ]
    for name, field in Settings.model_fields.items():
        default = field.default
        shown = "" if default is None or default == () else str(default)
        lines += ["", f"# {field.description}", f"# {PREFIX}{name.upper()}={shown}"]
    return "\n".join(lines) + "\n"
