"""The zfs-agent is asked over a real bus, from the thread that backs up."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import anyio
import anyio.to_thread
import pytest
from emily_backup_agent.datasets import Taken
from emily_backup_agent.errors import SnapshotFailed
from emily_backup_agent.storage import ZfsAgent
from emily_bus import AskRefused, Bus, BusSettings
from emily_bus.testing import router
from emily_contracts.snapshots import (
    DatasetSnapshot,
    DatasetSnapshots,
    DatasetSnapshotsRequest,
    ReleaseSnapshot,
    SnapshotHolds,
    SnapshotTaken,
    TakeSnapshot,
)
from emily_contracts.topics import DATASET_SNAPSHOTS, RELEASE_SNAPSHOT, TAKE_SNAPSHOT

pytestmark = pytest.mark.anyio
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with router() as listening:
        yield listening


async def test_what_was_taken_is_told_and_only_what_is_held_is_released(endpoint: str) -> None:
    released = []

    async def take(request: TakeSnapshot) -> SnapshotTaken:
        assert (request.dataset, request.tag, request.recursive) == ("tank/emily", "backup-a", True)
        members = ("tank/emily@1", "tank/emily/disk@1", "tank/emily/models@1")
        volumes = members[1:2]
        return SnapshotTaken(snapshot=members[0], guid="7", created_at=NOW, members=members, volumes=volumes)

    async def listed(request: DatasetSnapshotsRequest) -> DatasetSnapshots:
        made = [
            DatasetSnapshot(snapshot=f"{request.dataset}@{number}", guid="7", created_at=NOW, holds=number)
            for number in range(3)
        ]
        return DatasetSnapshots(snapshots=tuple(made))

    async def release(request: ReleaseSnapshot) -> SnapshotHolds:
        released.append((request.snapshot, request.tag, request.recursive))
        return SnapshotHolds(snapshot=request.snapshot, exists=True)

    def ask(bus: Bus) -> Taken:
        agent = ZfsAgent(bus)
        agent.release("tank/emily", "backup-a", recursive=True)
        return agent.take("tank/emily", "backup-a", recursive=True)

    async with (
        Bus.open(BusSettings(endpoint=endpoint), namespace="taken", name="test") as bus,
        bus.serve(TAKE_SNAPSHOT, take),
        bus.serve(DATASET_SNAPSHOTS, listed),
        bus.serve(RELEASE_SNAPSHOT, release),
    ):
        taken = await anyio.to_thread.run_sync(ask, bus)
    assert taken == (("tank/emily@1", "tank/emily/models@1"), ("tank/emily/disk@1",))
    assert released == [("tank/emily@1", "backup-a", True), ("tank/emily@2", "backup-a", True)]


async def test_refusal_and_absence_of_the_zfs_agent_are_told(endpoint: str) -> None:
    async def refuse(_: TakeSnapshot) -> SnapshotTaken:
        raise AskRefused("dataset=tank/x: no pool of the desired state is called tank")

    def ask(bus: Bus) -> None:
        ZfsAgent(bus).take("tank/x", "backup-a", recursive=False)

    async with Bus.open(BusSettings(endpoint=endpoint), namespace="refused", name="test") as bus:
        with pytest.raises(SnapshotFailed, match="no zfs-agent answers on the bus"):
            await anyio.to_thread.run_sync(ask, bus)
        async with bus.serve(TAKE_SNAPSHOT, refuse):
            with pytest.raises(SnapshotFailed, match="no pool of the desired state is called tank"):
                await anyio.to_thread.run_sync(ask, bus)


async def test_what_can_not_be_listed_is_not_taken_for_released(endpoint: str) -> None:
    async def unseen(_: DatasetSnapshotsRequest) -> DatasetSnapshots:
        return DatasetSnapshots(snapshots=(), unseen=("tank/x: I/O error",))

    def ask(bus: Bus) -> None:
        ZfsAgent(bus).release("tank/x", "backup-a", recursive=False)

    async with (
        Bus.open(BusSettings(endpoint=endpoint), namespace="unseen", name="test") as bus,
        bus.serve(DATASET_SNAPSHOTS, unseen),
    ):
        with pytest.raises(SnapshotFailed, match="I/O error"):
            await anyio.to_thread.run_sync(ask, bus)
