"""Pulsed inhibition at the alpha rhythm, and the order in which signals escape it.

Inhibition rises and falls as i(t) = A (1 + cos(2 pi f t + phi)) / 2. The pointwise gate multiplies each
signal by g(t) = 1 - depth x power x (1 + cos(2 pi f t + phi)) / 2 (Jensen & Mazaheri 2010; Mathewson 2011).
In the phase code a signal of drive d is emitted when the inhibition, falling from its peak, first lets it
through: t = arccos(2 |d| / A - 1) / (2 pi f) after the peak, at once if |d| >= A (Jensen, Bonnefond &
VanRullen 2012; Jensen 2014). The alpha power of a channel scales its inhibition in both.

Why |gated[i]| >= |gated[i + 1]| holds in the order of emission only: at one moment a pointwise gate
multiplies every signal by the same gain, so that it keeps the order of its input, whatever that is; of the
drives [0, 100] the second stays the larger. `emitted` *is* an order, by falling |drive| / power, so that on
channels of equal power the gated signals taken in that order never rise.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emily_instinct.errors import InstinctError

Real = NDArray[np.float64]

DEFAULT_FREQUENCY = 8.0


@dataclass(frozen=True, eq=False)
class Gated:
    """What the gate made of a set of drives.

    Attributes:
        gated: `(n,)` each drive times its channel's gain now, in the order given.
        emitted: `(n,)` indices in the order of the phase code; ties keep the order given.
        latency: `(n,)` seconds after the peak of inhibition of each emitted index, never falling.
        phase: Used, radians in [0, 2 pi).
    """

    gated: Real
    emitted: NDArray[np.intp]
    latency: Real
    phase: float


@dataclass(frozen=True)
class AlphaOscillator:
    """An oscillator as a value; the time `at` comes from whatever clock the caller has, in seconds.

    Attributes:
        frequency: Hz; the low edge of the band by default (the textbook band is 8 to 13).
        amplitude: A, the drive that is never held back.
        depth: Share of a signal that full inhibition takes, in [0, 1].
        phase_at_origin: Radians at `origin`.
        origin: Seconds.
        power: Alpha power by channel in [0, 1]: 0 is attended, 1 ignored; 1 where none is given.

    Raises:
        InstinctError: A number is out of its range.
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
        if not 0 < self.amplitude < math.inf:
            raise InstinctError(f"amplitude: {self.amplitude} is not above 0 and finite")
        if not 0 <= self.depth <= 1:
            raise InstinctError(f"depth: {self.depth} is not in [0, 1]")
        if not (math.isfinite(self.phase_at_origin) and math.isfinite(self.origin)):
            raise InstinctError(
                f"phase_at_origin, origin: {self.phase_at_origin}, {self.origin} must be finite"
            )
        for channel, power in self.power:
            if not 0 <= power <= 1:
                raise InstinctError(f"power[{channel}]: {power} is not in [0, 1]")

    def phase(self, at: float) -> float:
        """Radians in [0, 2 pi) at a time; inhibition peaks at 0."""
        turns = (at - self.origin) * self.frequency + self.phase_at_origin / math.tau
        return (turns % 1.0) * math.tau

    def reset(self, at: float, phase: float = math.pi) -> AlphaOscillator:
        """The oscillator whose phase an event resets, by default to least inhibition."""
        return replace(self, origin=at, phase_at_origin=phase)

    def attend(self, power: Mapping[str, float]) -> AlphaOscillator:
        """The oscillator with these channels' powers, the others at 1."""
        return replace(self, power=tuple(sorted(power.items())))

    def inhibition(self, at: float) -> float:
        """i(t) in [0, A]."""
        return self.amplitude * self._pulse(at)

    def gain(self, at: float, power: float = 1.0) -> float:
        """g(t) in [1 - depth, 1] of a channel of that power."""
        return 1.0 - self.depth * power * self._pulse(at)

    def gate(self, drives: ArrayLike, at: float, channels: Sequence[str] | None = None) -> Gated:
        """Gate `(n,)` drives at a time.

        Args:
            drives: Of either sign; |drive| is their strength.
            at: Seconds.
            channels: n names, to find each drive's power; full power when absent.

        Raises:
            InstinctError: A drive is not finite, or channels and drives differ in number.
        """
        values = np.asarray(drives, dtype=np.float64)
        finite = np.isfinite(values)
        if not finite.all():
            index = int(np.argmin(finite))
            raise InstinctError(f"drives[{index}]: {values[index]} is not finite")
        powers = self._powers(channels, len(values))
        strength = np.abs(values)
        reach = self._reach(strength, powers)
        emitted = np.lexsort((-strength, -reach))
        return Gated(
            gated=values * (1.0 - self.depth * powers * self._pulse(at)),
            emitted=emitted,
            latency=self._latency(reach[emitted]),
            phase=self.phase(at),
        )

    def latency(self, drives: ArrayLike) -> Real:
        """Seconds from the peak of inhibition to the emission of each drive at full power."""
        strength = np.abs(np.asarray(drives, dtype=np.float64))
        return self._latency(self._reach(strength, np.ones(strength.shape)))

    def _pulse(self, at: float) -> float:
        return (1.0 + math.cos(self.phase(at))) / 2.0

    def _powers(self, channels: Sequence[str] | None, count: int) -> Real:
        if channels is None:
            return np.ones(count)
        if len(channels) != count:
            raise InstinctError(f"channels: {len(channels)} given for {count} drives; name one for each")
        powers = dict(self.power)
        return np.array([powers.get(channel, 1.0) for channel in channels])

    def _reach(self, strength: Real, powers: Real) -> Real:
        """Strength over the peak of inhibition; boundless where there is none to overcome."""
        peak = self.amplitude * powers
        reach = np.full(strength.shape, np.inf)
        with np.errstate(over="ignore"):
            np.divide(strength, peak, out=reach, where=peak > 0)
        return reach

    def _latency(self, reach: Real) -> Real:
        return np.asarray(np.arccos(2.0 * np.minimum(reach, 1.0) - 1.0) / (math.tau * self.frequency))
