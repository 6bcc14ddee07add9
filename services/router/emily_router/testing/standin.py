"""A colour that counts, in place of minds: for tests of the router, and to measure it without them.

`python -m emily_router.testing.standin --endpoint tcp/127.0.0.1:7447 --namespace emily/blue`

It answers every stimulus with how many of its subject it has had, which shows each one that is lost, doubled
or out of order. It moves like a mind: a barrier cuts its counts, which are told and adopted.
"""

from __future__ import annotations

import argparse
import signal
from contextlib import AsyncExitStack
from uuid import UUID

import anyio
import msgspec
from emily_bus import Bus, BusSettings, Subscription
from emily_contracts.decision import Act, Decision, Status
from emily_contracts.envelope import successor_id
from emily_contracts.handover import Adopted, Adoption, Barrier, StateRequest, StateSnapshot
from emily_contracts.outcome import Outcome
from emily_contracts.routing import bucket
from emily_contracts.stimulus import Stimulus
from emily_contracts.topics import ADOPT, DECISION, OUTCOME, REFLEX_BARRIER, STATE, STIMULUS

from emily_router.routing.minds import TIERS

KEPT = 4
REMEMBERED = 4096
COUNTED = "counted"
"""Kind of the act that tells a count."""

_decode = msgspec.msgpack.Decoder(tuple[dict[str, int], list[UUID]]).decode


class Counts:
    """How many stimuli of each subject were had, and what that was at the last barriers.

    Args:
        colour: That is named as the reason of an answer.

    Attributes:
        by_subject: Of stimuli.
        heard: Latest ids, to pass over what comes twice.
    """

    def __init__(self, colour: str) -> None:
        self._colour = colour
        self.by_subject: dict[str, int] = {}
        self.heard: dict[UUID, None] = {}
        self._recorded: dict[UUID, bytes] = {}
        self._news = anyio.Event()

    def take(self, stimulus: Stimulus) -> Decision | None:
        """The answer to a stimulus; none when it came before."""
        if stimulus.id in self.heard:
            return None
        self.heard[stimulus.id] = None
        if len(self.heard) > REMEMBERED:
            del self.heard[next(iter(self.heard))]
        count = self.by_subject[stimulus.subject] = self.by_subject.get(stimulus.subject, 0) + 1
        return Decision(
            id=successor_id(stimulus.id, "decision"),
            at=stimulus.at,
            stimulus_id=stimulus.id,
            causation_id=stimulus.id,
            modality=stimulus.modality,
            subject=stimulus.subject,
            episode=stimulus.episode,
            status=Status.DECIDED,
            act=Act(kind=COUNTED, label=f"n{count}"),
            reason=self._colour,
        )

    def record(self, barrier: Barrier) -> None:
        """Keep what is counted by now."""
        self._recorded[barrier.id] = msgspec.msgpack.encode((self.by_subject, list(self.heard)))
        if len(self._recorded) > KEPT:
            del self._recorded[next(iter(self._recorded))]
        self._news.set()
        self._news = anyio.Event()

    async def tell(self, request: StateRequest) -> StateSnapshot:
        """What was counted at a barrier, once it has come."""
        await self._come(request.barrier)
        state = self._recorded[request.barrier] if request.service == TIERS[0] else b""
        return StateSnapshot(service=request.service, version=1, code_version="0", state=state)

    async def adopt(self, adoption: Adoption) -> Adopted:
        """Go on from other counts, of the subjects in some buckets."""
        if adoption.barrier is not None:
            await self._come(adoption.barrier)
        if adoption.service == TIERS[0]:
            given, heard = _decode(adoption.snapshot.state)
            moved = {name: n for name, n in given.items() if adoption.low <= bucket(name) < adoption.high}
            self.by_subject = moved if adoption.whole else self.by_subject | moved
            self.heard = dict.fromkeys(heard) if adoption.whole else self.heard | dict.fromkeys(heard)
        return Adopted(service=adoption.service)

    async def _come(self, barrier: UUID) -> None:
        while barrier not in self._recorded:
            await self._news.wait()


async def answer(events: Subscription, bus: Bus, counts: Counts) -> None:
    """Answer every stimulus, and cut at every barrier."""
    async for event in events:
        if isinstance(event, Stimulus):
            decision = counts.take(event)
            if decision is not None:
                await bus.publish(DECISION, decision)
        elif isinstance(event, Barrier):
            counts.record(event)
        else:
            assert isinstance(event, Outcome)  # noqa: S101


async def play(bus: Bus, *, ready: anyio.Event | None = None) -> None:
    """Be a colour on a bus in its namespace, for ever."""
    counts = Counts(bus.namespace.rpartition("/")[2])
    async with AsyncExitStack() as stack:
        for tier in TIERS:
            await stack.enter_async_context(bus.serve(STATE, counts.tell, service=tier))
            await stack.enter_async_context(bus.serve(ADOPT, counts.adopt, service=tier))
            await stack.enter_async_context(bus.alive(tier))
        events = await stack.enter_async_context(bus.subscribe(STIMULUS, OUTCOME, REFLEX_BARRIER))
        if ready is not None:
            ready.set()
        await answer(events, bus, counts)


async def _main(endpoint: str, namespace: str) -> None:
    async with (
        Bus.open(BusSettings(endpoint=endpoint), namespace=namespace, name="standin") as bus,
        anyio.create_task_group() as tasks,
    ):
        ready = anyio.Event()
        tasks.start_soon(lambda: play(bus, ready=ready))
        await ready.wait()
        print("ready", flush=True)
        with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            async for _ in signals:
                tasks.cancel_scope.cancel()
                return


def main() -> None:
    """Be a colour until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--endpoint", required=True)
    parser.add_argument("--namespace", required=True)
    options = parser.parse_args()
    anyio.run(_main, options.endpoint, options.namespace, backend_options={"use_uvloop": True})


if __name__ == "__main__":
    main()
