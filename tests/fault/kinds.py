"""Every kind of fault there is here. A new one is one more line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from tests.fault import in_broker, in_processes, in_store, in_views

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from random import Random

    from tests.fault.service import Service


class Kind(NamedTuple):
    """inflict: returns when its cause is gone, which says nothing of what it left behind."""

    name: str
    inflict: Callable[[Service, Random], Awaitable[None]]


KINDS: Final = (
    Kind("API killed", in_processes.killed("api")),
    Kind("publisher killed", in_processes.killed("publish")),
    Kind("projector killed", in_processes.killed("project")),
    Kind("mail sender killed", in_processes.killed("mail")),
    Kind("all processes killed", in_processes.all_killed),
    Kind("two publishers: the first one was only asleep", in_processes.zombie("publish")),
    Kind("two projectors: the first one was only asleep", in_processes.zombie("project")),
    Kind("clock of the API wrong by hours", in_processes.wrong_clock),
    Kind("writer's session killed", in_store.sessions_killed("emsp writer")),
    Kind("publisher's session killed", in_store.sessions_killed("emsp publisher")),
    Kind("projector's sessions killed", in_store.sessions_killed("emsp projector", "emsp projector log")),
    Kind("readers' sessions killed", in_store.sessions_killed("emsp store", "emsp read", "emsp read listener")),
    Kind("PostgreSQL's backend killed with -9", in_store.backend_killed),
    Kind("PostgreSQL restarted, fast", in_store.restarted_fast),
    Kind("PostgreSQL restarted, immediate", in_store.restarted_at_once),
    Kind("API's connections to PostgreSQL cut", in_store.connections_cut),
    Kind("COMMIT's answer lost", in_store.commit_unanswered),
    Kind("COMMIT's answer late", in_store.commit_answered_late),
    Kind("a writer sleeps inside its transaction", in_store.head_held),
    Kind("disk full for events", in_store.disk_full("es.events")),
    Kind("disk full for views", in_store.disk_full("views.checkpoint")),
    Kind("connections to RabbitMQ cut", in_broker.connections_cut),
    Kind("RabbitMQ silent, then cut", in_broker.silent),
    Kind("RabbitMQ's queue deleted", in_broker.queue_deleted),
    Kind("RabbitMQ stopped and started", in_broker.stopped),
    Kind("RabbitMQ killed and started", in_broker.killed),
    Kind("RabbitMQ wiped", in_broker.wiped),
    Kind("RabbitMQ's queue left without a leader", in_broker.queue_left_without_leader),
    Kind("views built anew", in_views.rebuilt),
    Kind("build of the views killed", in_views.rebuild_killed),
)
