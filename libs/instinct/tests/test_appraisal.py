from __future__ import annotations

import math

import pytest
from emily_instinct.allostasis import Body, levels, set_points
from emily_instinct.appraisal import Appraisal, feel
from emily_instinct.errors import InstinctError


def test_better_than_predicted_raises_dopamine_and_lowers_serotonin() -> None:
    rest = levels(Body())
    glad = levels(feel(Body(), 0.0, Appraisal(reward_prediction_error=1.0)))
    sorry = levels(feel(Body(), 0.0, Appraisal(reward_prediction_error=-1.0)))
    assert sorry.dopamine < rest.dopamine < glad.dopamine
    assert glad.serotonin < rest.serotonin < sorry.serotonin


def test_surprise_raises_norepinephrine_for_moments() -> None:
    surprised = feel(Body(), 0.0, Appraisal(surprise=1.0))
    later = feel(surprised, 60.0, Appraisal())
    expected = set_points(0.0).norepinephrine
    assert levels(surprised).norepinephrine == pytest.approx(expected + 0.4)
    assert levels(later).norepinephrine == pytest.approx(expected, abs=0.01)


def test_threat_holds_until_it_is_appraised_anew() -> None:
    threatened = feel(Body(), 0.0, Appraisal(threat=1.0))
    still = feel(threatened, 60.0, Appraisal(surprise=0.1))
    relieved = feel(feel(still, 60.0, Appraisal(threat=0.0)), 600.0, Appraisal())
    assert levels(still).cortisol > set_points(60.0).cortisol + 0.3
    assert levels(relieved).cortisol < set_points(600.0).cortisol
    assert still.drives.cortisol == 1.0
    assert relieved.drives.cortisol == 0.0


def test_company_raises_oxytocin() -> None:
    joined = feel(feel(Body(), 0.0, Appraisal(company=1.0)), 10.0, Appraisal())
    assert levels(joined).oxytocin > set_points(10.0).oxytocin


def test_event_that_comes_late_is_felt_at_the_time_of_the_body() -> None:
    body = feel(Body(), 10.0, Appraisal())
    late = feel(body, 5.0, Appraisal(surprise=0.5))
    assert late.at == 10.0
    assert late == feel(body, 10.0, Appraisal(surprise=0.5))


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"reward_prediction_error": math.inf}, "reward_prediction_error"),
        ({"surprise": 1.1}, "surprise"),
        ({"threat": -0.1}, "threat"),
        ({"company": math.nan}, "company"),
    ],
)
def test_number_out_of_range_is_refused(wrong: dict[str, float], field: str) -> None:
    with pytest.raises(InstinctError, match=field):
        Appraisal(**wrong)
