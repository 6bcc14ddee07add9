"""A replica on a real bus."""

from __future__ import annotations

import anyio
import pytest
from emily_bus import Bus, BusSettings
from emily_contracts.flags import FlagSnapshot, FlagsRequest
from emily_contracts.topics import CURRENT_FLAGS, FLAGS
from emily_flags import Flag, Replica, following
from emily_flags.testing import snapshot

pytestmark = pytest.mark.anyio


async def until(replica: Replica, revision: int) -> None:
    with anyio.fail_after(5):
        while replica.revision != revision:
            await anyio.sleep(0.005)


async def test_who_comes_later_asks_and_then_hears(endpoint: str, canary: Flag) -> None:
    settings = BusSettings(endpoint=endpoint)
    async with Bus.open(settings, namespace="emily-follow", name="test") as bus:

        async def now(_: FlagsRequest) -> FlagSnapshot:
            return snapshot(canary, revision=3)

        async with bus.serve(CURRENT_FLAGS, now), following(settings, namespace="emily-follow") as replica:
            assert replica.revision == 3
            assert not replica.stale
            await bus.publish(FLAGS, snapshot(canary, revision=4, after_s=1))
            await until(replica, 4)


async def test_without_a_flag_service_the_start_goes_on(endpoint: str, canary: Flag) -> None:
    settings = BusSettings(endpoint=endpoint)
    async with following(settings, namespace="emily-alone") as replica:
        assert replica.revision == 0
        assert not replica.enabled("canary")
        async with Bus.open(settings, namespace="emily-alone", name="test") as bus:
            await bus.publish(FLAGS, snapshot(canary, revision=1))
            await until(replica, 1)
