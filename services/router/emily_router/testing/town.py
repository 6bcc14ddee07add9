"""A router between two colours that count, and who gives it stimuli."""

from __future__ import annotations

import itertools
import math
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from uuid import UUID

import anyio
from anyio.abc import TaskGroup
from emily_bus import Bus, BusSettings
from emily_contracts.decision import Decision
from emily_contracts.routing import ChangeTraffic, Traffic, TrafficRequest
from emily_contracts.stimulus import Stimulus
from emily_contracts.topics import CHANGE_TRAFFIC, CURRENT_TRAFFIC, INBOUND_STIMULUS, OUTBOUND_DECISION
from emily_runtime.testing import ServiceProcess
from emily_runtime.tokens import read
from msgspec.structs import replace

from emily_router.testing import stimulus
from emily_router.testing.standin import play

ASK_S = 5.0
ANSWERED_S = 20.0
PAUSE_S = 0.01
"""Between two rounds, so that no round is refused for want of room."""


class Town:
    """What a client sees of a router.

    Attributes:
        root: The client's bus.
        sent: By subject, in order.
        answers: Every decision that left the router, in order.
    """

    def __init__(self, root: Bus, process: ServiceProcess, tasks: TaskGroup, colours: AsyncExitStack) -> None:
        self.root = root
        self.process = process
        self.sent: dict[str, list[Stimulus]] = {}
        self.answers: list[Decision] = []
        self._tasks = tasks
        self._colours = colours
        self._changed = anyio.Event()

    @property
    def token(self) -> str:
        """Of who may direct traffic."""
        return next(iter(read(self.process.state_dir / "traffic.token").values()))

    async def found(self, colour: str) -> Bus:
        """Let a colour that counts live; its bus."""
        settings = BusSettings(endpoint=self.process.endpoint)
        namespace = f"{self.process.namespace}/{colour}"
        bus = await self._colours.enter_async_context(Bus.open(settings, namespace=namespace, name="standin"))
        ready = anyio.Event()
        self._tasks.start_soon(lambda: play(bus, ready=ready))
        await ready.wait()
        return bus

    async def give(self, subject: str, **what: Any) -> Stimulus:
        """Send the next stimulus of a subject."""
        sent = replace(stimulus(**what), subject=subject)
        self.sent.setdefault(subject, []).append(sent)
        await self.root.publish(INBOUND_STIMULUS, sent)
        return sent

    async def give_all(self, subjects: Iterable[str], rounds: int, ahead: float = math.inf) -> None:
        """Send so many stimuli of each subject, in turn; at most so many wait when a round begins."""
        for _ in range(rounds):
            for subject in subjects:
                await self.give(subject)
            await anyio.sleep(PAUSE_S)
            while sum(map(len, self.sent.values())) - len(self.answers) > ahead:
                await self._changed.wait()

    async def until_answered(self) -> None:
        """Return when as many answers came as stimuli were sent."""
        with anyio.fail_after(ANSWERED_S):
            while len(self.answers) < sum(map(len, self.sent.values())):
                await self._changed.wait()

    async def give_again(self) -> None:
        """Send once more, as a client would, what has no answer by now."""
        answered = {answer.stimulus_id for answer in self.answers}
        for sent in itertools.chain.from_iterable(self.sent.values()):
            if sent.id not in answered:
                await self.root.publish(INBOUND_STIMULUS, sent)

    async def until_each_answered(self) -> dict[UUID, list[UUID]]:
        """Ids of the answers to each stimulus, once all have one."""
        with anyio.fail_after(ANSWERED_S):
            while True:
                answers: dict[UUID, list[UUID]] = {
                    sent.id: [] for sent in itertools.chain.from_iterable(self.sent.values())
                }
                for answer in self.answers:
                    answers[answer.stimulus_id].append(answer.id)
                if all(answers.values()):
                    return answers
                await self._changed.wait()

    async def until_quiet(self, quiet_s: float = 1.0) -> None:
        """Return when no answer has come for a while: of what a kill met, none may ever come."""
        seen = -1
        while len(self.answers) > seen:
            seen = len(self.answers)
            await anyio.sleep(quiet_s)

    def counts(self, subject: str) -> list[str | None]:
        """What the answers to the stimuli of a subject counted, in the order of the stimuli.

        Raises:
            ValueError: One has no answer, or two.
        """
        labels: list[str | None] = []
        for sent in self.sent[subject]:
            (answer,) = (each for each in self.answers if each.stimulus_id == sent.id)
            labels.append(answer.act.label)
        return labels

    async def now(self) -> Traffic:
        """Who answers now."""
        return await self.root.ask(CURRENT_TRAFFIC, TrafficRequest(), timeout=ASK_S)

    async def direct(self, **roles: Any) -> Traffic:
        """Change who answers."""
        order: dict[str, Any] = {"token": self.token, "version": (await self.now()).table.version, **roles}
        return await self.root.ask(CHANGE_TRAFFIC, ChangeTraffic(**order), timeout=ASK_S)

    async def listen(self) -> None:
        """Take down every answer, for ever."""
        async with self.root.subscribe(OUTBOUND_DECISION) as decisions:
            self._tell()
            async for decision in decisions:
                self.answers.append(decision)
                self._tell()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()


@asynccontextmanager
async def town(process: ServiceProcess, *colours: str) -> AsyncIterator[Town]:
    """The surroundings of a running router, with these colours alive."""
    settings = BusSettings(endpoint=process.endpoint)
    async with (
        Bus.open(settings, namespace=process.namespace, name="client") as root,
        AsyncExitStack() as buses,
        anyio.create_task_group() as tasks,
    ):
        made = Town(root, process, tasks, buses)
        changed = made._changed
        tasks.start_soon(made.listen)
        await changed.wait()
        for colour in colours or ("blue", "green"):
            await made.found(colour)
        yield made
        tasks.cancel_scope.cancel()
