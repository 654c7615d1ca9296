"""The eventsourcing library's own ProjectionRunner, drawing the same documents into a table of PostgreSQL."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit
from uuid import UUID

import orjson
from eventsourcing.application import Application
from eventsourcing.postgres import PostgresTrackingRecorder
from eventsourcing.projection import Projection, ProjectionRunner
from psycopg.sql import SQL

from projections.drawings import Drawings
from projections.locations import LocationDrawing
from projections.projector import draw
from tests.bench.long_log import events
from write_side.events.codec import Codec, PlainJson

if TYPE_CHECKING:
    from eventsourcing.domain import DomainEventProtocol
    from eventsourcing.persistence import Tracking, Transcoder

PAGE: Final = 1_000
PATIENCE_S: Final = 300.0

CREATE: Final = SQL("create table if not exists peer_location (id integer primary key, head text, evses text)")
LOAD: Final = SQL("select head, evses from peer_location where id = %s")
STORE: Final = SQL(
    "insert into peer_location values (%s, %s, %s) "
    "on conflict (id) do update set head = excluded.head, evses = excluded.evses"
)


class Log(Application[UUID]):
    """An application over a log that is there already."""

    def construct_transcoder(self) -> Transcoder:
        """Events as plain JSON, as ours."""
        return PlainJson()


class Locations(PostgresTrackingRecorder):
    """A table of documents, and how far it is, in one transaction for each event, as the library does it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.sql_create_statements.append(CREATE)  # type: ignore[arg-type]  # the library takes it as well

    def draw(self, event: Any, tracking: Tracking) -> None:
        """Load the location of the event, fold the event, store it."""
        with self.datastore.transaction(commit=True) as cursor:
            self._insert_tracking(cursor, tracking)
            cursor.execute(LOAD, (event.location_id,))
            found = cursor.fetchone()
            drawings = Drawings()
            if found is not None:
                evses = {evse["uid"].casefold(): orjson.dumps(evse).decode() for evse in orjson.loads(found["evses"])}
                drawings.locations[event.location_id] = LocationDrawing(
                    event.location_id, "PH", "ABC", found["head"], evses, tracking.notification_id
                )
            draw(drawings, event, tracking.notification_id)
            drawing = drawings.locations[event.location_id]
            drawing.write_back()
            cursor.execute(STORE, (event.location_id, drawing.head, f"[{','.join(drawing.evses.values())}]"))


class DrawLocations(Projection[Locations]):
    """Every event, one by one."""

    name = "peer"
    topics = ()

    def process_event(self, domain_event: DomainEventProtocol[Any], tracking: Tracking) -> None:
        """One event into its location."""
        self.view.draw(domain_event, tracking)


def library_rate(dsn: str, sample: int) -> float:
    """Events per second of a sample of the same log, from the start of the runner to the last event in the table."""
    at = urlsplit(dsn)
    env = {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": at.path.removeprefix("/"),
        "POSTGRES_HOST": at.hostname or "127.0.0.1",
        "POSTGRES_PORT": str(at.port or 5432),
        "POSTGRES_USER": unquote(at.username or ""),
        "POSTGRES_PASSWORD": unquote(at.password or ""),
    }
    codec = Codec()
    chosen = list(itertools.islice(events(sample // 10), sample))
    with Log(env) as log:
        for start in range(0, len(chosen), PAGE):
            log.recorder.insert_events([codec.encode(event) for event in chosen[start : start + PAGE]])
    began = time.perf_counter()
    with ProjectionRunner(
        application_class=Log, view_class=Locations, projection_class=DrawLocations, env=env
    ) as runner:
        runner.wait(len(chosen), timeout=PATIENCE_S)
    return len(chosen) / (time.perf_counter() - began)
