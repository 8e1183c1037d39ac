"""Counters for Prometheus, read at the moment they are asked for: nobody keeps a second count.

Law: a reading is a function without side effects that takes no time; the registry belongs to the composition
root, which adds the readings of the other rooms.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from .desk import Desk

Value = float | Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Reading:
    """One metric. `label`: then `read` gives a value for each of its values."""

    name: str
    help: str
    read: Callable[[], Value]
    label: str | None = None
    counter: bool = True


class Readings(Collector):
    """See the module."""

    def __init__(self, readings: Sequence[Reading]) -> None:
        self._readings = tuple(readings)

    def collect(self) -> Iterable[Metric]:
        for reading in self._readings:
            family = CounterMetricFamily if reading.counter else GaugeMetricFamily
            labels = [reading.label] if reading.label else []
            metric = family(reading.name, reading.help, labels=labels)
            value = reading.read()
            if isinstance(value, Mapping):
                for name, each in sorted(value.items()):
                    metric.add_metric([name], each)
            else:
                metric.add_metric([], value)
            yield metric


def register(registry: CollectorRegistry, readings: Sequence[Reading]) -> None:
    """Have these read whenever `registry` is."""
    registry.register(Readings(readings))


def readings(desk: Desk) -> tuple[Reading, ...]:
    """The web's own."""
    return (
        Reading("loa_speakers", "Enrolled speakers", lambda: _speakers(desk), "state", counter=False),
        Reading("loa_broadcasts_on_air", "Broadcasts on air", lambda: len(desk.air.on_air()), counter=False),
        Reading(
            "loa_expires_seconds",
            "Until a grant or the certificate runs out",
            desk.expiry.seconds,
            "what",
            counter=False,
        ),
        Reading("loa_sessions", "Sessions in memory", lambda: len(desk.sessions), counter=False),
        Reading("loa_event_clients", "Pages that watch live events", lambda: len(desk.hub), counter=False),
        Reading("loa_events", "Live events made", lambda: desk.hub.published),
        Reading("loa_events_dropped", "Live events that pages were too slow for", lambda: desk.hub.dropped),
        Reading("loa_event_clients_refused", "Pages turned away", lambda: desk.hub.refused),
        Reading("loa_log_ins_refused", "Log-ins turned away for their rate", lambda: desk.log_ins.refused),
        Reading("loa_costly_refused", "Costly calls turned away for their rate", lambda: desk.costly.refused),
        Reading("loa_records_waiting", "Lines not yet written", lambda: desk.recorder.waiting, counter=False),
        Reading("loa_records_dropped", "Lines of the play log lost", lambda: desk.recorder.dropped),
        Reading("loa_records_refused", "Lines that could not be written", lambda: desk.recorder.refused),
        Reading("loa_record_retries", "Times the database was asked again", lambda: desk.recorder.retries),
        Reading("loa_web_restarts", "Parts of the web that failed and began again", lambda: desk.restarts),
    )


def _speakers(desk: Desk) -> Mapping[str, float]:
    roots = [place.id for place in desk.directory.places.values() if place.parent is None]
    count = desk.census.of(roots)
    return {"enrolled": count.speakers, "online": count.online, "faulty": count.faulty}
