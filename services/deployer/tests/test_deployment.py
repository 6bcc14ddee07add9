"""How a deploy goes on, as a value."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from emily_contracts import uuid7
from emily_deployer.deployment import (
    BACKWARD,
    FINAL,
    FORWARD,
    WAITING,
    Deployment,
    State,
    Step,
    advanced,
    begun,
    paused,
    promoted,
    resumed,
    returning,
)
from emily_deployer.errors import NotNow
from emily_deployer.order import Order, Plan
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

START = datetime(2026, 1, 1, tzinfo=UTC)
LATER = START + timedelta(minutes=1)
PLAN = Plan(old="blue", old_version="v1", new="green", release="v2")
STEPS = st.lists(st.integers(1, 99), max_size=5, unique=True).map(
    lambda steps: tuple(map(float, sorted(steps)))
)
ORDERS = st.builds(
    Order, version=st.just("v2"), shadow=st.booleans(), steps=STEPS, window_s=st.sampled_from([0.0, 60.0])
)


def deployment(step: Step = Step.LOCK, order: Order | None = None) -> Deployment:
    return Deployment(
        id=uuid7(START),
        order=order or Order(version="v2"),
        by="ann",
        reason="",
        began_at=START,
        step_at=START,
        step=step,
        plan=None if step in {Step.LOCK, Step.PLAN} else PLAN,
    )


@given(ORDERS)
def test_every_order_ends_after_its_own_steps_in_their_order(order: Order) -> None:
    now, taken = deployment(order=order), []
    while now.ended_at is None:
        taken.append(now.step)
        now = advanced(begun(now), LATER)
        if now.step is Step.BUILD:
            now = replace(now, plan=PLAN)
    assert now.state is State.SUCCEEDED
    assert taken.count(Step.CANARY) == len(order.steps)
    assert (Step.SHADOW in taken) == order.shadow
    assert (Step.WINDOW in taken) == bool(order.window_s)
    assert [step for step in FORWARD if step in taken] == list(dict.fromkeys(taken))


@given(ORDERS, st.integers(0, 40))
def test_from_wherever_it_turns_back_it_ends_on_the_old_colour(order: Order, steps: int) -> None:
    now = deployment(order=order)
    for _ in range(steps):
        if now.ended_at is not None or now.step in FINAL:
            return
        now = advanced(begun(now), LATER)
        if now.step is Step.BUILD:
            now = replace(now, plan=PLAN)
    if now.step in FINAL or now.ended_at is not None:
        return
    now, taken = returning(now, LATER, "because"), []
    while now.ended_at is None:
        taken.append(now.step)
        now = advanced(begun(now), LATER, now.words)
    assert (now.state, now.words) == (State.ROLLED_BACK, "because")
    assert taken == (list(BACKWARD) if now.plan else [])


def test_without_a_plan_there_is_nothing_to_undo() -> None:
    over = returning(deployment(Step.PLAN), LATER, "no such version")
    assert (over.state, over.ended_at) == (State.ROLLED_BACK, LATER)


@pytest.mark.parametrize("step", sorted(FINAL, key=FORWARD.index))
def test_there_is_no_way_back_once_the_old_colour_is_gone(step: Step) -> None:
    with pytest.raises(NotNow, match="the rollback window is over"):
        returning(deployment(step), LATER, "")
    with pytest.raises(NotNow, match="is not held"):
        paused(deployment(step))


@pytest.mark.parametrize("step", FORWARD)
def test_only_what_waits_is_promoted(step: Step) -> None:
    if step in WAITING:
        assert promoted(deployment(step), LATER, "sure").words == "sure"
        assert promoted(paused(deployment(step)), LATER, "sure").state is State.RUNNING
    else:
        with pytest.raises(NotNow, match="waits for no verdict"):
            promoted(deployment(step), LATER, "sure")


def test_what_is_paused_goes_on_where_it_was() -> None:
    held = paused(begun(deployment(Step.CANARY)))
    assert (held.state, held.step) == (State.PAUSED, Step.CANARY)
    going = resumed(held, LATER)
    assert (going.state, going.step, going.step_at) == (State.RUNNING, Step.CANARY, LATER)
    with pytest.raises(NotNow, match="not paused"):
        resumed(going, LATER)
    assert returning(held, LATER, "enough").state is State.RETURNING


def test_what_is_over_stays_over() -> None:
    over = advanced(deployment(Step.RETIRE), LATER)
    with pytest.raises(NotNow, match="the deploy is over: succeeded"):
        returning(over, LATER, "")
    with pytest.raises(NotNow, match="the deploy is over: succeeded"):
        paused(over)
    with pytest.raises(NotNow, match="the deploy is over: succeeded"):
        promoted(over, LATER, "")


@pytest.mark.parametrize("steps", [(5.0, 5.0), (25.0, 5.0), (0.001,)])
def test_steps_must_rise(steps: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match=r"^steps: "):
        Order(version="v2", steps=steps)
