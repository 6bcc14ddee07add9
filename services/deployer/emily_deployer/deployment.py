"""A deploy as a value, and how it goes on: pure, so that a killed deployer is taken up by the next."""

from __future__ import annotations

import enum
from datetime import datetime
from uuid import UUID

import msgspec

from emily_deployer.errors import NotNow
from emily_deployer.order import Order, Plan


class Step(enum.Enum):
    """What is done next; each may be done twice."""

    LOCK = "lock"
    PLAN = "plan"
    BUILD = "build"
    EXPAND = "expand"
    START = "start"
    READY = "ready"
    SMOKE = "smoke"
    SHADOW = "shadow"
    CANARY = "canary"
    SWITCH = "switch"
    WINDOW = "window"
    CONTRACT = "contract"
    RETIRE = "retire"
    RETURN = "return"
    """Traffic goes back to the old colour."""
    CLEAR = "clear"
    """The new colour is stopped."""


class State(enum.Enum):
    """How a deploy is."""

    RUNNING = "running"
    PAUSED = "paused"
    RETURNING = "returning"
    SUCCEEDED = "succeeded"
    ROLLED_BACK = "rolled back"


FORWARD = (
    Step.LOCK,
    Step.PLAN,
    Step.BUILD,
    Step.EXPAND,
    Step.START,
    Step.READY,
    Step.SMOKE,
    Step.SHADOW,
    Step.CANARY,
    Step.SWITCH,
    Step.WINDOW,
    Step.CONTRACT,
    Step.RETIRE,
)
BACKWARD = (Step.RETURN, Step.CLEAR)
WAITING = frozenset({Step.SHADOW, Step.CANARY, Step.WINDOW})
"""Where time passes, and a person may decide."""
FINAL = frozenset({Step.CONTRACT, Step.RETIRE})
"""From here on the old colour can't take the traffic back."""


class Deployment(msgspec.Struct, frozen=True, kw_only=True):
    """One deploy.

    Attributes:
        by, reason: Who ordered it, and why.
        plan: None until it is made.
        step: That is next, or under way.
        under_way: Whether the step was begun.
        step_at: When the step became the next.
        canary: Which of the canary's weights is meant.
        words: What was last found out, for a person.
        ended_at: None until it is over.
    """

    id: UUID
    order: Order
    by: str
    reason: str
    began_at: datetime
    step_at: datetime
    plan: Plan | None = None
    step: Step = Step.LOCK
    under_way: bool = False
    canary: int = 0
    state: State = State.RUNNING
    words: str = ""
    ended_at: datetime | None = None

    @property
    def settled(self) -> Plan:
        """The plan of a deploy that has one.

        Raises:
            NotNow: It has none yet.
        """
        if self.plan is None:
            raise NotNow("the deploy has no plan yet")
        return self.plan

    @property
    def weight(self) -> int:
        """Of the canary at this step, in basis points."""
        return self.order.weights[self.canary]


def begun(deployment: Deployment) -> Deployment:
    """Its step is under way."""
    return msgspec.structs.replace(deployment, under_way=True)


def advanced(deployment: Deployment, now: datetime, words: str = "") -> Deployment:
    """Its step is done: the next is due, or it is over."""
    if deployment.step is Step.CANARY and deployment.canary + 1 < len(deployment.order.weights):
        return msgspec.structs.replace(
            deployment, canary=deployment.canary + 1, under_way=False, step_at=now, words=words
        )
    way = BACKWARD if deployment.state is State.RETURNING else FORWARD
    left = way[way.index(deployment.step) + 1 :]
    following = next((step for step in left if not _skipped(step, deployment.order)), None)
    if following is None:
        return _ended(deployment, now, words)
    return msgspec.structs.replace(deployment, step=following, under_way=False, step_at=now, words=words)


def returning(deployment: Deployment, now: datetime, why: str) -> Deployment:
    """It goes back: at once over, when nothing was started yet.

    Raises:
        NotNow: It is over, or the old colour is gone.
    """
    _require_under_way(deployment)
    if deployment.step in FINAL:
        raise NotNow(
            "the rollback window is over and the old colour is gone; deploy the version before as a new one"
        )
    if deployment.state is State.RETURNING:
        return deployment
    back = msgspec.structs.replace(
        deployment, state=State.RETURNING, step=Step.RETURN, under_way=False, step_at=now, words=why
    )
    return _ended(back, now, why) if deployment.plan is None else back


def paused(deployment: Deployment) -> Deployment:
    """It stays where it is until it is resumed.

    Raises:
        NotNow: It is over, goes back, or can't be held any more.
    """
    _require_under_way(deployment)
    if deployment.state is State.RETURNING or deployment.step in FINAL:
        raise NotNow(f"a deploy at the step {deployment.step.value} is not held; wait for its end")
    return msgspec.structs.replace(deployment, state=State.PAUSED)


def resumed(deployment: Deployment, now: datetime) -> Deployment:
    """It goes on; a window begins anew.

    Raises:
        NotNow: It was not paused.
    """
    if deployment.state is not State.PAUSED:
        raise NotNow(f"the deploy is {deployment.state.value}, not paused")
    return msgspec.structs.replace(deployment, state=State.RUNNING, under_way=False, step_at=now)


def promoted(deployment: Deployment, now: datetime, words: str) -> Deployment:
    """What it waits for is taken as given.

    Raises:
        NotNow: It does not wait.
    """
    _require_under_way(deployment)
    if deployment.state is State.RETURNING or deployment.step not in WAITING:
        raise NotNow(f"the deploy is at the step {deployment.step.value}, which waits for no verdict")
    going = msgspec.structs.replace(deployment, state=State.RUNNING)
    return advanced(going, now, words)


def _skipped(step: Step, order: Order) -> bool:
    return (
        (step is Step.SHADOW and not order.shadow)
        or (step is Step.CANARY and not order.weights)
        or (step is Step.WINDOW and not order.window_s)
    )


def _ended(deployment: Deployment, now: datetime, words: str) -> Deployment:
    state = State.ROLLED_BACK if deployment.state is State.RETURNING else State.SUCCEEDED
    return msgspec.structs.replace(
        deployment, state=state, under_way=False, step_at=now, ended_at=now, words=words
    )


def _require_under_way(deployment: Deployment) -> None:
    if deployment.ended_at is not None:
        raise NotNow(f"the deploy is over: {deployment.state.value}")
