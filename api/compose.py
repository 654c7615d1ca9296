"""The composition root: everything is opened here and closed in reverse. The only place with a clock and chance."""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid4

import aio_pika
import asyncpg

from api.adapters import geocoder_of, mailer_of
from api.app import application
from api.auth import viewer_of
from api.clients import WrongClients, parse_clients
from api.compression import compressing
from api.connections import (
    CONNECT_TIMEOUT_S,
    Connector,
    event_store_pool,
    login_sessions,
    one_session,
    query_sessions,
)
from api.cors import let_in
from api.handlers.graphql import GRAPHQL, graphql_routes
from api.keys import key_of
from api.limits import rates_of
from api.migrate import migrate_event_store
from api.patience import Patience
from api.services import Services
from api.serving import Manners
from projections.bus import AmqpBus, InProcessBus, exchange_of
from projections.migrate import create_views
from read_side.engine import create_engine
from read_side.guards import Limits
from read_side.pending import PendingReports
from read_side.reports import Reports
from read_side.views import Views
from write_side.accounts.login import Accounts, LoginRules
from write_side.accounts.secrets import SystemSecrets
from write_side.accounts.sessions import Liveness
from write_side.accounts.tokens import Keys
from write_side.adapters.google import GeocodingState
from write_side.adapters.images import ObjectImages, S3Access, images_at
from write_side.adapters.pictures import PictureCheck
from write_side.events.codec import Codec
from write_side.ports import Rules, World
from write_side.store.aggregates import Aggregates
from write_side.store.event_store import EventStore
from write_side.store.loose_images import StoredLooseImages
from write_side.store.outbox import Outbox
from write_side.store.publisher import Publisher, log_id
from write_side.store.staging import Stagings
from write_side.store.writer import Writer, WriterState

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine

    from aiohttp import web

    from api.clients import Clients
    from api.connections import Databases
    from api.settings import Settings
    from projections.bus import EventBus
    from projections.migrate import ViewsMade

    Pool = asyncpg.Pool[Any]

RECONNECT_S: Final = 1.0
CANCEL_AGAIN_S: Final = 6.0
"""Longer than the last mail of a process may take (`loops.LAST_MAIL_S`)."""
MAIL_SESSIONS: Final = 2
"""One sends, which a slow mail server may hold up; the other counts."""
FIRST_PAUSE_S: Final = 0.005
LONGEST_PAUSE_S: Final = 0.2


def now() -> datetime:
    """The time, UTC."""
    return datetime.now(UTC)


def new_id() -> UUID:
    """A random UUID."""
    return uuid4()


def new_request_id() -> str:
    """A random UUID, by which a request is found in the logs: it guards nothing, and costs the system nothing."""
    return str(UUID(int=random.getrandbits(128), version=4))


async def pause_before_next_try(attempt: int) -> None:
    """Waits a little before a command is decided again, at random, so that those who collided don't meet again."""
    longest_s = min(FIRST_PAUSE_S * 2**attempt, LONGEST_PAUSE_S)
    await asyncio.sleep(random.uniform(0, longest_s))  # noqa: S311 - jitter, no secret


async def migrate(urls: Databases) -> ViewsMade:
    """Both schemas as this version needs them; what is so already stays.

    raises: api.migrate.ChangedMigration; what asyncpg raises when a database is out of reach
    """
    async with one_session(urls.event_store) as store:
        await migrate_event_store(store)
    async with one_session(urls.read_model) as views:
        return await create_views(views, database_id=new_id())


@asynccontextmanager
async def running(*coroutines: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """These loops run meanwhile, and are cancelled at the end, the last first."""
    tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
    try:
        yield
    finally:
        for task in reversed(tasks):
            await _end(task)


async def _end(task: asyncio.Future[None]) -> None:
    """Cancel it until it ends: where its session dies at that moment, asyncpg raises that instead, and it goes on."""
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=CANCEL_AGAIN_S)
    with suppress(asyncio.CancelledError):
        task.result()


def clients_of(settings: Settings) -> Clients:
    """The configured Basic clients, or the demo client of the embedded default. raises: WrongClients, OSError."""
    if settings.clients is not None:
        return parse_clients(settings.clients.get_secret_value())
    name, secret = first_client(settings)
    return parse_clients(f"{name}:{secret}")


def first_client(settings: Settings) -> tuple[str, str]:
    """Name and secret of the first configured client, or of the generated demo client.

    raises: WrongClients where clients are only known by their hashes
    """
    if settings.clients is None:
        return "demo", key_of(None, settings.data_dir, "demo_client_secret")
    name, _, rest = settings.clients.get_secret_value().partition(",")[0].strip().partition(":")
    if name == "file":
        raise WrongClients("EMSP_CLIENTS: the demo needs a client whose secret is known here, not a file of hashes")
    return name, rest.partition(":")[0]


def secrets_of(settings: Settings) -> SystemSecrets:
    """Hashes, random tokens and the seal of mails."""
    return SystemSecrets(key_of(settings.seal_key, settings.data_dir, "seal_key").encode())


@asynccontextmanager
async def outbox(settings: Settings, urls: Databases) -> AsyncIterator[Outbox]:
    """The mails that wait, with the mailer that takes them and sessions that no request waits for."""
    async with event_store_pool(settings, urls.event_store, sessions=MAIL_SESSIONS) as pool:
        yield Outbox(pool, secrets_of(settings), mailer_of(settings))


def images_of(settings: Settings) -> ObjectImages:
    """Where images lie: the configured folder or bucket, or DATA_DIR/images. raises: OSError for an unusable folder."""
    secret = settings.s3_secret_access_key
    access = S3Access(
        settings.s3_endpoint,
        settings.s3_region,
        settings.s3_access_key_id,
        None if secret is None else secret.get_secret_value(),
    )
    return images_at(settings.images_url or (settings.data_dir.absolute() / "images").as_uri(), access)


@dataclass(frozen=True, slots=True)
class WriteSide:
    """Everything that commands and logins need, open."""

    world: World
    accounts: Accounts
    images: ObjectImages
    stagings: Stagings
    pool: Pool
    geocoding: GeocodingState
    writing: WriterState


def manners_of(settings: Settings) -> Manners:
    """How connections are treated."""
    return Manners(settings.idle_s, settings.shutdown_s, new_request_id=new_request_id)


def patience_of(settings: Settings) -> Patience:
    """How long bodies may take to come."""
    return Patience(settings.body_wait_s, settings.body_bytes_per_s)


@asynccontextmanager
async def write_side(settings: Settings, urls: Databases) -> AsyncIterator[WriteSide]:
    """The write side, its writer running."""
    codec = Codec()
    writer = Writer(Connector(urls.event_store, "emsp writer"), codec, patience_s=settings.append_patience_s)
    secrets = secrets_of(settings)
    images = images_of(settings)
    geocoding = GeocodingState()
    async with (
        event_store_pool(settings, urls.event_store) as pool,
        login_sessions(urls.event_store) as logins,
        geocoder_of(settings, geocoding) as geocoder,
        running(writer.run()),
    ):
        world = World(
            events=EventStore(pool, writer, Aggregates(pool, codec, capacity=settings.aggregates_remembered)),
            geocoder=geocoder,
            secrets=secrets,
            pictures=PictureCheck(max_bytes=settings.image_bytes),
            images=images,
            loose_images=StoredLooseImages(pool),
            rules=Rules(
                country_code=settings.country_code,
                max_evses_per_location=settings.evses_per_location,
                max_photos_per_location=settings.photos_per_location,
                mail_sender=settings.mail_from,
            ),
            clock=now,
            new_id=new_id,
            pause=pause_before_next_try,
        )
        accounts = Accounts(
            pool,
            secrets,
            Keys(
                key_of(settings.jwt_access_key, settings.data_dir, "jwt_access_key").encode(),
                key_of(settings.jwt_refresh_key, settings.data_dir, "jwt_refresh_key").encode(),
            ),
            LoginRules(
                wrong_pairs=settings.login_wrong_pairs,
                wrong_pairs_of_address=settings.login_wrong_pairs_of_address,
                window=timedelta(minutes=10),
            ),
            now,
            new_id,
            Liveness(logins.fetch),
        )
        stagings = Stagings(
            Connector(urls.event_store, "emsp upload"),
            codec,
            at_once=settings.uploads_at_once,
            patience_s=settings.upload_patience_s,
        )
        yield WriteSide(world, accounts, images, stagings, pool, geocoding, writer.state)


@asynccontextmanager
async def event_bus(settings: Settings, urls: Databases) -> AsyncIterator[EventBus]:
    """RabbitMQ where it is configured, with an exchange of this log's own; else the bus inside this process."""
    bus: EventBus
    if settings.amqp_url is None:
        bus = InProcessBus()
    else:
        url = settings.amqp_url.get_secret_value()
        async with one_session(urls.event_store) as log:
            exchange = exchange_of(await log_id(log))
        bus = AmqpBus(
            lambda: aio_pika.connect_robust(url, timeout=CONNECT_TIMEOUT_S, reconnect_interval=RECONNECT_S),
            exchange=exchange,
        )
    try:
        yield bus
    finally:
        await bus.close()


def publisher(urls: Databases, bus: EventBus) -> Publisher:
    """Event log → bus; `run` it."""
    return Publisher(Connector(urls.event_store, "emsp publisher"), bus.publish)


@asynccontextmanager
async def read_side(settings: Settings, urls: Databases) -> AsyncIterator[Views]:
    """The views, hearing of each new checkpoint."""
    async with query_sessions(settings, urls.read_model) as sessions:
        views = Views(sessions, Connector(urls.read_model, "emsp read listener"))
        async with running(views.run()):
            yield views


async def api_application(
    settings: Settings, write_side: WriteSide, views: Views, *, schema_name: str = "emsp"
) -> web.Application:
    """Every call of the contract: REST, webhooks, GraphQL, which is under GRAPHQL too.

    schema_name: another for each application of a process
    """
    services = Services(
        world=write_side.world,
        accounts=write_side.accounts,
        images=write_side.images,
        reports=Reports(views, settings.min_position_wait_s),
        pending=PendingReports(views, settings.min_position_wait_s),
        stagings=write_side.stagings,
        clients=clients_of(settings),
        rates=rates_of(settings),
        patience=patience_of(settings),
        trusted_proxies=settings.trusted_proxies,
        body_json_bytes=settings.body_json_bytes,
        body_image_bytes=settings.body_image_bytes,
        body_photos_bytes=settings.body_photos_bytes,
        body_csv_bytes=settings.body_csv_bytes,
        csv_rows=settings.csv_rows,
        new_request_id=new_request_id,
    )
    limits = Limits(
        depth=settings.graphql_depth,
        aliases=settings.graphql_aliases,
        cost=settings.graphql_cost,
        find_cap=settings.find_cap,
        text_bytes=settings.body_graphql_bytes,
        fragment_cache_bytes=settings.fragment_cache_bytes,
        min_position_wait_s=settings.min_position_wait_s,
    )
    app = application(services)
    let_in(app, settings.cors_origins)
    app[GRAPHQL] = await create_engine(views, limits, schema_name)
    if settings.compress:
        compressing(app)
    app.add_routes(
        graphql_routes(
            app[GRAPHQL],
            viewer_of,
            limit_bytes=settings.body_graphql_bytes,
            patience=services.patience,
        )
    )
    return app
