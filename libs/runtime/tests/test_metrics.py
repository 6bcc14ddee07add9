"""Metrics survive a mind that can't read its own state."""

from __future__ import annotations

from emily_runtime import Gauges
from emily_runtime.metrics import GaugeCollector
from prometheus_client import CollectorRegistry, Gauge, generate_latest

DECLARED = {"mind_levels": ("substance", "Levels"), "mind_subjects": ("sense", "Subjects")}


def test_only_what_was_declared_is_exposed_with_its_label() -> None:
    registry = CollectorRegistry()
    registry.register(
        GaugeCollector(DECLARED, lambda: {"mind_levels": {"dopamine": 0.5}, "unheard": {"of": 1}})
    )
    assert registry.get_sample_value("mind_levels", {"substance": "dopamine"}) == 0.5
    assert b"unheard" not in generate_latest(registry)


def test_gauges_that_fail_leave_the_others_alone() -> None:
    def observe() -> Gauges:
        raise ZeroDivisionError

    registry = CollectorRegistry()
    registry.register(GaugeCollector(DECLARED, observe))
    Gauge("steps", "Steps", registry=registry).set(3)
    exposed = generate_latest(registry)
    assert b"steps 3.0" in exposed
    assert b"mind_levels" not in exposed
