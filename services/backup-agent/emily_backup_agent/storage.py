"""The zfs-agent, asked over the bus from the thread that backs up."""

from __future__ import annotations

import anyio.from_thread
import msgspec
from emily_bus import AskError, Bus, ErrorReply, NoResponder
from emily_contracts.snapshots import DatasetSnapshotsRequest, ReleaseSnapshot, TakeSnapshot
from emily_contracts.topic import Query
from emily_contracts.topics import DATASET_SNAPSHOTS, RELEASE_SNAPSHOT, TAKE_SNAPSHOT

from emily_backup_agent.datasets import Taken
from emily_backup_agent.errors import SnapshotFailed

TIMEOUT_S = 120.0


class ZfsAgent:
    """Takes, holds and releases snapshots.

    Args:
        bus: On which it is.
    """

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    def take(self, dataset: str, tag: str, *, recursive: bool) -> Taken:
        """Take a snapshot and hold it; all that were taken in that instant.

        Raises:
            SnapshotFailed: It is not there, or not held.
        """
        taken = self._ask(TAKE_SNAPSHOT, TakeSnapshot(dataset=dataset, recursive=recursive, tag=tag))
        volumes = frozenset(taken.volumes)
        return Taken(tuple(each for each in taken.members if each not in volumes), taken.volumes)

    def release(self, dataset: str, tag: str, *, recursive: bool) -> None:
        """End every hold of snapshots of a dataset under a tag; it is done when there is none.

        Raises:
            SnapshotFailed: One is still held.
        """
        there = self._ask(DATASET_SNAPSHOTS, DatasetSnapshotsRequest(dataset=dataset))
        if there.unseen:
            raise SnapshotFailed(f"dataset: {there.unseen[0]}")
        for each in there.snapshots:
            if each.holds > 0:
                self._ask(
                    RELEASE_SNAPSHOT, ReleaseSnapshot(snapshot=each.snapshot, tag=tag, recursive=recursive)
                )

    def _ask[Req: msgspec.Struct, Rep: msgspec.Struct](self, query: Query[Req, Rep], request: Req) -> Rep:
        async def ask() -> Rep:
            return await self._bus.ask(query, request, timeout=TIMEOUT_S)

        try:
            return anyio.from_thread.run(ask)
        except NoResponder:
            raise SnapshotFailed(
                "dataset: no zfs-agent answers on the bus; start it on this machine"
            ) from None
        except ErrorReply as refusal:
            raise SnapshotFailed(f"dataset: {refusal}") from None
        except AskError as failure:
            raise SnapshotFailed(f"dataset: the zfs-agent did not answer: {failure}") from None
