from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from emily_instinct.errors import InstinctError
from emily_instinct.prediction import ValueTable


def _episode(table: ValueTable, reward: float) -> tuple[ValueTable, list[float]]:
    errors = []
    for state in range(5):
        following = str(state + 1) if state < 4 else None
        table, error = table.learn(str(state), reward if state == 4 else 0.0, following)
        errors.append(error)
    return table, errors


def test_error_moves_from_the_reward_to_the_cue(dynamics: dict[str, Any]) -> None:
    golden = dynamics["td_rpe"]
    expected = {record["episode"]: record for record in golden["history"]}
    table = ValueTable(rate=golden["alpha"], discount=golden["gamma"])
    for episode in range(200):
        table, errors = _episode(table, 1.0)
        if episode in expected:
            values = [table.value(str(state)) for state in range(5)]
            np.testing.assert_allclose(errors, expected[episode]["delta"], atol=1e-12)
            np.testing.assert_allclose(values, expected[episode]["V"], atol=1e-12)
    omitted = _episode(table, 0.0)[1]
    np.testing.assert_allclose(omitted, golden["omission_delta_after_200"], atol=1e-12)


def test_state_learned_least_recently_is_forgotten_first() -> None:
    table = ValueTable(most=2)
    for state in "abac":
        table, _ = table.learn(state, 1.0, None)
    assert [state for state, _ in table.values] == ["a", "c"]
    assert table.value("b") == 0.0


@pytest.mark.parametrize(
    ("wrong", "field"),
    [({"rate": 0.0}, "rate"), ({"discount": 1.5}, "discount"), ({"most": 0}, "most")],
)
def test_number_out_of_range_is_refused(wrong: dict[str, Any], field: str) -> None:
    with pytest.raises(InstinctError, match=field):
        ValueTable(**wrong)


def test_reward_must_be_finite() -> None:
    with pytest.raises(InstinctError, match="reward"):
        ValueTable().learn("cue", math.inf, None)
