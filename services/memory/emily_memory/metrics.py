"""What memory counts."""

from __future__ import annotations

from typing import Self

from emily_contracts.curation import Erasure
from emily_contracts.upkeeping import Consolidation, Tidying
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_BUCKETS = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 1.0)

COUNTED: dict[type[Tidying | Consolidation | Erasure], tuple[str, ...]] = {
    Tidying: ("expired", "displaced", "outdated", "purged", "versions"),
    Consolidation: ("merged", "summed_up", "summaries"),
    Erasure: ("memories", "derived", "vectors"),
}
"""What is counted of that which was done, by its fields."""


class Metrics:
    """Counters and gauges of one memory."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.stored = Counter("emily_memory_stored", "Episodes acknowledged", ["what"], registry=registry)
        self.rejected = Counter("emily_memory_rejected", "Episodes refused", ["reason"], registry=registry)
        self.caught_up = Counter(
            "emily_memory_caught_up", "Experiences that were missed and asked for later", registry=registry
        )
        self.recall_seconds = Histogram(
            "emily_memory_recall_seconds", "Time of a recall", ["path"], buckets=_BUCKETS, registry=registry
        )
        self.deaf = Counter("emily_memory_deaf", "Recalls without an embedder", registry=registry)
        self.hot = Gauge(
            "emily_memory_hot", "Vectors that are not in the index yet", ["space"], registry=registry
        )
        self.unembedded = Gauge(
            "emily_memory_unembedded", "Episodes that wait for a vector", ["space"], registry=registry
        )
        self.waiting = Gauge("emily_memory_waiting", "Episodes that wait to be written", registry=registry)
        self.probed_recall = Gauge(
            "emily_memory_probed_recall",
            "Share of the exact answers that recalls found, over the last probes",
            registry=registry,
        )
        self.pool = Gauge(
            "emily_memory_pool",
            "Connections in use and requests that wait",
            ["pool", "what"],
            registry=registry,
        )

        self._did = {
            Tidying: Counter(
                "emily_memory_forgotten", "Memories archived or deleted in time", ["what"], registry=registry
            ),
            Consolidation: Counter(
                "emily_memory_consolidated", "Memories merged and summed up", ["what"], registry=registry
            ),
            Erasure: Counter("emily_memory_erased", "Erased of actors", ["what"], registry=registry),
        }
        for kind, whats in COUNTED.items():
            for what in whats:
                self._did[kind].labels(what)

    def did(self, done: Tidying | Consolidation | Erasure) -> None:
        """Count what was done; a dry run did nothing."""
        if not done.dry_run:
            for what in COUNTED[type(done)]:
                self._did[type(done)].labels(what).inc(getattr(done, what))

    @classmethod
    def unseen(cls) -> Self:
        """That nobody scrapes."""
        return cls(CollectorRegistry())
