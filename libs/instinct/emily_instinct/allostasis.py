"""A body of five neuromodulators that holds itself around set-points it predicts.

Each modulator answers its drive by an opponent process; its level is set-point + what is felt, held in
[0, 1]. Set-points move with the time of day, ahead of the need (predictive regulation, Sterling 2012).
Allostatic load is the effort of all primary responses, slowly forgotten: the cost of adapting (McEwen 1998).
Time is the time of events, so that the same events give the same body.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields

from emily_instinct.errors import InstinctError
from emily_instinct.opponent import OpponentProcess, Response

DAY_S = 86_400.0
LOAD_FORGETTING_S = 600.0


@dataclass(frozen=True, kw_only=True)
class Neuromodulators:
    """A number for each neuromodulator: a level, a set-point or a drive.

    Raises:
        InstinctError: A number is not finite.
    """

    dopamine: float = 0.0
    serotonin: float = 0.0
    oxytocin: float = 0.0
    cortisol: float = 0.0
    norepinephrine: float = 0.0

    def __post_init__(self) -> None:
        if all(map(math.isfinite, self.in_order())):
            return
        for name, value in zip(MODULATORS, self.in_order(), strict=True):
            if not math.isfinite(value):
                raise InstinctError(f"{name}: {value} is not finite")

    def in_order(self) -> tuple[float, ...]:
        """The numbers in the order of `MODULATORS`."""
        return (self.dopamine, self.serotonin, self.oxytocin, self.cortisol, self.norepinephrine)


MODULATORS = tuple(field.name for field in fields(Neuromodulators))


@dataclass(frozen=True, kw_only=True)
class Regulation:
    """How one modulator is held.

    Attributes:
        process: Its answer to a drive.
        set_point: Expected level, mean over the day, in [0, 1].
        swing: How far the set-point moves with the time of day, never out of [0, 1].
        peak_hour: When it is highest, in hours since midnight UTC.

    Raises:
        InstinctError: The set-point leaves [0, 1].
    """

    process: OpponentProcess
    set_point: float = 0.5
    swing: float = 0.0
    peak_hour: float = 0.0

    def __post_init__(self) -> None:
        if not self.swing <= self.set_point <= 1 - self.swing:
            raise InstinctError(f"set_point: {self.set_point} with swing {self.swing} leaves [0, 1]")

    def expected(self, at: float) -> float:
        """The set-point at a time in seconds since 1970."""
        return self.set_point + self.swing * math.cos(math.tau * (at / DAY_S - self.peak_hour / 24.0))


Physiology = tuple[Regulation, ...]

PHYSIOLOGY: Physiology = (
    Regulation(process=OpponentProcess(tau_a=1.0, tau_b=8.0, k=0.6)),
    Regulation(process=OpponentProcess(tau_a=8.0, tau_b=60.0, k=0.5)),
    Regulation(process=OpponentProcess(tau_a=5.0, tau_b=40.0, k=0.5), set_point=0.4),
    Regulation(
        process=OpponentProcess(tau_a=20.0, tau_b=180.0, k=0.4), set_point=0.3, swing=0.1, peak_hour=8.0
    ),
    Regulation(process=OpponentProcess(tau_a=0.8, tau_b=6.0, k=0.5), set_point=0.4),
)
"""In the order of `MODULATORS`: fast for dopamine and norepinephrine, which are phasic, slow for serotonin
and cortisol, which are tonic; cortisol peaks in the morning. The numbers are ours, scaled to a mind that
is asked a few times a second; only their order is physiology."""


@dataclass(frozen=True, kw_only=True)
class Body:
    """The state of a body; rested by default.

    Attributes:
        at: Seconds since 1970.
        responses: In the order of `MODULATORS`.
        drives: That it has been under since `at`, each in [-1, 1].
        load: Allostatic load, >= 0.
    """

    at: float = 0.0
    responses: tuple[Response, ...] = (Response(),) * len(MODULATORS)
    drives: Neuromodulators = Neuromodulators()
    load: float = 0.0


def step(body: Body, dt: float, drives: Neuromodulators, physiology: Physiology = PHYSIOLOGY) -> Body:
    """The body after `dt` seconds of constant drives, which saturate at -1 and 1.

    Exact: any split of `dt` into steps gives the same body, up to rounding.

    Raises:
        InstinctError: `dt` is below 0 or not finite.
    """
    if not 0 <= dt < math.inf:
        raise InstinctError(f"dt: {dt} s is not a span of time; it must be finite and not below 0")
    held = _saturated(drives.in_order())
    lives = tuple(zip(physiology, body.responses, held.in_order(), strict=True))
    effort = sum(life.process.effort(response, dt, u, LOAD_FORGETTING_S) for life, response, u in lives)
    return Body(
        at=body.at + dt,
        responses=tuple(life.process.step(response, dt, u) for life, response, u in lives),
        drives=held,
        load=max(0.0, body.load * math.exp(-dt / LOAD_FORGETTING_S) + effort),
    )


def jolt(body: Body, size: Neuromodulators) -> Body:
    """The body after a sudden push to its primary responses, which saturate at -1 and 1."""
    pushed = _saturated(
        response.primary + push for response, push in zip(body.responses, size.in_order(), strict=True)
    )
    responses = tuple(
        Response(primary=primary, opponent=response.opponent)
        for response, primary in zip(body.responses, pushed.in_order(), strict=True)
    )
    return Body(at=body.at, responses=responses, drives=body.drives, load=body.load)


def set_points(at: float, physiology: Physiology = PHYSIOLOGY) -> Neuromodulators:
    """Where a body expects to be at a time in seconds since 1970, each in [0, 1]."""
    return _named(regulation.expected(at) for regulation in physiology)


def levels(body: Body, physiology: Physiology = PHYSIOLOGY) -> Neuromodulators:
    """Where the body is, each in [0, 1]."""
    points = set_points(body.at, physiology).in_order()
    return _named(
        min(1.0, max(0.0, point + response.net))
        for point, response in zip(points, body.responses, strict=True)
    )


def _saturated(values: Iterable[float]) -> Neuromodulators:
    return _named(min(1.0, max(-1.0, value)) for value in values)


def _named(values: Iterable[float]) -> Neuromodulators:
    dopamine, serotonin, oxytocin, cortisol, norepinephrine = values
    return Neuromodulators(
        dopamine=dopamine,
        serotonin=serotonin,
        oxytocin=oxytocin,
        cortisol=cortisol,
        norepinephrine=norepinephrine,
    )
