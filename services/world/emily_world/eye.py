"""What an eye senses at one place of a picture, and what flashes beside it.

Every draw follows from the seed, the episode and the number of the look, so that a look that is
sent again is the same look.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from emily_contracts import Signal
from numpy.typing import NDArray

from emily_world.picture import PLACES

FOVEA = "fovea"
MOST_FLASHES = 2
FLASH_INTENSITY = (0.3, 2.0)
"""Lowest and highest; the fovea's own is 1."""


class Eye:
    """Looks at `images`, (N, 64) greys; `distractors` is the probability that a look is disturbed."""

    def __init__(self, images: NDArray[np.float64], *, distractors: float, seed: int) -> None:
        self._images = images
        self._distractors = distractors
        self._seed = seed

    def picture(self, episode: int) -> tuple[float, ...]:
        """The whole picture of an episode; after the last picture comes the first."""
        return tuple(self._images[episode % len(self._images)].tolist())

    def glance(self, episode: int, look: int, place: int) -> tuple[Signal, ...]:
        """The grey of one place and, now and then, flashes: greys of another picture elsewhere."""
        fovea = Signal(channel=FOVEA, place=place, values=(float(self._grey(episode, place)),))
        rng = self._dice(0, episode, look)
        if rng.random() >= self._distractors:
            return (fovea,)
        elsewhere = [other for other in range(PLACES) if other != place]
        places = rng.choice(elsewhere, size=rng.integers(1, MOST_FLASHES + 1), replace=False)
        irrelevant = episode + int(rng.integers(1, len(self._images)))
        flashes = (
            Signal(
                channel=f"flash-{index}",
                place=int(flash),
                values=(float(self._grey(irrelevant, int(flash))),),
                intensity=float(rng.uniform(*FLASH_INTENSITY)),
            )
            for index, flash in enumerate(places)
        )
        return (fovea, *flashes)

    def survey(self, episode: int) -> tuple[Signal, ...]:
        """The whole picture at once, without a place."""
        return (Signal(channel=FOVEA, values=self.picture(episode)),)

    def wander(self, episode: int, seen: Collection[int | None]) -> int:
        """A random place that was not looked at in this episode."""
        unseen = [place for place in range(PLACES) if place not in seen]
        return int(self._dice(1, episode, len(seen)).choice(unseen))

    def _grey(self, episode: int, place: int) -> float:
        return float(self._images[episode % len(self._images), place])

    def _dice(self, purpose: int, episode: int, look: int) -> np.random.Generator:
        return np.random.default_rng([self._seed, purpose, episode, look])
