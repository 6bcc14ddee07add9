"""Switches under traffic: what is lost, doubled or misrouted, what they cost, and whether minds notice.

Three parts on loopback, one after the other:

- a storm of stimuli at a steady rate, through switches and kills of everything, and what became of each;
- how long a switch takes and how much the router adds to a stimulus, with little to do;
- digit episodes with switches in their middles, against the same minds that never moved.

In the first two parts colours count instead of thinking, so that the router is measured and not the minds.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import random
import tempfile
import time
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import report
import two_colours
from emily_bus import Bus, BusSettings, Subscription
from emily_contracts import Decision, Stimulus
from emily_contracts.topic import AnyTopic
from emily_contracts.topics import DECISION, INBOUND_STIMULUS, OUTBOUND_DECISION, STIMULUS
from loopback import train
from storm import COLOURS, Storm, Town, blow, stimulus, town

STIMULI = 500_000
RATE_HZ = 2000
SWITCHES = 50
KILLS = 20
BROKER_RESTARTS = 5
CALM_HZ = 100
CALM_SWITCHES = 30
PINGS = 2000
EPISODES = 200
MIND_SWITCHES = 20
LOOP = {"use_uvloop": True}
"""As services run."""


def acts(seed: int = 0) -> list[str]:
    """What is done to the system in the storm, in random order."""
    kills = [name for name in ("router", *COLOURS) for _ in range(KILLS)]
    done = ["switch"] * SWITCHES + kills + ["broker"] * BROKER_RESTARTS
    random.Random(seed).shuffle(done)
    return done


def became_of(storm: Storm) -> dict[str, Any]:
    """What became of the stimuli of a storm."""
    ledger = storm.ledger
    calm = [each for each in storm.calms if each.end > each.begin]
    answered = sorted(when for _, when in ledger.by.values())
    in_calm = sum(
        np.searchsorted(answered, each.end) - np.searchsorted(answered, each.begin) for each in calm
    )
    took = np.array([ledger.by[each][1] - sent for each, sent in ledger.sent.items() if each in ledger.by])
    return {
        "stimuli": len(ledger.sent),
        "acts": dict(storm.acts),
        "seconds": storm.seconds,
        "per_second_between_acts": float(in_calm / sum(each.end - each.begin for each in calm)),
        "lost": len(ledger.sent) - len(ledger.answers),
        "doubled": sum(len(answers) > 1 for answers in ledger.answers.values()),
        "misrouted": ledger.misrouted(storm.calms),
        "statuses": dict(ledger.statuses),
        "refused_and_sent_again": ledger.refused,
        "sent_again": ledger.again,
        "p50_ms": 1e3 * float(np.median(took)),
        "p99_ms": 1e3 * float(np.quantile(took, 0.99)),
        "switch_p50_ms": float(np.median(storm.switch_ms)),
        "switch_p99_ms": float(np.quantile(storm.switch_ms, 0.99)),
    }


async def added(here: Town, colour: str) -> dict[str, Any]:
    """Milliseconds of one stimulus at a time, through the router and straight to its colour, in turn."""
    settings = BusSettings(endpoint=here.endpoint)
    routed, straight = [], []
    async with (
        Bus.open(settings, namespace="emily", name="client") as root,
        Bus.open(settings, namespace=f"emily/{colour}", name="client") as inside,
        root.subscribe(OUTBOUND_DECISION) as out,
        inside.subscribe(DECISION) as said,
    ):
        for number in range(PINGS):
            routed.append(await _ping(root, INBOUND_STIMULUS, out, stimulus(number)))
            await anyio.sleep(0.002)
            straight.append(await _ping(inside, STIMULUS, said, stimulus(number)))
            await anyio.sleep(0.002)
    warm = PINGS // 10
    figures = {
        name: {"p50_ms": float(np.median(each[warm:])), "p99_ms": float(np.quantile(each[warm:], 0.99))}
        for name, each in (("routed", routed), ("straight", straight))
    }
    return figures | {"added_p50_ms": figures["routed"]["p50_ms"] - figures["straight"]["p50_ms"]}


async def _ping(bus: Bus, topic: AnyTopic, answers: Subscription, sent: Stimulus) -> float:
    begin = time.perf_counter()
    await bus.publish(topic, sent)
    async for answer in answers:
        if isinstance(answer, Decision) and answer.stimulus_id == sent.id:
            break
    return 1e3 * (time.perf_counter() - begin)


def colours_that_count(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """The parts without minds."""
    figures: dict[str, Any] = {}
    with town(folder / "storm") as here:
        storm = anyio.run(_blow, here, options.stimuli, RATE_HZ, acts(), backend_options=LOOP)
        figures["storm"] = became_of(storm)
        print(figures["storm"], flush=True)
    with town(folder / "calm") as here:
        figures["latency"] = anyio.run(added, here, COLOURS[0], backend_options=LOOP)
        calm = anyio.run(
            _blow, here, CALM_HZ * CALM_SWITCHES, CALM_HZ, ["switch"] * CALM_SWITCHES, backend_options=LOOP
        )
        figures["calm"] = became_of(calm)
    return figures


async def _blow(here: Town, stimuli: int, rate: int, done: list[str]) -> Storm:
    return await blow(here, stimuli=stimuli, rate=rate, acts=done)


def minds(folder: Path) -> dict[str, Any]:
    """Real minds through switches, against the same minds at home."""
    models = train(0, folder)
    home = two_colours.AtHome.through(models, EPISODES)
    with two_colours.town(models, folder) as traffic:

        async def live() -> two_colours.Abroad:
            return await two_colours.lived_through(traffic, home.heard, switches=MIND_SWITCHES)

        abroad = anyio.run(live, backend_options=LOOP)
    pauses = 1e3 * np.array(abroad.switch_s)
    return {
        "episodes": EPISODES,
        "decisions": len(home.decided),
        "switches": len(pauses),
        "while_a_stimulus_was_thought_about": abroad.under_way,
        "differing": len(two_colours.differing(home.decided, abroad.decided)),
        "pause_p50_ms": float(np.median(pauses)),
        "pause_p99_ms": float(np.quantile(pauses, 0.99)),
    }


def bars(figures: dict[str, Any]) -> list[dict[str, Any]]:
    """What the figures have to hold."""
    storm = figures["storm"]
    held = [
        report.bar(f"{name} of all stimuli", storm[name], "==", 0)
        for name in ("lost", "doubled", "misrouted")
    ]
    held += [
        report.bar("stimuli", storm["stimuli"], ">=", STIMULI),
        report.bar("answers a second between acts", storm["per_second_between_acts"], ">=", RATE_HZ),
        report.bar("switches", storm["acts"].get("switch", 0), ">=", SWITCHES),
        report.bar("kills of the router", storm["acts"].get("router", 0), ">=", KILLS),
        report.bar(
            "kills of either colour", min(storm["acts"].get(each, 0) for each in COLOURS), ">=", KILLS
        ),
        report.bar("a switch p50 ms at 100/s", figures["calm"]["switch_p50_ms"], "<", 20.0),
        report.bar("added latency p50 ms", figures["latency"]["added_p50_ms"], "<=", 0.4),
        report.bar("decisions of minds that differ", figures["minds"]["differing"], "==", 0),
        report.bar("pause of minds p99 ms", figures["minds"]["pause_p99_ms"], "<", 100.0),
    ]
    return held


def main() -> None:
    """Measure and write `results/switching.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stimuli", type=int, default=STIMULI)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="emily-switching-") as name:
        folder = Path(name)
        for part in ("storm", "calm", "minds"):
            (folder / part).mkdir()
        figures = {"minds": minds(folder / "minds")}
        print(figures["minds"], flush=True)
        figures |= colours_that_count(folder, options)
    report.write(
        "switching",
        figures=figures,
        bars=bars(figures),
        versions=report.versions("eclipse-zenoh", "litestar", "uvloop"),
    )


if __name__ == "__main__":
    main()
