"""Carries deploys on, step by step: what is next is on record before it is done, and so is that it was."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import anyio
from emily_contracts import uuid7
from emily_runtime.logs import get_logger
from msgspec.structs import replace

from emily_deployer.deployment import (
    FINAL,
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
from emily_deployer.errors import Closed, DeployerError, NoDeploy
from emily_deployer.hooks import Hooks
from emily_deployer.order import Order
from emily_deployer.steps import Steps
from emily_deployer.store.store import Act, Store
from emily_deployer.trial import Done, Held

ITSELF = "deployer"
RECORD_PAUSE_S = 0.25
ATTEMPTS = 5
"""For a step at the end, where there is no way back any more."""
ATTEMPT_PAUSE_S = 0.5

_log = get_logger(__name__)


class Machine:
    """One deploy at a time.

    Args:
        store: Keeps it.
        steps: Does its steps.
        hooks: Run before and after each.
        changed: Called with each new state of a deploy.

    Attributes:
        store: Where it is kept.
        current: The deploy that is under way; none when there is none.
        said: What was last found out, newer than what is on record.
    """

    def __init__(
        self,
        store: Store,
        steps: Steps,
        hooks: Hooks,
        *,
        changed: Callable[[Deployment], None] = lambda deployment: None,
    ) -> None:
        self.current: Deployment | None = None
        self.said = ""
        self.store = store
        self._steps = steps
        self._hooks = hooks
        self._changed = changed
        self._news = anyio.Event()
        self._scope: anyio.CancelScope | None = None
        self._lock = anyio.Lock()

    async def run(self) -> None:
        """Take up what an earlier process left, then whatever is ordered; for ever."""
        self.current = await self.store.current()
        if self.current is not None:
            _log.warning("resumes", deploy=str(self.current.id), step=self.current.step.value)
        while True:
            if self.current is None or self.current.state is State.PAUSED:
                self._news = anyio.Event()
                await self._news.wait()
            else:
                await self._go_on(self.current)

    async def order(self, order: Order, *, by: str, reason: str) -> Deployment:
        """Begin a deploy.

        Raises:
            Busy: Another is under way.
        """
        now = datetime.now(UTC)
        deployment = Deployment(id=uuid7(now), order=order, by=by, reason=reason, began_at=now, step_at=now)
        async with self._lock:
            await self.store.claim(deployment, _act(deployment, "ordered", Step.LOCK, who=by, why=reason))
            self._take(deployment)
        return deployment

    async def pause(self, *, by: str, reason: str) -> Deployment:
        """Keep traffic as it is. Raises `NoDeploy` or `NotNow`."""
        return await self._told("paused", by, reason, lambda deployment, now: paused(deployment))

    async def resume(self, *, by: str, reason: str) -> Deployment:
        """Go on. Raises `NoDeploy` or `NotNow`."""
        return await self._told("resumed", by, reason, resumed)

    async def promote(self, *, by: str, reason: str) -> Deployment:
        """Take for given what is waited for. Raises `NoDeploy` or `NotNow`."""
        words = f"promoted by {by}{_because(reason)}"
        return await self._told("promoted", by, reason, lambda each, now: promoted(each, now, words))

    async def abort(self, *, by: str, reason: str) -> Deployment:
        """Return to the old colour at once. Raises `NoDeploy` or `NotNow`."""
        words = f"rolled back by {by}{_because(reason)}"
        return await self._told("aborted", by, reason, lambda each, now: returning(each, now, words))

    async def _told(
        self, what: str, by: str, reason: str, change: Callable[[Deployment, datetime], Deployment]
    ) -> Deployment:
        """Raises `Closed` when it can't be put on record; only the way back does not wait for that."""
        async with self._lock:
            if self.current is None:
                raise NoDeploy("no deploy is under way; see: emily releases list")
            step, after = self.current.step, change(self.current, datetime.now(UTC))
            try:
                await self.store.record(after, _act(after, what, step, who=by, why=reason))
            except Closed as away:
                if after.state is not State.RETURNING:
                    raise
                _log.error("not on record", what=what, reason=str(away))
            self._take(after)
            self._interrupt()
        return after

    async def _go_on(self, deployment: Deployment) -> None:
        """Do one step, unless it is told something else meanwhile."""
        running = begun(deployment)
        with anyio.CancelScope() as scope:
            self._scope = scope
            if not await self._commit(deployment, running, "begun"):
                return
            after, what = await self._outcome(running)
            await self._commit(running, after, what)

    async def _commit(self, before: Deployment, after: Deployment, what: str) -> bool:
        """Replace a deploy, on record first; whether it was still there to be replaced.

        On the way back traffic does not wait for the record.
        """
        why = after.words if what != "begun" else ""
        while True:
            async with self._lock:
                if self.current is not before:
                    return False
                try:
                    await self.store.record(after, _act(after, what, before.step, who=ITSELF, why=why))
                except Closed as away:
                    _log.error("not on record", what=what, reason=str(away))
                    settled = after.state is State.RETURNING
                else:
                    settled = True
                if settled:
                    self._take(after)
                    return True
            await anyio.sleep(RECORD_PAUSE_S)

    async def _outcome(self, deployment: Deployment) -> tuple[Deployment, str]:
        """The deploy after its step, and in a word what became of it."""
        try:
            await self._before(deployment)
            done = await self._done(deployment)
        except Held as held:
            return replace(paused(deployment), words=f"a person has to decide: {held}"), "held"
        except (DeployerError, OSError) as failure:
            return self._failed(deployment, str(failure)), "failed"
        except Exception as failure:
            _log.error("a step crashed", step=deployment.step.value, exc_info=failure)
            return self._failed(deployment, f"{type(failure).__name__}: {failure}"), "failed"
        noted = await self._hooks.after(deployment)
        words = f"{done.words}; {noted}" if noted else done.words
        planned = deployment if done.plan is None else replace(deployment, plan=done.plan)
        return advanced(planned, datetime.now(UTC), words), "done"

    async def _before(self, deployment: Deployment) -> None:
        """What a hook says against the way back does not block it."""
        try:
            await self._hooks.before(deployment)
        except DeployerError as failure:
            if deployment.state is not State.RETURNING:
                raise
            _log.warning("a hook failed on the way back", reason=str(failure))

    async def _done(self, deployment: Deployment) -> Done:
        attempts = ATTEMPTS if deployment.step in FINAL or deployment.state is State.RETURNING else 1
        for _ in range(attempts - 1):
            try:
                return await self._steps.perform(deployment, self._hear)
            except DeployerError as failure:
                self._hear(str(failure))
                await anyio.sleep(ATTEMPT_PAUSE_S)
        return await self._steps.perform(deployment, self._hear)

    def _failed(self, deployment: Deployment, why: str) -> Deployment:
        """Goes back while it can; what is left undone at the end is said."""
        now = datetime.now(UTC)
        words = f"{deployment.step.value}: {why}"
        if deployment.state is State.RETURNING:
            return advanced(deployment, now, f"{deployment.words}; left undone: {words}")
        if deployment.step in FINAL:
            return advanced(deployment, now, f"left undone: {words}")
        return returning(deployment, now, words)

    def _hear(self, words: str) -> None:
        self.said = words

    def _take(self, deployment: Deployment) -> None:
        self.current = deployment if deployment.ended_at is None else None
        self.said = deployment.words
        self._changed(deployment)
        self._news.set()

    def _interrupt(self) -> None:
        """Cut off what is done for the deploy as it was."""
        if self._scope is not None:
            self._scope.cancel()


def _act(deployment: Deployment, what: str, step: Step, *, who: str, why: str) -> Act:
    return Act(at=datetime.now(UTC), deployment=deployment.id, who=who, what=what, step=step, why=why)


def _because(reason: str) -> str:
    return f": {reason}" if reason else ""
