"""What the zfs-agent counts, and the ages of what it keeps."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, Counter
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from emily_zfs_agent.board import Board
from emily_zfs_agent.pools import HEALTHY

_PREFIX = "emily_zfs_agent_"


class Metrics:
    """Registered once.

    Attributes:
        taken: Snapshots, by why.
        destroyed: Snapshots that are really gone.
        thinned: Snapshots that are really gone from a target.
        failures: By what was to be done.
    """

    def __init__(self, registry: CollectorRegistry, board: Board) -> None:
        def counter(name: str, doc: str, *labels: str) -> Counter:
            return Counter(_PREFIX + name, doc, labels, registry=registry)

        self.taken = counter("taken", "Snapshots taken.", "why")
        self.destroyed = counter("destroyed", "Snapshots destroyed and seen to be gone.")
        self.thinned = counter("thinned", "Destroyed on a target.", "dataset", "target")
        self.failures = counter("failures", "What was due and not done.", "what")
        for why in ("policy", "request"):
            self.taken.labels(why)
        for what in ("look", "take", "destroy", "scrub", "request", "replicate", "reload"):
            self.failures.labels(what)
        registry.register(Ages(board, lambda: datetime.now(UTC)))


class Ages(Collector):
    """Gauges of the board, with ages as of the moment when they are read.

    An age that is not known is +Inf, so that an alert on old ones fires for those that never were.
    """

    def __init__(self, board: Board, clock: Callable[[], datetime]) -> None:
        self._board = board
        self._clock = clock

    def describe(self) -> Iterator[Metric]:
        """None in advance: which datasets there are is not known."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """All gauges now."""
        now = self._clock()
        age = _gauge("snapshot_age_seconds", "Of the newest snapshot by Emily; +Inf when none is.", "dataset")
        count = _gauge("snapshots", "By Emily.", "dataset")
        problem = _gauge("problem", "1 when not all that was due was done.", "dataset")
        for each in self._board.protected:
            age.add_metric([each.dataset], _age(each.newest, now))
            count.add_metric([each.dataset], each.snapshots)
            problem.add_metric([each.dataset], bool(each.problem))
        yield from (age, count, problem)
        replica = _gauge(
            "replication_age_seconds", "Of the newest snapshot that arrived; +Inf: none.", "dataset", "target"
        )
        failing = _gauge("replication_problem", "1 when not all that was due was sent.", "dataset", "target")
        for sent in self._board.replications:
            replica.add_metric([sent.dataset, sent.target], _age(sent.progress.at, now))
            failing.add_metric([sent.dataset, sent.target], bool(sent.problem))
        yield from (replica, failing)
        healthy = _gauge("pool_healthy", "1 when ZFS calls it ONLINE.", "pool")
        used = _gauge("pool_used_ratio", "Share that is allocated.", "pool")
        scrubbed = _gauge("scrub_age_seconds", "Since the last whole scrub; +Inf when none is known.", "pool")
        errors = _gauge("pool_errors", "Of devices by kind, and of data that is lost.", "pool", "kind")
        for pool in self._board.pools:
            healthy.add_metric([pool.name], pool.health == HEALTHY)
            used.add_metric([pool.name], pool.used)
            scrubbed.add_metric([pool.name], _age(pool.scrubbed, now))
            for kind, number in pool.errors.items():
                errors.add_metric([pool.name, kind], number)
        yield from (healthy, used, scrubbed, errors)
        looked = _gauge(
            "look_age_seconds", "Since everything was last looked at; +Inf before the first look."
        )
        looked.add_metric([], _age(self._board.looked_at, now))
        refused = _gauge(
            "desired_state_refused", "1 when what is wished for now is wrong, and so not in force."
        )
        refused.add_metric([], bool(self._board.refused))
        yield from (looked, refused)


def _gauge(name: str, doc: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(_PREFIX + name, doc, labels=labels)


def _age(moment: datetime | None, now: datetime) -> float:
    return math.inf if moment is None else (now - moment).total_seconds()
