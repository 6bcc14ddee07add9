"""How often the deployer sends back a colour that is as good, and how soon one that is worse.

Each simulated deploy gives both colours stimuli of the same kind and is judged after every 50 of them, as the
deployer does, by its own code and with its own criteria. A/A deploys are looked at to the end, also after
they would have been promoted, so that the rate is not flattered. A regression is injected into the new colour
alone.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import msgspec
import numpy as np
import report
from emily_deployer.judging import Action, Criteria, Evidence, judge, judge_shadow
from emily_deployer.judging.proportion import Proportion
from numpy.typing import NDArray

LOOK = 50
SAME = 2_000
LONGEST = 30_000
SHADOWED = 500
NAMES = ("green", "blue")


class World(NamedTuple):
    """What stimuli are like in one colour.

    Attributes:
        errors: Share of failed stimuli.
        latency: Times the usual one.
        tail: Times the usual one, of the slowest tenth alone.
        wrong: Share of wrong decisions.
        free_energy: Mean, in nats.
    """

    errors: float = 0.002
    latency: float = 1.0
    tail: float = 1.0
    wrong: float = 0.08
    free_energy: float = 1.5


EDGE = World(errors=0.007, latency=1.2, wrong=0.09, free_energy=1.75)
"""As bad as is just tolerated, in everything at once: the hardest colour that may not be sent back."""
REGRESSIONS = {
    "errors +2 %": World(errors=0.022),
    "every latency x1.5": World(latency=1.5),
    "latency p99 x1.5, the slowest tenth alone": World(tail=1.5),
    "wrong answers +3 %": World(wrong=0.11),
    "expected free energy +0.5 nats": World(free_energy=2.0),
}


class Deploy(NamedTuple):
    """How a simulated deploy ended.

    Attributes:
        back: Whether the new colour was sent back.
        stimuli: Of the new colour until then.
        metrics: That were harmful.
    """

    back: bool
    stimuli: int
    metrics: tuple[str, ...] = ()


def take(evidence: Evidence, world: World, rng: np.random.Generator) -> None:
    """Let a colour answer the next stimuli."""
    evidence.failures = more(evidence.failures, rng.random(LOOK) < world.errors)
    evidence.wrong = more(evidence.wrong, rng.random(LOOK) < world.wrong)
    scores = rng.standard_normal(LOOK)
    slowest = scores > 1.2816
    seconds = 0.012 * np.exp(0.5 * scores) * world.latency * np.where(slowest, world.tail, 1.0)
    evidence.latencies.add(*seconds)
    evidence.confidence.add(*rng.beta(8, 2, LOOK))
    evidence.free_energy.add(*rng.normal(world.free_energy, 1.2, LOOK))


def more(before: Proportion, happened: NDArray[np.bool_]) -> Proportion:
    """A proportion after more trials."""
    return Proportion(happened=before.happened + int(happened.sum()), trials=before.trials + len(happened))


def deploy(world: World, stimuli: int, agreement: float, seed: int) -> Deploy:
    """One deploy: a shadow, then a canary, looked at all the time."""
    rng, criteria = np.random.default_rng(seed), Criteria()
    agreed = np.cumsum(rng.random(SHADOWED) < agreement)
    for compared in range(10, SHADOWED + 1, 10):
        shadow = judge_shadow(compared, int(agreed[compared - 1]), criteria, names=NAMES)
        if shadow.action is Action.ROLL_BACK:
            return Deploy(True, 0, ("agreement",))
    new, old = Evidence(criteria), Evidence(criteria)
    while new.stimuli < stimuli:
        take(new, world, rng)
        take(old, World(), rng)
        verdict = judge(new, old, criteria, names=NAMES)
        if verdict.action is Action.ROLL_BACK:
            harmful = tuple(each.metric for each in verdict.findings if each.standing.value == "harmful")
            return Deploy(True, new.stimuli, harmful)
    return Deploy(False, new.stimuli)


def simulate(each: Callable[[int], Deploy], deploys: int, pool: ProcessPoolExecutor) -> dict[str, Any]:
    """Share that was sent back, and after how many stimuli."""
    ended = list(pool.map(each, range(deploys), chunksize=10))
    back = [one for one in ended if one.back]
    metrics = [metric for one in back for metric in one.metrics]
    return {
        "deploys": deploys,
        "sent_back": len(back) / deploys,
        "stimuli_until": {
            name: float(np.percentile([one.stimuli for one in back], share)) if back else None
            for name, share in (("median", 50), ("p90", 90))
        },
        "by": {metric: metrics.count(metric) for metric in sorted(set(metrics))},
    }


def main() -> None:
    """Simulate, and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--same", type=int, default=2_000, help="A/A deploys")
    parser.add_argument("--edge", type=int, default=400, help="deploys that are just tolerable")
    parser.add_argument("--worse", type=int, default=60, help="deploys of each regression")
    options = parser.parse_args()
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        same = simulate(partial(deploy, World(), SAME, 0.97), options.same, pool)
        edge = simulate(partial(deploy, EDGE, SAME, 0.9), options.edge, pool)
        worse = {
            name: simulate(partial(deploy, world, LONGEST, 0.97), options.worse, pool)
            for name, world in REGRESSIONS.items()
        }
    figures = {
        "criteria": msgspec.to_builtins(Criteria()),
        "look_every": LOOK,
        "same": {"stimuli_at_most": SAME, "shadowed": SHADOWED, **same},
        "edge": {"stimuli_at_most": SAME, "shadowed": SHADOWED, **edge},
        "worse": {"stimuli_at_most": LONGEST, **worse},
    }
    bars = [
        report.bar(f"A/A deploys sent back, of {options.same:,}", same["sent_back"], "<=", 0.05),
        report.bar(f"just tolerable ones, of {options.edge:,}", edge["sent_back"], "<=", 0.05),
        *(report.bar(f"sent back: {name}", found["sent_back"], ">=", 0.95) for name, found in worse.items()),
    ]
    for name, found in worse.items():
        print(f"{name}: sent back after {found['stimuli_until']['median']} stimuli (median)")
    report.write("judging", figures=figures, bars=bars, versions=report.versions("numpy", "emily-deployer"))


if __name__ == "__main__":
    main()
