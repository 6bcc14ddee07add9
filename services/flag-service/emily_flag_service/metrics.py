"""What the flag-service counts."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge


class Metrics:
    """Registered once.

    Attributes:
        evaluations: Over HTTP, by reason or error.
        changes: Of flags, by what was done.
        refused: Changes that were not made, by reason.
        revision: Of the flags.
        flags: How many there are.
        expired: Flags that should be gone by now.
        published: Snapshots that were pushed.
        uncounted: Messages about subjects of experiments that had no room.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, doc: str, *labels: str) -> Counter:
            return Counter(f"emily_flag_service_{name}", doc, labels, registry=registry)

        def gauge(name: str, doc: str) -> Gauge:
            return Gauge(f"emily_flag_service_{name}", doc, registry=registry)

        self.evaluations = counter("evaluations", "Evaluations over HTTP.", "result")
        self.changes = counter("changes", "Changes of flags.", "action")
        self.refused = counter("refused", "Changes that were not made.", "reason")
        self.published = counter("published", "Snapshots that were pushed.")
        self.uncounted = gauge("uncounted", "Messages about subjects of experiments that had no room.")
        self.revision = gauge("revision", "Of the flags.")
        self.flags = gauge("flags", "How many there are.")
        self.expired = gauge("expired", "Flags that should be gone by now.")
