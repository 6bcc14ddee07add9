"""A colour that is ill, slow or single-minded does not pass, and is told why."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime

import anyio
import pytest
from emily_bus import Bus, BusSettings
from emily_bus.testing import router
from emily_contracts import (
    Attention,
    AttentionRequest,
    Health,
    HealthRequest,
    Hypotheses,
    HypothesesRequest,
    Hypothesis,
    uuid7,
)
from emily_contracts.topics import ATTEND, HEALTH, HYPOTHESISE
from emily_deployer.errors import StepFailed
from emily_deployer.smoke import TIERS, Smoke, least_unique

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def settings() -> Iterator[BusSettings]:
    with router() as endpoint:
        yield BusSettings(endpoint=endpoint)


class Colour:
    """Answers as three tiers do."""

    def __init__(self) -> None:
        self.silent: set[str] = set()
        self.ill: set[str] = set()
        self.slow_s = 0.0
        self.emitted = (1, 2, 0, 3)
        self.unique = 20
        self.collapsed = False

    async def health(self, request: HealthRequest) -> Health:
        at = datetime.now(UTC)
        identity = uuid7(at)
        ill = request.service in self.ill
        return Health(
            id=identity,
            at=at,
            stimulus_id=identity,
            service=request.service,
            phase="starting" if ill else "ready",
            ready=not ill,
            version="1",
            uptime_s=1.0,
            unmet=("model",) if ill else (),
        )

    async def attend(self, request: AttentionRequest) -> Attention:
        await anyio.sleep(self.slow_s)
        return Attention(
            gated=request.drives, emitted=self.emitted, latency_ms=(1, 2, 3, 4), phase=0.0, frequency=10.0
        )

    async def hypothesise(self, request: HypothesesRequest) -> Hypotheses:
        most = request.count - self.unique + 1
        return Hypotheses(
            hypotheses=tuple(
                Hypothesis(
                    description=str(number),
                    drawn=most if number == 0 else 1,
                    log_probability=math.log(0.05),
                    log_reward=0.0,
                )
                for number in range(self.unique)
            ),
            unique=self.unique,
            expected_unique=20.0,
            total_variation=0.1,
            collapsed=self.collapsed,
        )

    @asynccontextmanager
    async def serving(self, settings: BusSettings) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            bus = await stack.enter_async_context(Bus.open(settings, namespace="emily/green", name="green"))
            for tier in set(TIERS) - self.silent:
                await stack.enter_async_context(bus.serve(HEALTH, self.health, service=tier))
            await stack.enter_async_context(bus.serve(ATTEND, self.attend))
            await stack.enter_async_context(bus.serve(HYPOTHESISE, self.hypothesise))
            yield


async def examined(settings: BusSettings, colour: Colour) -> str:
    async with colour.serving(settings):
        try:
            return await Smoke(settings)("green")
        except StepFailed as failure:
            return str(failure)


async def test_a_colour_that_is_well_passes(settings: BusSettings) -> None:
    found = await examined(settings, Colour())
    assert found.startswith("reflex, workspace, inference are well; attention in ")
    assert found.endswith("20 hypotheses of 20.0 expected")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"silent": {"workspace"}}, "health: workspace of green does not answer"),
        ({"ill": {"inference"}}, "health of green: inference is starting, unmet: model"),
        ({"slow_s": 0.06}, "attention of green: median"),
        ({"emitted": (0, 1, 2, 3)}, "attention of green: emits"),
        ({"unique": 9}, "9 are unique of 200, 20.0 are expected"),
        ({"collapsed": True}, "it has collapsed"),
    ],
)
async def test_what_is_wrong_is_said(settings: BusSettings, wrong: dict[str, object], words: str) -> None:
    colour = Colour()
    for name, value in wrong.items():
        setattr(colour, name, value)
    assert words in await examined(settings, colour)


async def test_where_nobody_answers_it_fails_at_once(settings: BusSettings) -> None:
    with pytest.raises(StepFailed, match="reflex of green does not answer"):
        await Smoke(settings)("green")


def test_chance_widens_what_is_expected() -> None:
    certain = [math.log(0.05)] * 20
    chancy = [math.log(0.002)] * 20
    assert least_unique(20, certain, 200) == pytest.approx(16, abs=0.2)
    assert least_unique(20, chancy, 200) < 12
