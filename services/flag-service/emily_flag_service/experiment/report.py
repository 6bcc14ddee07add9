"""What an experiment has shown so far."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec
from emily_flags import Flag

from emily_flag_service.experiment.statistics import Difference, chi_square, difference
from emily_flag_service.experiment.trial import Sums, Trial

MISMATCH = 0.001
"""Below it, subjects were not shared out as the rule says, and no effect is to be believed."""
METHOD = (
    "difference of means over subjects; 95 % interval that holds at every look (normal mixture), each metric"
    " by itself; assumes that subjects are independent and that the clocks of senders agree with this one"
)


class Metric(msgspec.Struct, frozen=True):
    """What is compared, and of which part of a subject's sums it is the mean.

    Attributes:
        better: Which direction is good.
    """

    name: str
    better: Literal["higher", "lower"]
    of: Callable[[Sums], tuple[float, int]]


METRICS = (
    Metric("accuracy", "higher", lambda sums: (sums.right, sums.outcomes)),
    Metric("looks", "lower", lambda sums: (sums.looks, sums.outcomes)),
    Metric("latency_ms", "lower", lambda sums: (sums.latency_ms, sums.timed)),
    Metric("expected_free_energy", "lower", lambda sums: (sums.energy, sums.weighed)),
    Metric("failures", "lower", lambda sums: (sums.failures, sums.answers)),
)


class Arm(msgspec.Struct, frozen=True, kw_only=True):
    """One variant and who was under it.

    Attributes:
        subjects: Who were under no other.
        share: Of all subjects that the rule gives it; none when the rule gives no shares.
    """

    variant: str
    subjects: int
    answers: int
    outcomes: int
    share: float | None


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """Of one variant on one metric, compared with the control.

    Attributes:
        subjects, control_subjects: For whom the metric is known.
        verdict: `better` or `worse` when the interval leaves zero out; else `open`.
    """

    metric: str
    better: str
    variant: str
    subjects: int
    control_subjects: int
    measured: Difference
    verdict: Literal["better", "worse", "open"]


class Ratio(msgspec.Struct, frozen=True, kw_only=True):
    """Whether subjects were shared out as the rule says.

    Attributes:
        p: Of the chi-square test; none when it can't be made.
        verdict: `mismatch` below 0.001.
    """

    p: float | None
    verdict: Literal["fits", "mismatch", "unknown"]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Of one version of a flag.

    Attributes:
        control: The variant that the others are compared with; none before anybody was under it.
        crossed: Subjects that were under several variants, and are left out.
    """

    flag: str
    version: int
    control: str | None
    arms: tuple[Arm, ...]
    effects: tuple[Effect, ...]
    ratio: Ratio
    crossed: int
    method: str = METHOD


def report(flag: Flag, version: int, trials: Mapping[Trial, Sums]) -> Report:
    """What the trials of one version of a flag show.

    Args:
        flag: As that version defines it.
        version: Its.
        trials: All that are known.
    """
    seen: dict[str, list[Trial]] = {}
    for trial in trials:
        seen.setdefault(trial.subject, []).append(trial)
    by_variant: dict[str, list[Sums]] = {}
    for own in seen.values():
        if len(own) == 1:
            by_variant.setdefault(own[0].variant, []).append(trials[own[0]])
    shares = _shares(flag.definition)
    variants = sorted(by_variant.keys() | (shares or {}).keys())
    control = _control(flag.definition, by_variant)
    return Report(
        flag=flag.key,
        version=version,
        control=control,
        arms=tuple(_arm(variant, by_variant.get(variant, []), shares) for variant in variants),
        effects=tuple(
            effect
            for variant in sorted(by_variant)
            if control is not None and variant != control
            for metric in METRICS
            if (effect := _effect(metric, variant, by_variant[variant], by_variant[control])) is not None
        ),
        ratio=_ratio({variant: len(by_variant.get(variant, [])) for variant in variants}, shares),
        crossed=sum(len(own) > 1 for own in seen.values()),
    )


def _arm(variant: str, own: list[Sums], shares: Mapping[str, float] | None) -> Arm:
    return Arm(
        variant=variant,
        subjects=len(own),
        answers=sum(sums.answers for sums in own),
        outcomes=sum(sums.outcomes for sums in own),
        share=None if shares is None else shares.get(variant, 0.0),
    )


def _effect(metric: Metric, variant: str, own: list[Sums], control: list[Sums]) -> Effect | None:
    """Of the subjects for whom the metric is known; none when a side has none."""
    values, others = _means(metric, own), _means(metric, control)
    if not values or not others:
        return None
    measured = difference(values, others)
    return Effect(
        metric=metric.name,
        better=metric.better,
        variant=variant,
        subjects=len(values),
        control_subjects=len(others),
        measured=measured,
        verdict=_verdict(metric, measured),
    )


def _means(metric: Metric, sums: list[Sums]) -> list[float]:
    parts = (metric.of(each) for each in sums)
    return [total / count for total, count in parts if count]


def _verdict(metric: Metric, measured: Difference) -> Literal["better", "worse", "open"]:
    if measured.low is None or measured.high is None or measured.low <= 0 <= measured.high:
        return "open"
    return "better" if (measured.low > 0) == (metric.better == "higher") else "worse"


def _ratio(counts: Mapping[str, int], shares: Mapping[str, float] | None) -> Ratio:
    if shares is None or not any(counts.values()):
        return Ratio(p=None, verdict="unknown")
    p = chi_square(list(counts.values()), [shares.get(variant, 0.0) for variant in counts])
    return Ratio(p=p, verdict="mismatch" if p < MISMATCH else "fits")


def _control(definition: Mapping[str, Any], by_variant: Mapping[str, Any]) -> str | None:
    """The default variant, when somebody is under it; else the first by name."""
    default = definition.get("defaultVariant")
    return default if default in by_variant else min(by_variant, default=None)


def _shares(definition: Mapping[str, Any]) -> dict[str, float] | None:
    """Of each variant, when the rule is nothing but shares; all of the default when there is no rule."""
    rule = definition.get("targeting") or {}
    default = definition.get("defaultVariant")
    if not rule:
        return None if default is None else {default: 1.0}
    parts = rule.get("fractional")
    if len(rule) != 1 or not isinstance(parts, list) or not all(map(_is_share, parts)):
        return None
    weights: dict[str, int] = {}
    for part in parts:
        weights[part[0]] = weights.get(part[0], 0) + (part[1] if len(part) == 2 else 1)
    total = sum(weights.values())
    return {variant: weight / total for variant, weight in weights.items()}


def _is_share(part: Any) -> bool:
    return (
        isinstance(part, list)
        and 1 <= len(part) <= 2
        and isinstance(part[0], str)
        and (len(part) == 1 or isinstance(part[1], int))
    )
