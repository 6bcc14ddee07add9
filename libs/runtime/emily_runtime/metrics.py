"""The metrics that every service has."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping

from emily_contracts.topic import AnyTopic
from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector, CollectorRegistry

from emily_runtime.life import Life
from emily_runtime.logs import get_logger
from emily_runtime.mind import Gauges

STEP_BUCKETS = (
    *(5e-5, 1e-4, 1.5e-4, 2e-4, 3e-4, 5e-4, 7e-4),
    *(1e-3, 1.5e-3, 2e-3, 3e-3, 5e-3, 7e-3, 1e-2, 2e-2, 5e-2, 0.1),
)
AGE_BUCKETS = (1e-3, 2e-3, 3e-3, 5e-3, 7e-3, 1e-2, 1.5e-2, 2e-2, 5e-2, 0.1, 0.5, 1.0, 5.0)

_log = get_logger(__name__)


class TopicMetrics:
    """What became of the events of one topic."""

    def __init__(self, topic: AnyTopic, events: Counter) -> None:
        self.handled = events.labels(topic.template, "handled")
        self.refused = events.labels(topic.template, "refused")
        self.failed = events.labels(topic.template, "failed")


class StepMetrics:
    """What a mind's loop counts.

    Attributes:
        topics: By topic.
        step_seconds: Of `step` alone.
        age_seconds: From an event's own time to the end of its handling.
        asked: Questions to other services by result.
        ask_seconds: That events waited for an answer.
    """

    def __init__(self, registry: CollectorRegistry, topics: Iterable[AnyTopic]) -> None:
        events = Counter("emily_events", "Events by topic and result", ["topic", "result"], registry=registry)
        self.topics = {topic: TopicMetrics(topic, events) for topic in topics}
        self.step_seconds = Histogram(
            "emily_step_seconds", "Duration of a step", buckets=STEP_BUCKETS, registry=registry
        )
        self.age_seconds = Histogram(
            "emily_event_age_seconds",
            "Age of an event when it is done",
            buckets=AGE_BUCKETS,
            registry=registry,
        )
        self.asked = Counter(
            "emily_questions", "Questions to other services by result", ["result"], registry=registry
        )
        self.ask_seconds = Histogram(
            "emily_question_seconds", "Duration of a question", buckets=AGE_BUCKETS, registry=registry
        )


class CheckpointMetrics:
    """What is known of a mind's checkpoint; its age is the time since it last held the newest state."""

    def __init__(self, registry: CollectorRegistry, *, is_cold: Callable[[], bool]) -> None:
        self._current = time.monotonic()
        self._bytes = Gauge("emily_checkpoint_bytes", "Size of the newest checkpoint", registry=registry)
        self._seconds = Gauge(
            "emily_checkpoint_seconds", "Duration of the newest checkpoint", registry=registry
        )
        self.failures = Counter(
            "emily_checkpoint_failures", "Checkpoints that could not be written", registry=registry
        )
        age = Gauge("emily_checkpoint_age_seconds", "Since it held the newest state", registry=registry)
        age.set_function(lambda: time.monotonic() - self._current)
        cold = Gauge(
            "emily_cold_start", "1 when what was remembered could not be gone on from", registry=registry
        )
        cold.set_function(lambda: float(is_cold()))

    def written(self, size: int, seconds: float) -> None:
        """A checkpoint was written, of the state that was newest when the writing began."""
        self._bytes.set(size)
        self._seconds.set(seconds)
        self._current = time.monotonic() - seconds

    def current(self) -> None:
        """The checkpoint holds the newest state."""
        self._current = time.monotonic()


class AdoptionMetrics:
    """What became of the states that a mind was given.

    Attributes:
        results: Adoptions by result: whole, part, cold or refused.
        seconds: From the request until the state is on disk.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.results = Counter(
            "emily_adoptions", "States that were given, by result", ["result"], registry=registry
        )
        self.seconds = Histogram(
            "emily_adoption_seconds", "Duration of an adoption", buckets=AGE_BUCKETS, registry=registry
        )


class LifeCollector(Collector):
    """Readiness, build and bus counters, read when metrics are scraped."""

    def __init__(self, life: Life) -> None:
        self._life = life

    def collect(self) -> Iterable[Metric]:
        """Every metric family of the service's life."""
        life = self._life
        build = GaugeMetricFamily("emily_build_info", "What runs", labels=["service", "version"])
        build.add_metric([life.name, life.version], 1)
        ready = GaugeMetricFamily("emily_ready", "Conditions of readiness", labels=["condition"])
        for condition, met in life.conditions().items():
            ready.add_metric([condition], float(met))
        totals = [subscription.statistics() for subscription in life.subscriptions]
        results = CounterMetricFamily(
            "emily_bus_messages", "Messages by what became of them", labels=["result"]
        )
        for result in ("received", "dropped", "rejected", "undecodable", "lost", "repeated"):
            results.add_metric([result], sum(getattr(total, result) for total in totals))
        depth = GaugeMetricFamily("emily_bus_buffer_depth", "Messages that wait")
        depth.add_metric([], sum(total.depth for total in totals))
        return [build, ready, results, depth]


class GaugeCollector(Collector):
    """Gauges that a mind reads off its state when metrics are scraped."""

    def __init__(self, declared: Mapping[str, tuple[str, str]], observe: Callable[[], Gauges]) -> None:
        self._declared = declared
        self._observe = observe

    def collect(self) -> Iterable[Metric]:
        """One family for each declared gauge; none when the mind can't observe itself."""
        try:
            observed = self._observe()
        except Exception as failure:
            _log.error("observe failed; its gauges are left out", exc_info=failure)
            return
        for name, (label, documentation) in self._declared.items():
            family = GaugeMetricFamily(name, documentation, labels=[label])
            for value, reading in observed.get(name, {}).items():
                family.add_metric([value], reading)
            yield family
