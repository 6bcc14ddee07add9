"""What is asked of the zfs-agent, and what it tells of datasets, pools and their snapshots."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from emily_contracts.constraints import Name
from emily_contracts.envelope import Message

Count = Annotated[int, Meta(ge=0)]
DatasetName = Annotated[
    str, Meta(pattern=r"^[A-Za-z][A-Za-z0-9_.:-]*(/[A-Za-z0-9][A-Za-z0-9_.:-]*)*$", max_length=255)
]
SnapshotName = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z][A-Za-z0-9_.:-]*(/[A-Za-z0-9][A-Za-z0-9_.:-]*)*@[A-Za-z0-9][A-Za-z0-9_.:-]*$",
        max_length=255,
    ),
]


class SnapshotChanged(Message, frozen=True, kw_only=True):
    """A snapshot was taken, or is gone.

    Attributes:
        snapshot: Its whole name.
        guid: Stays when the name goes to another.
        reason: Why it was taken or destroyed, in words.
    """

    change: Literal["taken", "destroyed"]
    snapshot: str
    guid: str
    reason: str


class TakeSnapshot(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Take a snapshot of a dataset now.

    Attributes:
        recursive: With all datasets below it, in the same instant.
        tag: It is held under this tag, and so kept until the tag is released.
    """

    dataset: DatasetName
    recursive: bool = False
    tag: Name | None = None


class SnapshotTaken(msgspec.Struct, frozen=True, kw_only=True):
    """It is there.

    Attributes:
        snapshot: Its whole name.
        created_at: By ZFS's own clock.
        members: All that were taken in the same instant, this one among them.
        volumes: Those of them that are of volumes: block devices, which hold no files.
    """

    snapshot: str
    guid: str
    created_at: datetime
    members: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()


class HoldSnapshot(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Keep a snapshot until the tag is released; asked twice, it is held once.

    Attributes:
        recursive: With those of the same name of all datasets below.
    """

    snapshot: SnapshotName
    tag: Name
    recursive: bool = False


class ReleaseSnapshot(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """End a hold; asked twice, or of a snapshot that is gone, nothing more happens.

    Attributes:
        recursive: With those of the same name of all datasets below.
    """

    snapshot: SnapshotName
    tag: Name
    recursive: bool = False


class SnapshotHolds(msgspec.Struct, frozen=True, kw_only=True):
    """How a snapshot is held now.

    Attributes:
        exists: Whether there is such a snapshot.
        holds: By how many, others included.
    """

    snapshot: str
    exists: bool
    holds: Count = 0


class DatasetSnapshotsRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Asks for the snapshots of a dataset, whoever took them.

    Attributes:
        dataset: None asks for all that a policy covers.
    """

    dataset: DatasetName | None = None


class DatasetSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """One snapshot, and what becomes of it.

    Attributes:
        used: Bytes that nothing else refers to.
        holds: How many hold it.
        tags: Who of them is told, ours without prefix.
        policy: Of Emily's own: the dataset whose policy took it, or `on request`; else empty.
        keep: Whether it stays if the snapshots are judged now.
        reason: Why.
    """

    snapshot: str
    guid: str
    created_at: datetime
    used: Count = 0
    holds: Count = 0
    tags: tuple[str, ...] = ()
    policy: str = ""
    keep: bool = True
    reason: str = ""


class DatasetSnapshots(msgspec.Struct, frozen=True, kw_only=True):
    """By dataset, newest first.

    Attributes:
        unseen: Why others could not be listed.
    """

    snapshots: tuple[DatasetSnapshot, ...]
    unseen: tuple[str, ...] = ()


class StorageStatusRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Asks how pools and snapshots stand."""


class StoragePool(msgspec.Struct, frozen=True, kw_only=True):
    """A declared pool.

    Attributes:
        health: In the words of ZFS, `ONLINE` when all is well; `MISSING`, or `UNKNOWN` before the first look.
        used: Share of it, 0 to 1.
        scrubbed_at: When it was last read for damage; none when that is not known.
        errors: By kind: read, write, checksum, data.
    """

    name: str
    health: str
    size: Count = 0
    used: float = 0.0
    scrubbed_at: datetime | None = None
    busy: bool = False
    errors: dict[str, int] = {}


class ProtectedDataset(msgspec.Struct, frozen=True, kw_only=True):
    """A dataset that a policy covers.

    Attributes:
        policy: What is kept, in words.
        newest_at: Of its newest snapshot by Emily; none when it never got one.
        snapshots: By Emily.
        held: Of them.
        problem: Why the last turn did not do all that was due; empty when it did.
    """

    dataset: str
    policy: str
    newest_at: datetime | None = None
    age_s: float | None = None
    snapshots: Count = 0
    held: Count = 0
    problem: str = ""


class ReplicatedDataset(msgspec.Struct, frozen=True, kw_only=True):
    """A dataset whose snapshots are sent elsewhere.

    Attributes:
        target: That receives them, with its host if it is on another one.
        newest_at: Of the newest snapshot that arrived; none before the first. With datasets below, of the one
            that is behind most.
        problem: Why not all that was due was done; empty when it was.
        keep: What is kept at the target, in words; empty when nothing is destroyed there.
        common: The name of the newest snapshot that both have, behind the `@`.
        lag_s: How much newer the newest snapshot of the dataset is; none before the first arrived.
        last_error: The last problem, also when it is over.
        next_at: When the next snapshot is taken, which is sent then; none: at the next look.
    """

    dataset: str
    target: str
    newest_at: datetime | None = None
    age_s: float | None = None
    problem: str = ""
    keep: str = ""
    common: str = ""
    lag_s: float | None = None
    last_error: str = ""
    last_error_at: datetime | None = None
    next_at: datetime | None = None


class StorageStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How pools and snapshots stand.

    Attributes:
        idle: Why nothing is done at all; empty when something is.
        refused: What is wrong with the desired state, so that the one before is in force; else empty.
        zfs: Its version.
        lost: What this ZFS can't do, in words.
        looked_at: When everything was last looked at.
    """

    idle: str = ""
    zfs: str = ""
    lost: tuple[str, ...] = ()
    looked_at: datetime | None = None
    pools: tuple[StoragePool, ...] = ()
    datasets: tuple[ProtectedDataset, ...] = ()
    replications: tuple[ReplicatedDataset, ...] = ()
    refused: str = ""
