from __future__ import annotations

import os
import signal
import subprocess
import sys

import anyio
import pytest
from emily_bus import Bus, BusSettings, Change
from emily_bus.presence import MOST_CHANGES, Changes
from emily_bus.testing import OpenBus

pytestmark = pytest.mark.anyio


async def following(changes: Changes, count: int) -> list[Change]:
    heard = []
    with anyio.fail_after(10):
        async for change in changes:
            heard.append(change)
            if len(heard) == count:
                break
    return heard


async def test_who_is_alive_already_comes_first_and_then_each_change(open_bus: OpenBus) -> None:
    async with open_bus() as one, open_bus() as two, one.alive("reflex"), two.presence() as changes:
        assert await following(changes, 1) == [Change("reflex", True)]
        async with one.alive("workspace"):
            assert await following(changes, 1) == [Change("workspace", True)]
            assert changes.alive == {"reflex", "workspace"}
        assert await following(changes, 1) == [Change("workspace", False)]
        assert changes.alive == {"reflex"}


async def test_own_token_is_told_once(open_bus: OpenBus) -> None:
    async with open_bus() as bus, bus.alive("reflex"), bus.presence() as changes, bus.alive("last"):
        assert sorted(await following(changes, 2)) == [Change("last", True), Change("reflex", True)]


async def test_root_space_sees_who_lives_in_a_colour(endpoint: str, namespace: str) -> None:
    settings = BusSettings(endpoint=endpoint)
    async with (
        Bus.open(settings, namespace=namespace, name="root") as root,
        Bus.open(settings, namespace=f"{namespace}/blue", name="reflex") as blue,
        root.presence() as changes,
        blue.alive("reflex"),
    ):
        assert await following(changes, 1) == [Change("blue/reflex", True)]


async def test_who_is_alive_now_is_told_at_once(endpoint: str, namespace: str) -> None:
    settings = BusSettings(endpoint=endpoint)
    async with (
        Bus.open(settings, namespace=namespace, name="root") as root,
        Bus.open(settings, namespace=f"{namespace}/blue", name="memory") as blue,
        Bus.open(settings, namespace=f"{namespace}/green", name="memory") as green,
        root.alive("router"),
        root.presence() as changes,
        blue.alive("memory"),
    ):
        async with green.alive("memory"):
            await following(changes, 3)
            assert await root.living() == {"router", "blue/memory", "green/memory"}
            assert await green.living() == {"memory"}
        await following(changes, 1)
        assert await root.living() == {"router", "blue/memory"}


async def test_killed_process_is_told_dead(endpoint: str, namespace: str, open_bus: OpenBus) -> None:
    program = (
        "import anyio\n"
        "from emily_bus import Bus, BusSettings\n"
        "async def main():\n"
        f"    settings = BusSettings(endpoint={endpoint!r})\n"
        f"    async with Bus.open(settings, namespace={namespace!r}, name='reflex') as bus:\n"
        "        async with bus.alive('reflex'):\n"
        "            await anyio.sleep(50)\n"
        "anyio.run(main)\n"
    )
    process = subprocess.Popen((sys.executable, "-c", program), stdin=subprocess.DEVNULL)
    async with open_bus() as bus, bus.presence() as changes:
        assert await following(changes, 1) == [Change("reflex", True)]
        os.kill(process.pid, signal.SIGKILL)
        assert await following(changes, 1) == [Change("reflex", False)]
    process.wait(5)


async def test_changes_that_nobody_reads_are_bounded() -> None:
    changes = Changes()
    for number in range(MOST_CHANGES + 5):
        changes.note(Change(f"service-{number}", True))
    heard = await following(changes, MOST_CHANGES)
    assert heard[0] == Change("service-5", True)
    assert heard[-1] == Change(f"service-{MOST_CHANGES + 4}", True)
