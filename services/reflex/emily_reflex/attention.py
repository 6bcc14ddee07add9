"""The alpha gate: what is attended passes, what is not is inhibited, the strongest first."""

from __future__ import annotations

from emily_contracts import GatedSignal, Stimulus

_PASSED = {True: 0.95, False: 0.4}


def gate(stimulus: Stimulus) -> tuple[GatedSignal, ...]:
    """The signals in the order of emission."""
    gated = [
        GatedSignal(
            channel=signal.channel,
            values=signal.values,
            place=signal.place,
            salience=signal.intensity * _PASSED[stimulus.attended in (None, signal.channel)],
            latency_ms=0.0,
        )
        for signal in stimulus.signals
    ]
    return tuple(sorted(gated, key=lambda signal: -signal.salience))


def ungated(stimulus: Stimulus) -> tuple[GatedSignal, ...]:
    """The signals as they come, without a gate."""
    return tuple(
        GatedSignal(
            channel=signal.channel,
            values=signal.values,
            place=signal.place,
            salience=signal.intensity,
            latency_ms=0.0,
        )
        for signal in stimulus.signals
    )
