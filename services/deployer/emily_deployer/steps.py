"""What is done in each step; each may be done again after a kill in its middle."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

import anyio
from emily_contracts.routing import Traffic

from emily_deployer.deployment import Deployment, Step
from emily_deployer.drivers.driver import Driver, Hear
from emily_deployer.errors import StepFailed
from emily_deployer.judging import Action, Evidence, Verdict, judge, judge_shadow, settled
from emily_deployer.order import Plan
from emily_deployer.planning import planned
from emily_deployer.traffic import Roles, Switchboard, status_of

POLL_S = 0.1
GRACE_S = 2.0
"""How long a tier of the new colour may be down before that is a failure."""
DRAIN_S = 10.0
RETURN_PAUSE_S = (0.1, 5.0)

type Smoke = Callable[[str], Awaitable[str]]
"""Tests a colour that gets no traffic; gives what it found, or raises `StepFailed`."""
type Watch = Callable[[dict[str, Evidence]], AbstractAsyncContextManager[None]]
"""Collects what is seen of colours, by their names, for the length of the block."""


class Held(Exception):
    """A person has to decide; the message says what is known."""


class Deadlines(NamedTuple):
    """How long steps may take, in seconds."""

    build: float = 1800.0
    migrate: float = 3600.0
    start: float = 120.0
    ready: float = 60.0
    smoke: float = 30.0
    stop: float = 60.0


class Done(NamedTuple):
    """What a step gave.

    Attributes:
        plan: That it made.
    """

    words: str = ""
    plan: Plan | None = None


class Steps:
    """Does steps.

    Args:
        driver: Runs colours.
        switchboard: Directs the traffic.
        smoke: Tests a colour.
        watch: Looks at what colours answer.
        colours: The two between which deploys go.
        deadlines: Of the steps.
    """

    def __init__(
        self,
        *,
        driver: Driver,
        switchboard: Switchboard,
        smoke: Smoke,
        watch: Watch,
        colours: tuple[str, str],
        deadlines: Deadlines = Deadlines(),  # noqa: B008
    ) -> None:
        self._driver = driver
        self._switchboard = switchboard
        self._smoke = smoke
        self._watch = watch
        self._colours = colours
        self._deadlines = deadlines
        self._seen: tuple[UUID, Evidence, Evidence] | None = None
        self._does: dict[Step, Callable[[Deployment, Hear], Awaitable[Done]]] = {
            Step.LOCK: self._lock,
            Step.PLAN: self._plan,
            Step.BUILD: self._build,
            Step.EXPAND: self._expand,
            Step.START: self._start,
            Step.READY: self._ready,
            Step.SMOKE: self._smoke_test,
            Step.SHADOW: self._shadow,
            Step.CANARY: self._canary,
            Step.SWITCH: self._switch,
            Step.WINDOW: self._window,
            Step.CONTRACT: self._contract,
            Step.RETIRE: self._retire,
            Step.RETURN: self._return,
            Step.CLEAR: self._clear,
        }

    async def perform(self, deployment: Deployment, hear: Hear) -> Done:
        """Do the deploy's step.

        Raises:
            StepFailed: It can't be done.
            BadOrder: The order makes no sense here.
            Held: Nothing is certain, and a person is to decide.
        """
        return await self._does[deployment.step](deployment, hear)

    async def _lock(self, deployment: Deployment, hear: Hear) -> Done:
        return Done(f"{deployment.by} deploys {deployment.order.version}")

    async def _plan(self, deployment: Deployment, hear: Hear) -> Done:
        plan = await planned(deployment.order, self._driver, self._switchboard, self._colours)
        return Done(f"{plan.new} is to run {plan.release}, {plan.old} answers", plan)

    async def _build(self, deployment: Deployment, hear: Hear) -> Done:
        release = deployment.settled.release
        await _within(self._deadlines.build, "build", self._driver.build(release))
        return Done(f"{release} is here")

    async def _expand(self, deployment: Deployment, hear: Hear) -> Done:
        release = deployment.settled.release
        await _within(self._deadlines.migrate, "expand migration", self._driver.expand(release))
        return Done("both versions can use the schemas")

    async def _start(self, deployment: Deployment, hear: Hear) -> Done:
        plan = deployment.settled
        await _within(
            self._deadlines.start, f"start of {plan.new}", self._driver.start(plan.new, plan.release)
        )
        return Done(f"{plan.new} starts")

    async def _ready(self, deployment: Deployment, hear: Hear) -> Done:
        plan = deployment.settled
        lacking = ""

        def note(words: str) -> None:
            nonlocal lacking
            lacking = f": {words}"
            hear(words)

        try:
            with anyio.fail_after(self._deadlines.ready):
                await self._driver.ready(plan.new, note)
        except TimeoutError:
            raise StepFailed(f"{plan.new} is not ready in {self._deadlines.ready:g} s{lacking}") from None
        return Done(f"{plan.new} is ready")

    async def _smoke_test(self, deployment: Deployment, hear: Hear) -> Done:
        colour = deployment.settled.new
        found: list[str] = []

        async def test() -> None:
            found.append(await self._smoke(colour))

        await _within(self._deadlines.smoke, f"smoke tests of {colour}", test())
        return Done(found[0])

    async def _shadow(self, deployment: Deployment, hear: Hear) -> Done:
        plan, order = deployment.settled, deployment.order
        await self._switchboard.direct(Roles(plan.old, shadow=plan.new), "shadow")
        first = status_of(await self._switchboard.now(), plan.new)
        before = (first.compared, first.agreed) if first else (0, 0)
        compared = 0

        def verdict(traffic: Traffic) -> tuple[Verdict, int]:
            nonlocal compared
            status = status_of(traffic, plan.new)
            compared = status.compared - before[0] if status else 0
            agreed = status.agreed - before[1] if status else 0
            return judge_shadow(compared, agreed, order.criteria, names=(plan.new, plan.old)), compared

        return Done(await self._until_decided(deployment, verdict, hear))

    async def _canary(self, deployment: Deployment, hear: Hear) -> Done:
        plan, order = deployment.settled, deployment.order
        await self._switchboard.direct(
            Roles(plan.old, canary=plan.new, weight=deployment.weight),
            f"canary of {deployment.weight / 100:g} %",
        )
        new, old = self._evidence(deployment)
        before = new.stimuli

        def verdict(_: Traffic) -> tuple[Verdict, int]:
            return judge(new, old, order.criteria, names=(plan.new, plan.old)), new.stimuli - before

        async with self._watch({plan.new: new, plan.old: old}):
            return Done(await self._until_decided(deployment, verdict, hear))

    async def _switch(self, deployment: Deployment, hear: Hear) -> Done:
        plan = deployment.settled
        await self._switchboard.direct(Roles(plan.new), f"deploy of {plan.release}")
        return Done(f"{plan.new} answers")

    async def _window(self, deployment: Deployment, hear: Hear) -> Done:
        """What was seen of the old colour stays what the new one is compared with."""
        plan, order = deployment.settled, deployment.order
        new, old = self._evidence(deployment)
        down = _Down(plan.new)
        async with self._watch({plan.new: new}):
            while (left := order.window_s - _since(deployment.step_at)) > 0:
                await self._require_up(down)
                verdict = judge(new, old, order.criteria, names=(plan.new, plan.old))
                if verdict.action is Action.ROLL_BACK:
                    raise StepFailed(verdict.reason)
                hear(f"{plan.old} can take all back for {left:.0f} s more")
                await anyio.sleep(min(left, POLL_S))
        return Done("the rollback window is over")

    async def _contract(self, deployment: Deployment, hear: Hear) -> Done:
        """The old colour goes first: a contraction is refused while an older version lives."""
        plan = deployment.settled
        await self._drained(plan.old)
        await _within(self._deadlines.stop, f"stop of {plan.old}", self._driver.stop(plan.old))
        await _within(self._deadlines.migrate, "contract migration", self._driver.contract(plan.release))
        return Done(f"{plan.old} is stopped")

    async def _retire(self, deployment: Deployment, hear: Hear) -> Done:
        plan = deployment.settled
        await _within(self._deadlines.stop, f"stop of {plan.old}", self._driver.stop(plan.old))
        await _within(self._deadlines.stop, f"retirement of {plan.old}", self._driver.retire(plan.old))
        return Done(f"{plan.new} runs {plan.release}")

    async def _return(self, deployment: Deployment, hear: Hear) -> Done:
        """Tried until it works: without what the new mind knows when that can't be had."""
        plan, why = deployment.settled, deployment.words
        pause, longest = RETURN_PAUSE_S
        while True:
            for handover in ("state", "none"):
                try:
                    await self._switchboard.direct(Roles(plan.old), f"rollback: {why}", handover=handover)
                except StepFailed as failure:
                    hear(f"{why}; the way back is not free yet: {failure}")
                else:
                    return Done(why)
            await anyio.sleep(pause)
            pause = min(2 * pause, longest)

    async def _clear(self, deployment: Deployment, hear: Hear) -> Done:
        colour, why = deployment.settled.new, deployment.words
        await self._drained(colour)
        await _within(self._deadlines.stop, f"stop of {colour}", self._driver.stop(colour))
        await _within(self._deadlines.stop, f"retirement of {colour}", self._driver.retire(colour))
        return Done(why)

    def _evidence(self, deployment: Deployment) -> tuple[Evidence, Evidence]:
        """Of the new and the old colour: one comparison over all weights, looked at all the time."""
        if self._seen is None or self._seen[0] != deployment.id:
            criteria = deployment.order.criteria
            self._seen = deployment.id, Evidence(criteria), Evidence(criteria)
        return self._seen[1:]

    async def _until_decided(
        self, deployment: Deployment, look: Callable[[Traffic], tuple[Verdict, int]], hear: Hear
    ) -> str:
        started, patience = time.monotonic(), deployment.order.patience
        down = _Down(deployment.settled.new)
        while True:
            verdict, stimuli = look(await self._require_up(down))
            elapsed_s = time.monotonic() - started
            final = settled(verdict, patience, stimuli=stimuli, elapsed_s=elapsed_s)
            if final is None:
                raise Held(verdict.reason)
            if final.action is Action.ROLL_BACK:
                raise StepFailed(final.reason)
            if final.action is Action.PROMOTE and elapsed_s >= patience.least_s:
                return final.reason
            hear(final.reason)
            await anyio.sleep(POLL_S)

    async def _require_up(self, down: _Down) -> Traffic:
        traffic = await self._switchboard.now()
        down.look(traffic)
        return traffic

    async def _drained(self, colour: str) -> None:
        """Wait until a colour owes no answer, though not for ever: the router answers what is late."""
        with anyio.move_on_after(DRAIN_S):
            while True:
                status = status_of(await self._switchboard.now(), colour)
                if status is None or not status.in_flight:
                    return
                await anyio.sleep(POLL_S)


class _Down:
    """Notes how long tiers of a colour are down."""

    def __init__(self, colour: str) -> None:
        self._colour = colour
        self._since: float | None = None

    def look(self, traffic: Traffic) -> None:
        """Raise `StepFailed` when they are down for too long."""
        status = status_of(traffic, self._colour)
        absent = status.absent if status else ()
        if not absent:
            self._since = None
            return
        now = time.monotonic()
        self._since = now if self._since is None else self._since
        if now - self._since >= GRACE_S:
            raise StepFailed(f"{self._colour}: {', '.join(absent)} down for {now - self._since:.1f} s")


def _since(moment: datetime) -> float:
    return (datetime.now(UTC) - moment).total_seconds()


async def _within(seconds: float, what: str, work: Awaitable[None]) -> None:
    """Raise `StepFailed` when it takes longer."""
    try:
        with anyio.fail_after(seconds):
            await work
    except TimeoutError:
        raise StepFailed(f"{what}: not done in {seconds:g} s") from None
