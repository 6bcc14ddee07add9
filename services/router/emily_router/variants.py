"""Which variants of flags hold for a subject: asked here, carried with the stimulus, told to who judges them.

A mind is a pure function of what it hears. What it hears therefore says which variants hold, so that the same
stream gives the same decisions whatever the flags have become since.
"""

from __future__ import annotations

from collections import OrderedDict, deque

import anyio
from emily_bus import Bus, BusCongested
from emily_contracts import Exposure, Stimulus, successor_id
from emily_contracts.flags import ALPHA_PHASE_RESET, GFLOWNET_V2
from emily_contracts.topics import EXPOSURE
from emily_flags import Replica
from msgspec.structs import replace
from prometheus_client import Counter

CARRIED = (ALPHA_PHASE_RESET, GFLOWNET_V2)
"""Flags that minds know."""
MOST_SUBJECTS = 4096
MOST_WAITING = 1024

type _Held = tuple[str, dict[str, str]]
"""An episode, and the variants that held in it."""


class Variants:
    """Says which variants hold for a stimulus, from the replica of the flags in this process.

    Args:
        replica: That somebody keeps up to date.
        untold: Counts exposures that nobody was told of.
    """

    def __init__(self, replica: Replica, untold: Counter) -> None:
        self._replica = replica
        self._untold = untold
        self._held: OrderedDict[str, _Held] = OrderedDict()
        self._waiting: deque[Exposure] = deque()
        self._some = anyio.Event()

    def stamped(self, stimulus: Stimulus) -> Stimulus:
        """The stimulus with the variants that hold for its subject, whatever it said of them itself."""
        known = CARRIED if self._replica.revision else ()
        found = {flag: self._replica.variant(flag, targeting_key=stimulus.subject) for flag in known}
        held = {flag: variant for flag, variant in found.items() if variant is not None}
        return stimulus if held == stimulus.flags else replace(stimulus, flags=held)

    def expose(self, stimulus: Stimulus) -> None:
        """Take note that a stimulus was let in: what is new about its subject will be told."""
        episode, before = self._held.pop(stimulus.subject, ("", {}))
        self._held[stimulus.subject] = stimulus.episode, stimulus.flags
        if len(self._held) > MOST_SUBJECTS:
            self._held.popitem(last=False)
        for flag, variant in stimulus.flags.items():
            if episode != stimulus.episode or before.get(flag) != variant:
                self._put(_exposure(stimulus, flag, variant))

    async def tell(self, bus: Bus) -> None:
        """Says every exposure, for ever."""
        while True:
            await self._some.wait()
            self._some = anyio.Event()
            while self._waiting:
                try:
                    await bus.publish(EXPOSURE, self._waiting.popleft())
                except BusCongested:
                    self._untold.inc()

    def _put(self, exposure: Exposure) -> None:
        if len(self._waiting) >= MOST_WAITING:
            self._untold.inc()
            return
        self._waiting.append(exposure)
        self._some.set()


def _exposure(stimulus: Stimulus, flag: str, variant: str) -> Exposure:
    return Exposure(
        id=successor_id(stimulus.id, f"exposure to {flag}"),
        at=stimulus.at,
        stimulus_id=stimulus.stimulus_id,
        causation_id=stimulus.id,
        flag=flag,
        variant=variant,
        key=stimulus.subject,
    )
