"""What the router counts."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_LATENCY_BUCKETS = (0.001, 0.0025, 0.005, 0.0075, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Metrics:
    """The router's own figures, registered once.

    Attributes:
        accepted: Stimuli that are owed an answer.
        answered: Answers given, by status.
        rejected: Stimuli that were refused, by reason.
        replayed: Remembered answers given again.
        repeated: Stimuli that came again while in flight.
        late: Decisions for nothing in flight.
        misrouted: Decisions by a colour that owes none; never given.
        forwarded_twice: Stimuli sent again after silence.
        untold: Exposures that nobody was told of, for want of room.
        in_flight: Answers owed now.
        admitted: Answers that may be owed at once now.
        latency: Seconds from acceptance to the answer.
        changes: Of the routing table, by what became of them.
        waited: Seconds that stimuli waited for a change of the table.
        table_version: Of the routing table that holds.
        lost_copies: That a shadow did not get, by colour.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, doc: str, *labels: str) -> Counter:
            return Counter(f"emily_router_{name}", doc, labels, registry=registry)

        self.accepted = counter("accepted", "Stimuli that are owed an answer.")
        self.answered = counter("answered", "Answers given.", "status")
        self.rejected = counter("rejected", "Stimuli that were refused.", "reason")
        self.replayed = counter("replayed", "Remembered answers given again.")
        self.repeated = counter("repeated", "Stimuli that came again while in flight.")
        self.late = counter("late", "Decisions for nothing in flight.")
        self.misrouted = counter("misrouted", "Decisions by a colour that owes none.")
        self.forwarded_twice = counter("forwarded_twice", "Stimuli sent again after silence.")
        self.untold = counter("untold_exposures", "Exposures that nobody was told of.")
        self.in_flight = Gauge("emily_router_in_flight", "Answers owed now.", registry=registry)
        self.admitted = Gauge(
            "emily_router_admitted", "Answers that may be owed at once now.", registry=registry
        )
        self.latency = Histogram(
            "emily_router_decision_seconds",
            "From acceptance to the answer.",
            buckets=_LATENCY_BUCKETS,
            registry=registry,
        )
        self.changes = counter("table_changes", "Changes of the routing table.", "result")
        self.lost_copies = counter("lost_copies", "Copies that a shadow did not get.", "colour")
        self.waited = Histogram(
            "emily_router_switch_seconds",
            "For how long stimuli waited for a change of the routing table.",
            buckets=_LATENCY_BUCKETS,
            registry=registry,
        )
        self.table_version = Gauge(
            "emily_router_table_version", "Of the routing table that holds.", registry=registry
        )
