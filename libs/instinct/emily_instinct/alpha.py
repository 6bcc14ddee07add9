"""Pulsed inhibition at the alpha rhythm, and the order in which signals escape it.

Inhibition rises and falls as i(t) = A (1 + cos(2 pi f t + phi)) / 2. The pointwise gate multiplies each
signal by g(t) = 1 - depth x power x (1 + cos(2 pi f t + phi)) / 2 (Mathewson 2011; Jensen & Mazaheri 2010).
In the phase code a signal of drive d is emitted when the falling inhibition first lets it through,
t = arccos(2 d / A - 1) / (2 pi f) after the peak (Jensen, Bonnefond & VanRullen 2012; Jensen 2014), where a
channel's power scales A.

A pointwise gate keeps the order of its input: for the input [0, 100] the output still rises. Only `emitted`
has falling strength, because it *is* an order: on channels of like power the strongest goes first, and ties
keep the order given.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emily_instinct.errors import InstinctError

Real = NDArray[np.float64]

DEFAULT_FREQUENCY = 8.0


@dataclass(frozen=True)
class Gated:
    """What the gate made of a set of drives.

    Attributes:
        gated: `(n,)` each drive times its channel's gain now, in the order given.
        emitted: `(n,)` indices in the order of the phase code.
        latency: `(n,)` seconds after the peak of inhibition of each emitted index, never falling.
        phase: Used, radians in [0, 2 pi).
    """

    gated: NDArray[np.float64]
    emitted: NDArray[np.intp]
    latency: NDArray[np.float64]
    phase: float


@dataclass(frozen=True)
class AlphaOscillator:
    """An oscillator as a value; time is whatever clock the caller has, in seconds.

    Attributes:
        frequency: Hz; the low edge of the band by default (the textbook band is 8 to 13).
        amplitude: A of the phase code: the drive that is never held back.
        depth: Share of a signal that full inhibition takes, in [0, 1].
        phase_at_origin: Radians at `origin`.
        origin: Seconds.
        power: Alpha power by channel in [0, 1]: 0 is attended, 1 ignored; 1 where none is given.
    """

    frequency: float = DEFAULT_FREQUENCY
    amplitude: float = 1.0
    depth: float = 0.8
    phase_at_origin: float = 0.0
    origin: float = 0.0
    power: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        if not 0 < self.frequency < 1000:
            raise InstinctError(f"frequency: {self.frequency} Hz is not in (0, 1000)")
        if not self.amplitude > 0:
            raise InstinctError(f"amplitude: {self.amplitude} is not above 0")
        if not 0 <= self.depth <= 1:
            raise InstinctError(f"depth: {self.depth} is not in [0, 1]")
        for channel, power in self.power:
            if not 0 <= power <= 1:
                raise InstinctError(f"power[{channel}]: {power} is not in [0, 1]")

    def phase(self, at: float) -> float:
        """Radians in [0, 2 pi) at a time; inhibition peaks at 0."""
        turns = (at - self.origin) * self.frequency + self.phase_at_origin / math.tau
        return (turns % 1.0) * math.tau

    def reset(self, at: float, phase: float = math.pi) -> AlphaOscillator:
        """The oscillator whose phase an event resets, by default to least inhibition."""
        return replace(self, origin=at, phase_at_origin=phase % math.tau)

    def attend(self, power: Mapping[str, float]) -> AlphaOscillator:
        """The oscillator with these channels' powers, the others at 1."""
        return replace(self, power=tuple(sorted(power.items())))

    def inhibition(self, at: float) -> float:
        """i(t) in [0, A]."""
        return self.amplitude * _raised_cosine(self.phase(at))

    def gain(self, at: float, channel: str | None = None) -> float:
        """g(t) of a channel in [1 - depth, 1]."""
        power = dict(self.power).get(channel, 1.0) if channel is not None else 1.0
        return 1.0 - self.depth * power * _raised_cosine(self.phase(at))

    def gate(self, drives: ArrayLike, at: float, channels: tuple[str, ...] | None = None) -> Gated:
        """Gate `(n,)` drives at a time.

        Raises:
            InstinctError: A drive is not finite, or channels and drives differ in number.
        """
        values = np.asarray(drives, dtype=np.float64)
        finite = np.isfinite(values)
        if not finite.all():
            index = int(np.argmin(finite))
            raise InstinctError(f"drives[{index}]: {values[index]} is not finite")
        if channels is not None and len(channels) != len(values):
            raise InstinctError(f"channels: {len(channels)} given for {len(values)} drives")
        power = self._powers(channels, len(values))
        gated = values * (1.0 - self.depth * power * _raised_cosine(self.phase(at)))
        latency = self.latency(values, power)
        emitted = np.lexsort((np.arange(len(values)), -values, latency))
        return Gated(gated=gated, emitted=emitted, latency=latency[emitted], phase=self.phase(at))

    def latency(self, drives: Real, power: Real | float = 1.0) -> Real:
        """Seconds from the peak of inhibition to the emission of each drive; half a period at most.

        Args:
            drives: `(n,)`.
            power: `(n,)` of the channels; inhibition on a channel peaks at amplitude x power.
        """
        peak = np.maximum(self.amplitude * np.broadcast_to(power, drives.shape), np.finfo(float).tiny)
        reach = np.clip(2.0 * np.minimum(drives / peak, 1.0) - 1.0, -1.0, 1.0)
        return np.asarray(np.arccos(reach) / (math.tau * self.frequency))

    def _powers(self, channels: tuple[str, ...] | None, count: int) -> Real:
        if channels is None:
            return np.ones(count)
        powers = dict(self.power)
        return np.array([powers.get(channel, 1.0) for channel in channels])


def _raised_cosine(phase: float) -> float:
    return (1.0 + math.cos(phase)) / 2.0
