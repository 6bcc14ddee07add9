"""A world in memory that deploys happen in; it outlives a machine, as the router outlives a deployer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Literal

import anyio
from emily_contracts.routing import ColourStatus, RoutingTable, Traffic

from emily_deployer.deployment import Deployment, Step
from emily_deployer.drivers.driver import Hear
from emily_deployer.errors import BadOrder, StepFailed
from emily_deployer.hooks import Hooks
from emily_deployer.judging import Evidence, Observation, Patience
from emily_deployer.machine import Machine
from emily_deployer.order import Order
from emily_deployer.steps import Deadlines, Steps
from emily_deployer.store.journal import opened
from emily_deployer.traffic import Roles
from emily_deployer.trial import Done

COLOURS = ("blue", "green")
STIMULI = 400
PATIENCE = Patience(least_s=0.0, seconds=0.02)


class Killed(BaseException):
    """The process of the deployer is gone."""


class World:
    """Two colours, a router, and schemas; a `Driver` and a `Switchboard` at once.

    Attributes:
        runs: The release of each colour that runs.
        table: Of the router.
        calls: What was done, in order.
        expanded, contracted: Releases whose migrations were applied.
        broken: Steps that fail, and how, by the name of the call.
        behaves: What the new colour's stimuli become.
        agreed: Share of copies that a shadow answers as the active colour does.
        absent: Tiers that are down, by colour.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.runs: dict[str, str] = {"blue": "v1"}
        self.table = RoutingTable(version=1, active="blue")
        self.calls: list[str] = []
        self.expanded: set[str] = set()
        self.contracted: set[str] = set()
        self.broken: dict[str, str] = {}
        self.behaves = Observation(failed=False, latency_s=0.01, confidence=0.9)
        self.agreed = 1.0
        self.absent: dict[str, tuple[str, ...]] = {}
        self._compared = 0

    async def resolve(self, version: str) -> str:
        """Every version but `unknown` is one."""
        if version == "unknown":
            raise BadOrder("version: there is no 'unknown'")
        return version

    async def running(self) -> dict[str, str]:
        """By colour."""
        return dict(self.runs)

    async def describe(self, release: str) -> dict[str, str]:
        """Nothing but its name."""
        return {"release": release}

    async def build(self, release: str) -> None:
        """Noted."""
        self._did("build")

    async def expand(self, release: str) -> None:
        """Noted."""
        self._did("expand")
        self.expanded.add(release)

    async def start(self, colour: str, release: str) -> None:
        """It runs."""
        self._did("start")
        if colour == self.table.active:
            raise StepFailed(f"{colour} answers and is not started anew")
        self.runs[colour] = release

    async def ready(self, colour: str, hear: Hear) -> None:
        """At once, unless it never is."""
        self._did("ready")
        if self.broken.get("ready") == "never":
            hear("inference has no model")
            await anyio.sleep_forever()

    async def stop(self, colour: str) -> None:
        """It runs no more."""
        self._did(f"stop {colour}")
        if colour in {self.table.active, self.table.canary}:
            raise StepFailed(f"{colour} answers and is not stopped")
        self.runs.pop(colour, None)

    async def contract(self, release: str) -> None:
        """Refused while another version lives."""
        self._did("contract")
        if set(self.runs.values()) != {release}:
            raise StepFailed(f"{self.runs} live")
        self.contracted.add(release)

    async def retire(self, colour: str) -> None:
        """Noted."""
        self._did(f"retire {colour}")

    async def now(self) -> Traffic:
        """The table, and ever more copies that were compared."""
        self._did("now")
        if self.table.shadow:
            self._compared += 200
        return Traffic(
            table=self.table,
            colours=tuple(
                ColourStatus(
                    name=colour,
                    role=self.table.role_of(colour),
                    absent=self.absent.get(colour, ()),
                    compared=self._compared if colour == self.table.shadow else 0,
                    agreed=int(self._compared * self.agreed) if colour == self.table.shadow else 0,
                )
                for colour in COLOURS
            ),
        )

    async def direct(
        self, roles: Roles, reason: str, *, handover: Literal["state", "none"] = "state"
    ) -> None:
        """Only to colours that run."""
        self._did("direct")
        if roles == Roles.of(self.table):
            return
        if handover == "state" and "handover" in self.broken:
            raise StepFailed(self.broken["handover"])
        for colour in {roles.active, roles.canary, roles.shadow} - {None}:
            if colour not in self.runs:
                raise StepFailed(f"{colour} does not run")
        self.table = RoutingTable(version=self.table.version + 1, **roles._asdict())

    async def smoke(self, colour: str) -> str:
        """Passed."""
        self._did("smoke")
        return f"{colour} passed"

    @asynccontextmanager
    async def watch(self, seen: dict[str, Evidence]) -> AsyncIterator[None]:
        """Some stimuli of each colour."""
        for colour, evidence in seen.items():
            usual = Observation(failed=False, latency_s=0.01, confidence=0.9)
            for _ in range(STIMULI):
                evidence.add(self.behaves if self.runs.get(colour) != "v1" else usual)
        yield

    def _did(self, what: str) -> None:
        self.calls.append(what)
        words = self.broken.get(what)
        if words is not None and words != "never":
            raise StepFailed(words)

    @contextmanager
    def machine(
        self, *, around: Callable[[Steps], Steps] = lambda steps: steps, hooks: Path | None = None
    ) -> Iterator[Machine]:
        """A machine on the journal of this world, as a new process of the deployer would be."""
        steps = Steps(
            driver=self,
            switchboard=self,
            smoke=self.smoke,
            watch=self.watch,
            colours=COLOURS,
            deadlines=Deadlines(ready=0.2),
        )
        with opened(self.folder / "deploys.jsonl") as store:
            yield Machine(store, around(steps), Hooks(hooks, 5.0))


class Lethal(Steps):
    """Steps that kill the process before or after one of them is done."""

    def __init__(self, steps: Steps, step: Step, *, done: bool) -> None:
        self._steps = steps
        self._step = step
        self._done = done

    async def perform(self, deployment: Deployment, hear: Hear) -> Done:
        """Do a step, and die before or after the one that kills."""
        if deployment.step is self._step and not self._done:
            raise Killed
        done = await self._steps.perform(deployment, hear)
        if deployment.step is self._step:
            raise Killed
        return done


def order(version: str = "v2", **changes: object) -> Order:
    """A deploy that needs little patience."""
    fields: dict[str, object] = {
        "version": version,
        "steps": (1.0, 50.0),
        "window_s": 0.02,
        "patience": PATIENCE,
    }
    return Order(**(fields | changes))  # type: ignore[arg-type]
