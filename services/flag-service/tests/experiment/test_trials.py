"""Sums are added to what is known, for the newest versions of a flag."""

from __future__ import annotations

import pytest
from emily_flag_service.experiment.trial import Sums, Trial
from emily_flag_service.store.store import Store
from emily_flag_service.store.trials import KEPT_VERSIONS
from emily_flags import parse_flag
from emily_flags.testing import define

pytestmark = pytest.mark.anyio


def trial(subject: str, version: int = 1, variant: str = "on") -> Trial:
    return Trial(flag="a", version=version, variant=variant, subject=subject)


@pytest.fixture(autouse=True)
async def flag(store: Store) -> None:
    await store.put(parse_flag("a", define()), expected=0, author="ann", reason="")


async def test_what_comes_later_is_added(store: Store) -> None:
    await store.trials.add({})
    await store.trials.add({trial("ann"): Sums(answers=2, latency_ms=30.5), trial("bob"): Sums()})
    await store.trials.add({trial("ann"): Sums(answers=1, latency_ms=10.0, right=1)})
    known = await store.trials.of("a", 1)
    assert known == {trial("ann"): Sums(answers=3, latency_ms=40.5, right=1), trial("bob"): Sums()}
    assert set(await store.trials.current()) == {trial("ann"), trial("bob")}


async def test_trials_of_an_earlier_version_are_not_current_and_the_oldest_go(store: Store) -> None:
    await store.trials.add({trial("ann"): Sums(answers=1)})
    await store.put(parse_flag("a", define(state="DISABLED")), expected=1, author="ann", reason="")
    assert await store.trials.current() == []
    assert len(await store.trials.of("a", 1)) == 1
    await store.trials.add({trial("ann", 1 + KEPT_VERSIONS): Sums()})
    assert await store.trials.of("a", 1) == {}
