"""The numbers of a process, read when Prometheus asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Gauge, PlatformCollector, ProcessCollector

if TYPE_CHECKING:
    from collections.abc import Callable

    from projections.consumer import ConsumerState
    from read_side.answers import Answers
    from read_side.fragments import Fragments
    from write_side.adapters.google import GeocodingState
    from write_side.store.outbox import OutboxState
    from write_side.store.publisher import PublisherState
    from write_side.store.writer import WriterState


def new_registry() -> CollectorRegistry:
    """A registry with the numbers that every process has: CPU seconds, memory, open files."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    return registry


def _gauge(registry: CollectorRegistry, name: str, meaning: str, value: Callable[[], float]) -> None:
    Gauge(name, meaning, registry=registry).set_function(value)


def count_publisher(registry: CollectorRegistry, state: PublisherState) -> None:
    """Numbers of a publisher; `emsp_publisher_lag_events` is the one that matters."""
    _gauge(registry, "emsp_publisher_leading", "1 while this process publishes", lambda: float(state.is_leading))
    _gauge(registry, "emsp_publisher_head", "newest position of the log", lambda: state.head)
    _gauge(registry, "emsp_publisher_cursor", "last confirmed position", lambda: state.cursor)
    _gauge(registry, "emsp_publisher_lag_events", "events not yet confirmed", lambda: state.head - state.cursor)
    _gauge(registry, "emsp_publisher_failures", "times it had to begin again", lambda: state.failures)


def count_consumer(registry: CollectorRegistry, state: ConsumerState) -> None:
    """Numbers of a projector; `emsp_projector_lag_events` is the one that matters."""
    _gauge(registry, "emsp_projector_leading", "1 while this process draws the views", lambda: float(state.is_leading))
    _gauge(registry, "emsp_projector_checkpoint", "last position in the views", lambda: state.checkpoint)
    _gauge(
        registry,
        "emsp_projector_lag_events",
        "events not yet in the views",
        lambda: max(0, state.head - state.checkpoint),
    )
    _gauge(registry, "emsp_projector_events", "events applied by this process", lambda: state.events)
    _gauge(registry, "emsp_projector_pulled_events", "of these, pulled from the log", lambda: state.pulled)
    _gauge(registry, "emsp_projector_failures", "times it had to begin again", lambda: state.failures)
    _gauge(registry, "emsp_projector_parked_keys", "keys with dead letters", lambda: state.parked_keys)
    _gauge(registry, "emsp_projector_letters", "events that wait in dead letters", lambda: state.letters)


def count_writer(registry: CollectorRegistry, state: WriterState) -> None:
    """Numbers of the appends of this process; `emsp_append_failing` is the one that matters."""
    _gauge(registry, "emsp_append_commands", "commands that the event store took", lambda: state.commands)
    _gauge(registry, "emsp_append_failures", "times that it took none", lambda: state.failures)
    _gauge(registry, "emsp_append_failing", "1 while the last try failed", lambda: float(state.error is not None))


def count_outbox(registry: CollectorRegistry, state: OutboxState) -> None:
    """Numbers of the mails; `emsp_mail_failed` is the one that matters. Every sender tells the same of what waits."""
    _gauge(registry, "emsp_mail_waiting", "mails that wait to be sent, the failed ones too", lambda: state.waiting)
    _gauge(registry, "emsp_mail_failed", "of these, refused for good by the mail server", lambda: state.failed)
    _gauge(registry, "emsp_mail_oldest_seconds", "how long the oldest of them has waited", lambda: state.oldest_s)
    _gauge(registry, "emsp_mail_sent", "mails sent by this process", lambda: state.sent)
    _gauge(registry, "emsp_mail_postponed", "times it had to try again later", lambda: state.postponed)


def count_geocoding(registry: CollectorRegistry, state: GeocodingState) -> None:
    """Numbers of a geocoder that asks over the network; the gazetteer asks nobody."""
    _gauge(registry, "emsp_geocoder_calls", "calls to the geocoding service by this process", lambda: state.calls)
    _gauge(registry, "emsp_geocoder_failures", "of these, that brought no answer", lambda: state.failures)


def count_fragments(registry: CollectorRegistry, fragments: Fragments, answers: Answers) -> None:
    """Numbers of the cache of GraphQL fragments; hits / (hits + misses) is the share that it saves.

    answers: whole ones, which are no hits of fragments
    """
    _gauge(registry, "emsp_answer_hits", "root fields that were answered whole from the cache", lambda: answers.hits)
    _gauge(registry, "emsp_fragment_hits", "documents of answers that the cache had", lambda: fragments.hits)
    _gauge(registry, "emsp_fragment_misses", "documents that were cut anew", lambda: fragments.misses)
    _gauge(registry, "emsp_fragment_bytes", "memory that the cache takes", lambda: fragments.bytes)
    _gauge(registry, "emsp_fragment_entries", "fragments that it keeps", lambda: len(fragments))
