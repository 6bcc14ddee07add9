"""A running zfs-agent, asked over the bus as the backup-agent asks it."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest
from emily_bus import Bus, ErrorReply
from emily_contracts.snapshots import (
    DatasetSnapshotsRequest,
    HoldSnapshot,
    ReleaseSnapshot,
    StorageStatus,
    StorageStatusRequest,
    TakeSnapshot,
)
from emily_contracts.topics import (
    DATASET_SNAPSHOTS,
    HOLD_SNAPSHOT,
    RELEASE_SNAPSHOT,
    SNAPSHOT_CHANGED,
    STORAGE,
    TAKE_SNAPSHOT,
)
from emily_runtime.testing import ServiceProcess
from emily_zfs_agent.commands import Commands
from emily_zfs_agent.testing import Recorded
from emily_zfs_agent.zfs import Zfs

pytestmark = pytest.mark.anyio
Make = Callable[..., ServiceProcess]
TIMEOUT_S = 40


@pytest.fixture
def make(endpoint: str, tmp_path: Path) -> Iterator[Make]:
    """Starts a zfs-agent with a desired state, or without."""
    process = ServiceProcess(
        (sys.executable, "-m", "emily_zfs_agent"),
        name="zfs-agent",
        endpoint=endpoint,
        namespace=f"emily-{tmp_path.name.lower().replace('_', '-')}",
        state_dir=tmp_path / "state",
    )

    def start(desired: str = "", **settings: str) -> ServiceProcess:
        process.state_dir.mkdir(exist_ok=True)
        if desired:
            file = tmp_path / "zfs.toml"
            file.write_text(desired)
            settings["desired_file"] = str(file)
        process.start(**{"look_every_s": "0.2", **settings})
        return process

    try:
        yield start
    finally:
        process.kill()


def wish(dataset: str, policy: str = "recursive = true, hourly = 2") -> str:
    pool = dataset.partition("/")[0]
    return f'[pools.{pool}]\n[datasets."{dataset}"]\nsnapshots = {{ {policy} }}\n'


async def until(bus: Bus, holds: Callable[[StorageStatus], bool]) -> StorageStatus:
    with anyio.fail_after(TIMEOUT_S):
        while not holds(status := await bus.ask(STORAGE, StorageStatusRequest(), timeout=TIMEOUT_S)):
            await anyio.sleep(0.05)
    return status


async def refusal(bus: Bus, query: Any, request: msgspec.Struct) -> str:
    with pytest.raises(ErrorReply) as refused:
        await bus.ask(query, request, timeout=TIMEOUT_S)
    return str(refused.value)


async def test_a_backup_gets_a_snapshot_that_is_held_until_it_releases_it(make: Make, dataset: str) -> None:
    Commands().zfs("create", "-s", "-V", "8M", f"{dataset}/disk")
    process = make(wish(dataset))
    zfs = Zfs(Commands())
    async with process.bus() as bus:
        request = TakeSnapshot(dataset=dataset, recursive=True, tag="backup-1")
        taken = await bus.ask(TAKE_SNAPSHOT, request, timeout=TIMEOUT_S)
        below, disk = (taken.snapshot.replace("@", f"/{name}@") for name in ("below", "disk"))
        assert (sorted(taken.members), taken.volumes) == (sorted([taken.snapshot, below, disk]), (disk,))
        held = [zfs.snapshot(name) for name in (taken.snapshot, below, disk)]
        assert [(each.userrefs, each.policy) for each in held if each] == [(1, "on request")] * 3
        assert held[0] is not None
        assert (held[0].guid, held[0].creation) == (taken.guid, taken.created_at)
        again = HoldSnapshot(snapshot=taken.snapshot, tag="backup-1")
        assert (await bus.ask(HOLD_SNAPSHOT, again, timeout=TIMEOUT_S)).holds == 1
        release = ReleaseSnapshot(snapshot=taken.snapshot, tag="backup-1", recursive=True)
        for _ in range(2):
            assert (await bus.ask(RELEASE_SNAPSHOT, release, timeout=TIMEOUT_S)).holds == 0
        free = [zfs.snapshot(name) for name in (taken.snapshot, below, disk)]
        assert all(each is None or each.userrefs == 0 for each in free)
    assert process.metric("emily_zfs_agent_taken_total", why="request") == 1
    assert process.stop() == 0


async def test_what_others_hold_is_not_released(make: Make, dataset: str) -> None:
    process = make(wish(dataset))
    async with process.bus() as bus:
        taken = await bus.ask(TAKE_SNAPSHOT, TakeSnapshot(dataset=dataset), timeout=TIMEOUT_S)
        Commands().zfs("hold", "zrepl", taken.snapshot)
        try:
            release = ReleaseSnapshot(snapshot=taken.snapshot, tag="zrepl")
            assert (await bus.ask(RELEASE_SNAPSHOT, release, timeout=TIMEOUT_S)).holds == 1
        finally:
            Commands().zfs("release", "zrepl", taken.snapshot)


async def test_taken_and_destroyed_are_told_and_listed_with_a_reason(make: Make, dataset: str) -> None:
    for number in range(2):
        Commands().zfs("snapshot", "-o", "org.emily:policy=on request", f"{dataset}@emily-{number}")
    Commands().zfs("snapshot", f"{dataset}@foreign")
    process = make()
    assert process.stop() == 0
    async with process.bus() as bus, bus.subscribe(SNAPSHOT_CHANGED) as changes:
        process = await anyio.to_thread.run_sync(make, wish(dataset, "hourly = 1, requested = 0"))
        said = []
        with anyio.fail_after(TIMEOUT_S):
            async for change in changes:
                said.append((change.change, change.snapshot.partition("@")[2][:7]))
                if len(said) == 3:
                    break
        assert said == [("taken", "emily-2"), ("destroyed", "emily-0"), ("destroyed", "emily-1")]
        listed = await bus.ask(DATASET_SNAPSHOTS, DatasetSnapshotsRequest(), timeout=TIMEOUT_S)
        reasons = {each.snapshot.partition("@")[2][:7]: each.reason for each in listed.snapshots}
        assert reasons.keys() == {"emily-2", "foreign"}
        assert reasons["foreign"] == "not taken by Emily"
        assert reasons["emily-2"].startswith("hourly 1 of 1")
        of_below = DatasetSnapshotsRequest(dataset=f"{dataset}/below")
        Commands().zfs("snapshot", f"{dataset}/below@other")
        (other,) = (await bus.ask(DATASET_SNAPSHOTS, of_below, timeout=TIMEOUT_S)).snapshots
        assert (other.keep, other.reason) == (True, "no policy covers the dataset")


async def test_the_status_tells_pools_datasets_and_what_is_lost(make: Make, dataset: str) -> None:
    process = make(wish(dataset))
    async with process.bus() as bus:
        with anyio.fail_after(TIMEOUT_S):
            while (status := await bus.ask(STORAGE, StorageStatusRequest(), timeout=5)).looked_at is None:
                await anyio.sleep(0.05)
    assert status.idle == ""
    assert status.zfs
    assert status.lost == Zfs(Commands()).capabilities.lost()
    assert [pool.health for pool in status.pools] == ["ONLINE"]
    assert [each.dataset for each in status.datasets] == [dataset, f"{dataset}/below"]
    assert all(each.age_s is not None and each.age_s < 60 for each in status.datasets)
    assert process.metric("emily_zfs_agent_snapshot_age_seconds", dataset=f"{dataset}/below") < 60


async def test_only_datasets_of_declared_pools_may_be_named(make: Make, recorded: Recorded) -> None:
    process = make(wish("tank/a"))
    async with process.bus() as bus:
        assert "in no declared pool" in await refusal(bus, TAKE_SNAPSHOT, TakeSnapshot(dataset="other/a"))
        for name in ("-r", "tank/a b", "tank/../x", "tank/a;ls"):
            assert await refusal(bus, TAKE_SNAPSHOT, TakeSnapshot(dataset=name))
            assert await refusal(bus, DATASET_SNAPSHOTS, DatasetSnapshotsRequest(dataset=name))
            wrong = f"{name}@emily-1"
            assert await refusal(bus, HOLD_SNAPSHOT, HoldSnapshot(snapshot=wrong, tag="t"))
            assert await refusal(bus, RELEASE_SNAPSHOT, ReleaseSnapshot(snapshot=wrong, tag="t"))
        newline = TakeSnapshot(dataset="tank/a\n")
        assert "is no name of a dataset" in await refusal(bus, TAKE_SNAPSHOT, newline)
    assert not recorded.calls("zfs snapshot")
    assert not recorded.calls("zfs hold")


async def test_what_zfs_refuses_is_told_in_its_words(make: Make, dataset: str) -> None:
    process = make(wish(dataset))
    async with process.bus() as bus:
        told = await refusal(bus, TAKE_SNAPSHOT, TakeSnapshot(dataset=f"{dataset}/none"))
        assert told.startswith("zfs snapshot ")
        assert "does not exist" in told


async def test_without_a_desired_state_it_is_ready_and_idle(make: Make) -> None:
    process = make()
    async with process.bus() as bus:
        status = await bus.ask(STORAGE, StorageStatusRequest(), timeout=5)
        assert status.idle == "no desired state: set EMILY_ZFS_AGENT_DESIRED_FILE"
        told = await refusal(bus, TAKE_SNAPSHOT, TakeSnapshot(dataset="tank/a"))
        assert "EMILY_ZFS_AGENT_DESIRED_FILE" in told
    assert process.stop() == 0


async def test_without_a_zfs_that_runs_it_is_ready_and_says_why(make: Make, recorded: Recorded) -> None:
    words = "The ZFS modules are not loaded.\nTry running '/sbin/modprobe zfs' as root to load them."
    recorded.answers("zfs version", words=words, code=1)
    recorded.answers("zpool upgrade -v", words=words, code=1)
    process = make(wish("tank/a"))
    async with process.bus() as bus:
        with anyio.fail_after(TIMEOUT_S):
            while not (status := await bus.ask(STORAGE, StorageStatusRequest(), timeout=5)).idle:
                await anyio.sleep(0.05)
    assert "The ZFS modules are not loaded" in status.idle
    assert [pool.health for pool in status.pools] == ["UNKNOWN"]
    assert process.metric("emily_zfs_agent_snapshot_age_seconds", dataset="tank/a") == float("inf")


async def test_a_desired_state_that_was_changed_is_taken_up(make: Make, tmp_path: Path) -> None:
    process = make(wish("tank/a"))
    async with process.bus() as bus:
        (tmp_path / "zfs.toml").write_text(wish("tank/b", "daily = 1"))
        status = await until(bus, lambda status: status.datasets[0].dataset == "tank/b")
    assert [each.policy for each in status.datasets] == ["1 daily"]
    assert process.metric("emily_zfs_agent_desired_state_refused") == 0


async def test_sighup_has_it_taken_up_at_once_and_what_is_wrong_is_refused(
    make: Make, tmp_path: Path
) -> None:
    file = tmp_path / "zfs.toml"
    process = make(wish("tank/a"), look_every_s="3600")
    async with process.bus() as bus:
        file.write_text("[pools.tank]\nx = 1\n")
        process.send(signal.SIGHUP)
        status = await until(bus, lambda status: bool(status.refused))
        assert 'pools."tank".x: no such key' in status.refused
        assert [each.dataset for each in status.datasets] == ["tank/a"]
        assert process.metric("emily_zfs_agent_desired_state_refused") == 1
        assert process.metric("emily_zfs_agent_failures_total", what="reload") == 1
        assert "desired_state" in process.get("/readyz").text
        file.write_text(wish("tank/b"))
        process.send(signal.SIGHUP)
        status = await until(bus, lambda status: not status.refused)
        assert [each.dataset for each in status.datasets] == ["tank/b"]
    assert process.is_ready()
    assert process.stop() == 0


async def test_a_policy_that_was_changed_is_kept_on_a_real_pool(
    make: Make, dataset: str, tmp_path: Path
) -> None:
    process = make(wish(dataset, "hourly = 2"))
    async with process.bus() as bus:
        await until(bus, lambda status: bool(status.datasets[0].snapshots))
        (tmp_path / "zfs.toml").write_text(wish(f"{dataset}/below", "hourly = 2"))
        await until(
            bus, lambda status: status.datasets[0].dataset != dataset and bool(status.datasets[0].snapshots)
        )
    assert len(Zfs(Commands()).listing(f"{dataset}/below").snapshots) == 1


def test_a_desired_state_that_is_wrong_ends_it_with_all_reasons(make: Make) -> None:
    with pytest.raises(RuntimeError, match=r"2 wrong in the desired state"):
        make("[pools.tank]\nx = 1\ny = 1")
