"""What the deployer counts."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge

from emily_deployer.deployment import Deployment, Step


class Metrics:
    """Registered once."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._ended = Counter(
            "emily_deployer_deploys", "Deploys that are over.", ["state"], registry=registry
        )
        self._under_way = Gauge("emily_deployer_under_way", "Deploys that are under way.", registry=registry)
        self._weight = Gauge(
            "emily_deployer_canary_basis_points", "Subjects that a canary answers.", registry=registry
        )

    def note(self, deployment: Deployment) -> None:
        """Take in how a deploy is now."""
        self._under_way.set(deployment.ended_at is None)
        self._weight.set(deployment.weight if deployment.step is Step.CANARY else 0)
        if deployment.ended_at is not None:
            self._ended.labels(deployment.state.value).inc()
