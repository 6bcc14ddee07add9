"""What is done in each step; each may be done again after a kill in its middle."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

import anyio

from emily_deployer.deployment import Deployment, Step
from emily_deployer.drivers.driver import Driver, Hear
from emily_deployer.errors import StepFailed
from emily_deployer.planning import planned
from emily_deployer.traffic import Roles, Switchboard, directed, status_of
from emily_deployer.trial import POLL_S, Done, Trial, Watch

DRAIN_S = 10.0
RETURN_PAUSE_S = (0.1, 5.0)

type Smoke = Callable[[str], Awaitable[str]]
"""Tests a colour that gets no traffic; gives what it found, or raises `StepFailed`."""


class Deadlines(NamedTuple):
    """How long steps may take, in seconds."""

    build: float = 1800.0
    migrate: float = 3600.0
    start: float = 120.0
    ready: float = 60.0
    smoke: float = 30.0
    stop: float = 60.0


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
        self._colours = colours
        self._deadlines = deadlines
        trial = Trial(switchboard, watch)
        self._does: dict[Step, Callable[[Deployment, Hear], Awaitable[Done]]] = {
            Step.LOCK: self._lock,
            Step.PLAN: self._plan,
            Step.BUILD: self._build,
            Step.EXPAND: self._expand,
            Step.START: self._start,
            Step.READY: self._ready,
            Step.SMOKE: self._smoke_test,
            Step.SHADOW: trial.shadow,
            Step.CANARY: trial.canary,
            Step.SWITCH: self._switch,
            Step.WINDOW: trial.window,
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

    async def _switch(self, deployment: Deployment, hear: Hear) -> Done:
        plan = deployment.settled
        await directed(self._switchboard, Roles(plan.new), f"deploy of {plan.release}")
        return Done(f"{plan.new} answers")

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

    async def _drained(self, colour: str) -> None:
        """Wait until a colour owes no answer, though not for ever: the router answers what is late."""
        with anyio.move_on_after(DRAIN_S):
            while True:
                status = status_of(await self._switchboard.now(), colour)
                if status is None or not status.in_flight:
                    return
                await anyio.sleep(POLL_S)


async def _within(seconds: float, what: str, work: Awaitable[None]) -> None:
    """Raise `StepFailed` when it takes longer."""
    try:
        with anyio.fail_after(seconds):
            await work
    except TimeoutError:
        raise StepFailed(f"{what}: not done in {seconds:g} s") from None
