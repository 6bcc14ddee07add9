"""The steps in which a new colour meets traffic, and is judged by what it does."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

import anyio
from emily_contracts.routing import Traffic

from emily_deployer.deployment import Deployment
from emily_deployer.drivers.driver import Hear
from emily_deployer.errors import StepFailed
from emily_deployer.judging import Action, Evidence, Verdict, judge, judge_shadow, settled
from emily_deployer.order import Plan
from emily_deployer.traffic import Roles, Switchboard, directed, status_of

POLL_S = 0.1
GRACE_S = 2.0
"""How long a tier of the new colour may be down before that is a failure."""

type Watch = Callable[[dict[str, Evidence]], AbstractAsyncContextManager[None]]
"""Collects what is seen of colours, by their names, for the length of the block."""


class Held(Exception):
    """A person has to decide; the message says what is known."""


class Done(NamedTuple):
    """What a step gave.

    Attributes:
        plan: That it made.
    """

    words: str = ""
    plan: Plan | None = None


class Trial:
    """Lets a colour meet traffic.

    Args:
        switchboard: Directs the traffic.
        watch: Looks at what colours answer.
    """

    def __init__(self, switchboard: Switchboard, watch: Watch) -> None:
        self._switchboard = switchboard
        self._watch = watch
        self._seen: tuple[UUID, Evidence, Evidence] | None = None

    async def shadow(self, deployment: Deployment, hear: Hear) -> Done:
        """It thinks about copies; judged by how often it agrees."""
        plan, order = deployment.settled, deployment.order
        await directed(self._switchboard, Roles(plan.old, shadow=plan.new), "shadow")
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

    async def canary(self, deployment: Deployment, hear: Hear) -> Done:
        """It answers a share of the subjects; judged beside the old colour."""
        plan, order = deployment.settled, deployment.order
        roles = Roles(plan.old, canary=plan.new, weight=deployment.weight)
        await directed(self._switchboard, roles, f"canary of {deployment.weight / 100:g} %")
        new, old = self._evidence(deployment)
        before = new.stimuli

        def verdict(_: Traffic) -> tuple[Verdict, int]:
            return judge(new, old, order.criteria, names=(plan.new, plan.old)), new.stimuli - before

        async with self._watch({plan.new: new, plan.old: old}):
            return Done(await self._until_decided(deployment, verdict, hear))

    async def window(self, deployment: Deployment, hear: Hear) -> Done:
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
