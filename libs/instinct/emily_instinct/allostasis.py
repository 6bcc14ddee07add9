"""A body of five neuromodulators that holds itself around set-points it predicts.

Each modulator is an opponent process (Solomon & Corbit 1974): the primary a follows its input with tau_a,
the opponent b follows k a more slowly with tau_b, and the level is set-point + a - b, held in [0, 1]:

    tau_a a' = u - a        tau_b b' = k a - b

Between events the input is constant, so the equations are integrated exactly: one long step equals many
short ones. Set-points move with the time of day (predictive regulation, Sterling 2012). Allostatic load is
the leaky integral of the squared deviation a - b over all modulators (McEwen 1998).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace

from emily_instinct.errors import InstinctError

MODULATORS = ("dopamine", "serotonin", "oxytocin", "cortisol", "norepinephrine")
DAY_S = 86_400.0
LOAD_TIME_S = 600.0


@dataclass(frozen=True)
class Levels:
    """A value for each modulator."""

    dopamine: float = 0.0
    serotonin: float = 0.0
    oxytocin: float = 0.0
    cortisol: float = 0.0
    norepinephrine: float = 0.0

    def __post_init__(self) -> None:
        for name in MODULATORS:
            if not math.isfinite(getattr(self, name)):
                raise InstinctError(f"{name}: {getattr(self, name)} is not finite")


@dataclass(frozen=True)
class OpponentProcess:
    """Constants of one modulator.

    Attributes:
        tau_a, tau_b: Time constants in seconds, different from each other.
        k: Strength of the opponent, >= 0; the plateau under constant input u is (1 - k) u, so that
            above 1 a lasting pleasure turns (Koob & Le Moal 2001).
        set_point: Expected level over the day, in [0, 1].
        swing: How far the set-point moves with the time of day.
        peak_hour: When it is highest, in [0, 24).
    """

    tau_a: float
    tau_b: float
    k: float
    set_point: float = 0.5
    swing: float = 0.0
    peak_hour: float = 0.0

    def __post_init__(self) -> None:
        if not (self.tau_a > 0 and self.tau_b > 0) or math.isclose(self.tau_a, self.tau_b):
            raise InstinctError(f"tau_a, tau_b: {self.tau_a}, {self.tau_b} must be above 0 and differ")
        if not self.k >= 0:
            raise InstinctError(f"k: {self.k} is below 0")
        if not self.swing <= self.set_point <= 1 - self.swing:
            raise InstinctError(f"set_point: {self.set_point} with swing {self.swing} leaves [0, 1]")

    def expected(self, at: float) -> float:
        """The set-point at a time of day (seconds since midnight, or since 1970 in UTC)."""
        return self.set_point + self.swing * math.cos(math.tau * (at / DAY_S - self.peak_hour / 24.0))

    def advance(self, state: Deviation, dt: float, u: float) -> Deviation:
        """The exact state after `dt` seconds of constant input u."""
        return _Solution(self, state, u).at(dt)

    def squared(self, state: Deviation, dt: float, u: float, leak: float) -> float:
        """Integral of (a - b)^2 over `dt` with a leak of time constant `leak`, seen from its end."""
        return _Solution(self, state, u).squared(dt, leak)


@dataclass(frozen=True)
class Deviation:
    """Primary and opponent of one modulator; the level deviates from its set-point by a - b."""

    a: float = 0.0
    b: float = 0.0

    @property
    def net(self) -> float:
        """a - b."""
        return self.a - self.b


@dataclass(frozen=True)
class Body:
    """The state of a body at a time.

    Attributes:
        at: Seconds.
        deviations: One for each of `MODULATORS`.
        input: Held since `at`, each in [-1, 1].
        load: Allostatic load, >= 0.
    """

    at: float = 0.0
    deviations: tuple[Deviation, ...] = (Deviation(),) * len(MODULATORS)
    input: Levels = Levels()
    load: float = 0.0


PHYSIOLOGY: tuple[OpponentProcess, ...] = (
    OpponentProcess(tau_a=1.0, tau_b=8.0, k=0.6),
    OpponentProcess(tau_a=8.0, tau_b=60.0, k=0.5),
    OpponentProcess(tau_a=5.0, tau_b=40.0, k=0.5, set_point=0.4),
    OpponentProcess(tau_a=20.0, tau_b=180.0, k=0.4, set_point=0.3, swing=0.1, peak_hour=8.0),
    OpponentProcess(tau_a=0.8, tau_b=6.0, k=0.5, set_point=0.4),
)
"""Constants in the order of `MODULATORS`. Fast for dopamine and norepinephrine (phasic), slow for serotonin
and cortisol (tonic); cortisol peaks in the morning."""


def advance(body: Body, at: float, physiology: tuple[OpponentProcess, ...] = PHYSIOLOGY) -> Body:
    """The body at a later time under the input it holds; an earlier time changes nothing."""
    dt = at - body.at
    if dt <= 0:
        return body
    inputs = _values(body.input)
    pairs = tuple(zip(physiology, body.deviations, inputs, strict=True))
    accrued = sum(process.squared(state, dt, u, LOAD_TIME_S) for process, state, u in pairs)
    return replace(
        body,
        at=at,
        deviations=tuple(process.advance(state, dt, u) for process, state, u in pairs),
        load=body.load * math.exp(-dt / LOAD_TIME_S) + accrued,
    )


def hold(body: Body, input: Levels) -> Body:
    """The body under another constant input from now on; each value is held in [-1, 1]."""
    return replace(body, input=Levels(*(max(-1.0, min(1.0, value)) for value in _values(input))))


def pulse(body: Body, jolt: Levels) -> Body:
    """The body after a jolt to its primaries, which saturate at -1 and 1."""
    moved = tuple(
        replace(state, a=max(-1.0, min(1.0, state.a + value)))
        for state, value in zip(body.deviations, _values(jolt), strict=True)
    )
    return replace(body, deviations=moved)


def set_points(at: float, physiology: tuple[OpponentProcess, ...] = PHYSIOLOGY) -> Levels:
    """Where the body expects to be at a time, each in [0, 1]."""
    return Levels(*(process.expected(at) for process in physiology))


def levels(body: Body, physiology: tuple[OpponentProcess, ...] = PHYSIOLOGY) -> Levels:
    """Levels now, each in [0, 1]."""
    expected = _values(set_points(body.at, physiology))
    pairs = zip(expected, body.deviations, strict=True)
    return Levels(*(max(0.0, min(1.0, point + state.net)) for point, state in pairs))


def _values(levels: Levels) -> tuple[float, ...]:
    return tuple(getattr(levels, field.name) for field in fields(levels))


class _Solution:
    """a and a - b as sums of exponentials under constant input: c0 + ca e^(-t/tau_a) + cb e^(-t/tau_b)."""

    def __init__(self, process: OpponentProcess, state: Deviation, u: float) -> None:
        self._rates = (0.0, 1.0 / process.tau_a, 1.0 / process.tau_b)
        k, ratio = process.k, process.tau_b / process.tau_a
        primary = state.a - u
        echo = k * primary / (1.0 - ratio)
        rest = state.b - k * u - echo
        self._a = (u, primary, 0.0)
        self._b = (k * u, echo, rest)

    def at(self, t: float) -> Deviation:
        decays = [math.exp(-rate * t) for rate in self._rates]
        return Deviation(
            a=sum(c * decay for c, decay in zip(self._a, decays, strict=True)),
            b=sum(c * decay for c, decay in zip(self._b, decays, strict=True)),
        )

    def squared(self, t: float, leak: float) -> float:
        net = [a - b for a, b in zip(self._a, self._b, strict=True)]
        total = 0.0
        for ci, ri in zip(net, self._rates, strict=True):
            for cj, rj in zip(net, self._rates, strict=True):
                total += ci * cj * _leaky_integral(ri + rj, t, 1.0 / leak)
        return max(0.0, total)


def _leaky_integral(rate: float, t: float, leak: float) -> float:
    """Integral of e^(-rate s) e^(-leak (t - s)) over s in [0, t]."""
    gap = rate - leak
    if abs(gap * t) < 1e-9:
        return t * math.exp(-leak * t)
    return -math.exp(-leak * t) * math.expm1(-gap * t) / gap
