from __future__ import annotations

from collections import deque

import pytest
from emily_router.window import LEAST, Window
from hypothesis import given
from hypothesis import strategies as st

MOST = 2048
DEADLINE_S = 1.0


def served(rate: float, offered: float, seconds: float, *, adapts: bool) -> tuple[float, float]:
    """Answers in time and refusals a second, of a mind that works first in, first out, late or not."""
    window = Window(MOST)
    waiting: deque[float] = deque()
    owed: deque[float] = deque()
    in_time = refused = 0
    arrived = worked = 0.0
    for tick in range(int(seconds * 1000)):
        now = tick / 1000
        arrived += offered / 1000
        while arrived >= 1:
            arrived -= 1
            if len(owed) < (window.size if adapts else MOST):
                owed.append(now)
                waiting.append(now)
            else:
                refused += 1
        worked = min(worked + rate / 1000, max(1.0, float(len(waiting))))
        while worked >= 1 and waiting:
            worked -= 1
            accepted_at = waiting.popleft()
            if owed and owed[0] == accepted_at:
                elapsed = (now - accepted_at) / DEADLINE_S
                window.answered(elapsed, in_flight=len(owed), accepted_at=accepted_at, now=now)
                owed.popleft()
                in_time += 1
        while owed and now - owed[0] >= DEADLINE_S:
            window.answered(1.0, in_flight=len(owed), accepted_at=owed[0], now=now)
            owed.popleft()
    return in_time / seconds, refused / seconds


@pytest.mark.parametrize("offered", [700, 1200, 3000])
def test_a_mind_that_is_offered_too_much_answers_what_it_can_in_time(offered: float) -> None:
    in_time, refused = served(600, offered, 20, adapts=True)
    assert in_time > 0.85 * 600
    assert in_time + refused > 0.93 * offered, "what is not answered in time is refused at once"
    without, _ = served(600, offered, 20, adapts=False)
    assert without < in_time


def test_a_mind_that_keeps_up_is_offered_everything() -> None:
    in_time, refused = served(600, 500, 20, adapts=True)
    assert in_time == pytest.approx(500, rel=0.01)
    assert refused == 0


def test_it_grows_again_when_the_mind_is_faster() -> None:
    window = Window(MOST)
    window.answered(1.0, in_flight=100, accepted_at=0.0, now=1.0)
    assert window.size == pytest.approx(50)
    for _ in range(10_000):
        window.answered(0.1, in_flight=10, accepted_at=2.0, now=2.1)
    assert window.size == pytest.approx(1050)


def test_one_queue_that_was_too_long_is_cut_once() -> None:
    window = Window(MOST)
    for moment in range(100):
        window.answered(1.0, in_flight=400 - moment, accepted_at=0.0, now=1.0 + moment / 1000)
    assert window.size == pytest.approx(200)


def test_a_late_answer_among_few_says_nothing_of_the_size() -> None:
    window = Window(MOST)
    before = window.size
    window.answered(1.0, in_flight=LEAST, accepted_at=0.0, now=1.0)
    assert window.size == before
    window.answered(1.0, in_flight=LEAST + 1, accepted_at=0.0, now=1.0)
    assert window.size == LEAST


@given(
    st.lists(st.tuples(st.floats(0, 5), st.integers(0, 5000), st.floats(0, 10)), max_size=100),
    st.integers(1, 5000),
)
def test_it_is_never_closed_and_never_above_its_bound(
    answers: list[tuple[float, int, float]], most: int
) -> None:
    window = Window(most)
    for elapsed, in_flight, now in answers:
        window.answered(elapsed, in_flight=in_flight, accepted_at=now, now=now)
        assert min(LEAST, most) <= window.size <= most
