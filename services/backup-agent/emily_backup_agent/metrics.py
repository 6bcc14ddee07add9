"""How old backups and their proofs are: a job that never had one is infinitely old, and so alerts too."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import get_args

from emily_contracts.backups import BackupStatus
from prometheus_client import Counter
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector, CollectorRegistry

from emily_backup_agent.standing import State


class Metrics(Collector):
    """Registered once.

    Args:
        registry: Of the service.
        status: How all jobs stand, asked at each scrape.

    Attributes:
        runs: Backups and drills that are over, by result.
    """

    def __init__(self, registry: CollectorRegistry, status: Callable[[], BackupStatus]) -> None:
        self._status = status
        self.runs = Counter(
            "emily_backup_agent_runs", "That are over", ["job", "what", "result"], registry=registry
        )
        registry.register(self)

    def describe(self) -> Iterable[Metric]:
        """Nothing beforehand: jobs are known at a scrape."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """All gauges now."""
        age = _gauge("age_seconds", "Of the newest complete backup; infinite when there is none")
        drill_age = _gauge(
            "drill_age_seconds", "Of the newest drill that proved it; infinite when there is none"
        )
        interval = _gauge("interval_seconds", "Between two backups")
        failures = _gauge("failures", "Attempts since the last complete one")
        size = _gauge("size_bytes", "Of the files in the newest complete one")
        state = GaugeMetricFamily(
            "emily_backup_agent_state", "1 for how the job stands", labels=["job", "state"]
        )
        for job in self._status().jobs:
            age.add_metric([job.job], math.inf if job.age_s is None else job.age_s)
            drill_age.add_metric([job.job], math.inf if job.drill_age_s is None else job.drill_age_s)
            interval.add_metric([job.job], job.every_s)
            failures.add_metric([job.job], job.failures)
            size.add_metric([job.job], 0 if job.success is None else job.success.size)
            for known in get_args(State.__value__):
                state.add_metric([job.job, known], known == job.state)
        return age, drill_age, interval, failures, size, state


def _gauge(name: str, what: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"emily_backup_agent_{name}", what, labels=["job"])
