"""The loops of each role: what it opens, what it serves, how it ends."""

from __future__ import annotations

import asyncio
import gc
import signal
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import asyncpg
import structlog
from aiohttp import web

from api import compose, connections, metrics, projecting
from api.command_faults import NotReady
from api.handlers.graphql import GRAPHQL
from api.handlers.health import Check, health_routes, metrics_route
from api.loops import build_outdated_views, count_mails, keep_house, remove_images, send_mails
from api.readiness import (
    append_check,
    broker_check,
    consumer_check,
    parked_note,
    publisher_check,
    store_check,
    views_check,
)
from api.serving import serving
from api.welcome import print_welcome
from projections.bus import AmqpBus
from projections.migrate import DATABASE_ID
from write_side.store.outbox import make_all_due

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from uuid import UUID

    from prometheus_client import CollectorRegistry

    from api.compose import WriteSide
    from api.connections import Databases
    from api.settings import Settings

API_METRICS_PORT: Final = 9464
PUBLISH_METRICS_PORT: Final = 9465
PROJECT_METRICS_PORT: Final = 9466
MAIL_METRICS_PORT: Final = 9467

log = structlog.get_logger(__name__)


async def stopped() -> None:
    """Return at Ctrl-C or SIGTERM. A second one ends the process at once."""
    # What was made to begin with stays to the end: to look through it for garbage again and again would hold all
    # requests up for a tenth of a second each time, several times while a large file is read.
    gc.collect()
    gc.freeze()
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.remove_signal_handler(number)
    log.info("stopping")


@asynccontextmanager
async def metrics_server(
    settings: Settings, default_port: int, checks: Sequence[Check], registry: CollectorRegistry
) -> AsyncIterator[None]:
    """Health and metrics of the role on METRICS_PORT; nothing where it is 0."""
    port = default_port if settings.metrics_port is None else settings.metrics_port
    if port == 0:
        yield
        return
    app = web.Application()
    app.add_routes([*health_routes(checks), metrics_route(registry)])
    async with serving(app, settings.metrics_host, port, compose.manners_of(settings)):
        yield


async def views_database_id(urls: Databases) -> UUID:
    """The id that names this views database's queue. raises: NotReady before `emsp migrate`."""
    connection = await asyncpg.connect(urls.read_model, timeout=connections.CONNECT_TIMEOUT_S)
    try:
        database_id: UUID = await connection.fetchval(DATABASE_ID)
    except asyncpg.UndefinedTableError:
        raise NotReady("the databases are not migrated: run `emsp migrate` first") from None
    finally:
        await connection.close()
    return database_id


def _require_broker(settings: Settings) -> None:
    if settings.amqp_url is None:
        raise NotReady("EMSP_AMQP_URL: this role needs RabbitMQ; `emsp run` does without")


async def run_everything(settings: Settings) -> None:
    """Migrate; then API, publisher, projector and mail in this process, until stopped."""
    registry = metrics.new_registry()
    async with AsyncExitStack() as stack:
        urls = await stack.enter_async_context(connections.databases(settings))
        made = await compose.migrate(urls)
        bus = await stack.enter_async_context(compose.event_bus(settings, urls))
        publisher = compose.publisher(urls, bus)
        consumer = await stack.enter_async_context(projecting.consumer(urls, bus, made.database_id, shares_loop=True))
        metrics.count_publisher(registry, publisher.state)
        metrics.count_consumer(registry, consumer.state)
        checks = [publisher_check(publisher.state), consumer_check(consumer.state), parked_note(consumer.state)]
        write_side = await stack.enter_async_context(compose.write_side(settings, urls))
        outbox = await stack.enter_async_context(compose.outbox(settings, urls))
        metrics.count_outbox(registry, outbox.state)
        await stack.enter_async_context(
            compose.running(
                publisher.run(),
                consumer.run(),
                build_outdated_views(connections.Connector(urls.read_model, "emsp version")),
                count_mails(outbox),
                send_mails(outbox),
            )
        )
        port = await stack.enter_async_context(_api(settings, urls, write_side, checks=checks, registry=registry))
        print_welcome(settings, port)
        await stopped()


async def run_api(settings: Settings) -> None:
    """The HTTP API, until stopped."""
    async with AsyncExitStack() as stack:
        urls = await stack.enter_async_context(connections.databases(settings))
        await views_database_id(urls)
        write_side = await stack.enter_async_context(compose.write_side(settings, urls))
        port = await stack.enter_async_context(
            _api(settings, urls, write_side, checks=[], registry=metrics.new_registry())
        )
        log.info("listening", host=settings.http_host, port=port)
        await stopped()


@asynccontextmanager
async def _api(
    settings: Settings, urls: Databases, write_side: WriteSide, *, checks: list[Check], registry: CollectorRegistry
) -> AsyncIterator[int]:
    """The API on its port, which is yielded, with health and metrics on theirs."""
    async with AsyncExitStack() as stack:
        metrics.count_writer(registry, write_side.writing)
        metrics.count_geocoding(registry, write_side.geocoding)
        views = await stack.enter_async_context(connections.views_pool(settings, urls.read_model))
        manners = compose.manners_of(settings)
        all_checks = [
            Check("process", manners.ending.fault),
            store_check(write_side.pool),
            append_check(write_side.writing, connections.Connector(urls.event_store, "emsp probe")),
            views_check(write_side.pool, views, at_most_s=settings.ready_lag_s),
            *checks,
        ]
        read_side = await stack.enter_async_context(compose.read_side(settings, urls))
        app = await compose.api_application(settings, write_side, read_side)
        metrics.count_fragments(registry, app[GRAPHQL].fragments, app[GRAPHQL].answers)
        app.add_routes(health_routes(all_checks))
        await stack.enter_async_context(
            compose.running(
                keep_house(write_side.pool, timedelta(days=settings.idempotency_days)),
                remove_images(write_side.pool, write_side.images),
            )
        )
        await stack.enter_async_context(metrics_server(settings, API_METRICS_PORT, all_checks, registry))
        yield await stack.enter_async_context(serving(app, settings.http_host, settings.http_port, manners))


async def run_publisher(settings: Settings) -> None:
    """Event log → RabbitMQ, until stopped. raises: NotReady without EMSP_AMQP_URL."""
    _require_broker(settings)
    registry = metrics.new_registry()
    async with (
        connections.databases(settings) as urls,
        compose.event_bus(settings, urls) as bus,
        connections.event_store_pool(settings, urls.event_store) as pool,
    ):
        publisher = compose.publisher(urls, bus)
        metrics.count_publisher(registry, publisher.state)
        checks = [store_check(pool), publisher_check(publisher.state), *_broker_checks(bus)]
        async with (
            metrics_server(settings, PUBLISH_METRICS_PORT, checks, registry),
            compose.running(publisher.run()),
        ):
            log.info("publisher started")
            await stopped()


async def run_projector(settings: Settings) -> None:
    """RabbitMQ → views, until stopped. raises: NotReady without EMSP_AMQP_URL, or before `emsp migrate`."""
    _require_broker(settings)
    registry = metrics.new_registry()
    async with AsyncExitStack() as stack:
        urls = await stack.enter_async_context(connections.databases(settings))
        database_id = await views_database_id(urls)
        bus = await stack.enter_async_context(compose.event_bus(settings, urls))
        store = await stack.enter_async_context(connections.event_store_pool(settings, urls.event_store))
        views = await stack.enter_async_context(connections.views_pool(settings, urls.read_model))
        consumer = await stack.enter_async_context(projecting.consumer(urls, bus, database_id, shares_loop=False))
        metrics.count_consumer(registry, consumer.state)
        checks = [
            views_check(store, views, at_most_s=settings.ready_lag_s),
            consumer_check(consumer.state),
            parked_note(consumer.state),
            *_broker_checks(bus),
        ]
        await stack.enter_async_context(metrics_server(settings, PROJECT_METRICS_PORT, checks, registry))
        outdated = build_outdated_views(connections.Connector(urls.read_model, "emsp version"))
        await stack.enter_async_context(compose.running(consumer.run(), outdated))
        log.info("projector started")
        await stopped()


def _broker_checks(bus: Any) -> list[Check]:  # noqa: ANN401 - an EventBus; only one kind has a broker
    return [broker_check(bus)] if isinstance(bus, AmqpBus) else []


async def run_mail(settings: Settings) -> None:
    """Waiting mails → the mail server, or .eml files, until stopped."""
    registry = metrics.new_registry()
    async with (
        connections.databases(settings) as urls,
        connections.event_store_pool(settings, urls.event_store, sessions=1) as pool,
        compose.outbox(settings, urls) as outbox,
        metrics_server(settings, MAIL_METRICS_PORT, [store_check(pool)], registry),
        compose.running(count_mails(outbox), send_mails(outbox)),
    ):
        metrics.count_outbox(registry, outbox.state)
        log.info("mail sender started")
        await stopped()


async def retry_mails(settings: Settings) -> None:
    """Let every waiting mail be tried now, by whoever sends."""
    async with connections.databases(settings) as urls:
        store = await asyncpg.connect(urls.event_store, timeout=connections.CONNECT_TIMEOUT_S)
        try:
            log.info("mails made due", mails=await make_all_due(store))
        finally:
            await store.close()


async def run_migrate(settings: Settings) -> None:
    """Both schemas as this version needs them."""
    async with connections.databases(settings) as urls:
        made = await compose.migrate(urls)
        log.info("migrated", views_version=made.version, views_made_anew=made.is_anew, views_outdated=made.is_outdated)
