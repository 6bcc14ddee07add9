"""The alpha gate on signals: what is attended passes, the rest is held back, the strongest goes first."""

from __future__ import annotations

from emily_contracts import GatedSignal, Signal, Stimulus
from emily_contracts.flags import ALPHA_PHASE_RESET
from emily_instinct.alpha import AlphaOscillator

ATTENDED_POWER = 0.1
IGNORED_POWER = 0.7
"""Alpha power over a channel; high power is strong inhibition (Jensen & Mazaheri 2010)."""
PEAK = 0.0
"""Phase of most inhibition: an onset begins a cycle, and signals escape as its inhibition falls."""


def turn_to(stimulus: Stimulus, oscillator: AlphaOscillator, at: float) -> AlphaOscillator:
    """The rhythm, begun anew by the onset of the stimulus, with little power over what is attended.

    Without an attended channel every channel is attended. Where the flag says so, an onset does not begin it
    anew: it runs on since it was begun last.
    """
    power = {
        signal.channel: ATTENDED_POWER if stimulus.attended in (None, signal.channel) else IGNORED_POWER
        for signal in stimulus.signals
    }
    runs_on = stimulus.flags.get(ALPHA_PHASE_RESET) == "off"
    return (oscillator if runs_on else oscillator.reset(at, PEAK)).attend(power)


def gate(stimulus: Stimulus, oscillator: AlphaOscillator, at: float) -> tuple[GatedSignal, ...]:
    """The signals in the order in which they escape inhibition."""
    drives = [signal.intensity for signal in stimulus.signals]
    channels = tuple(signal.channel for signal in stimulus.signals)
    gated = oscillator.gate(drives, at, channels)
    order = zip(gated.emitted.tolist(), gated.latency.tolist(), strict=True)
    return tuple(
        _passed(stimulus.signals[index], float(gated.gated[index]), 1000 * latency)
        for index, latency in order
    )


def ungated(stimulus: Stimulus) -> tuple[GatedSignal, ...]:
    """The signals at their own intensity and in the order given, as if there were no rhythm."""
    return tuple(_passed(signal, signal.intensity, 0.0) for signal in stimulus.signals)


def _passed(signal: Signal, salience: float, latency_ms: float) -> GatedSignal:
    return GatedSignal(
        channel=signal.channel,
        values=signal.values,
        place=signal.place,
        salience=salience,
        latency_ms=latency_ms,
    )
