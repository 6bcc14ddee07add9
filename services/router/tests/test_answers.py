from __future__ import annotations

import msgspec
import pytest
from emily_contracts.decision import Act, Status
from emily_router.answers import degraded, failed
from emily_router.testing import percept_of, stimulus


@pytest.mark.parametrize(
    ("reflex", "label", "act"),
    [
        ("alert", "seven", Act(kind="alert")),
        (None, "seven", Act(kind="report", label="seven")),
        (None, None, Act(kind="none")),
    ],
)
def test_tier_one_stands_in_with_its_reflex_before_its_label(
    reflex: str | None, label: str | None, act: Act
) -> None:
    percept = msgspec.structs.replace(percept_of(stimulus()), reflex=reflex, label=label)
    assert degraded(percept, "late").act == act


def test_answers_of_the_router_have_the_same_id_each_time() -> None:
    item = stimulus()
    assert failed(item, "why") == failed(item, "why")
    assert failed(item, "why").id != degraded(percept_of(item), "why").id
    assert (failed(item, "why").status, failed(item, "why").stimulus_id) == (Status.FAILED, item.id)
