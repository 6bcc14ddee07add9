"""A ZFS dataset as it was in one instant: a snapshot that is held while it is read, and where it is read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol

from emily_backup_agent.errors import SnapshotFailed
from emily_backup_agent.mounting import dataset_of, mount, unmount_below
from emily_backup_agent.plan import Job


class Taken(NamedTuple):
    """Snapshots of one instant.

    Attributes:
        filesystems: Names of those that hold files.
        volumes: Names of those that are block devices.
    """

    filesystems: tuple[str, ...]
    volumes: tuple[str, ...] = ()


class Instant(NamedTuple):
    """A dataset and those below it as they were once.

    Attributes:
        mounted: Each that holds files, by where it can be read.
        volumes: Those that hold none.
    """

    mounted: dict[Path, str]
    volumes: tuple[str, ...]


class Storage(Protocol):
    """Who takes snapshots. Every method blocks, and raises `SnapshotFailed` when it is not done."""

    def take(self, dataset: str, tag: str, *, recursive: bool) -> Taken:
        """Take a snapshot and hold it; all that were taken in that instant."""

    def release(self, dataset: str, tag: str, *, recursive: bool) -> None:
        """End every hold of snapshots of a dataset under a tag; it is done when there is none."""


@contextmanager
def instant(storage: Storage, name: str, job: Job, folder: Path) -> Iterator[Instant]:
    """The datasets of a job as they were at the begin of the block, to be read for its length.

    A dataset is always mounted at the same folder: restic knows again by its path what it has read before.

    Args:
        storage: Takes the snapshot.
        name: Of the job.
        job: Names a dataset.
        folder: In which the datasets are mounted.

    Raises:
        SnapshotFailed: A snapshot can't be taken, held, mounted or let go, or none of them holds files.
    """
    assert job.dataset is not None  # noqa: S101 - else there is nothing to do here
    dataset, tag, recursive = job.dataset, f"backup-{name}", job.recursive
    storage.release(dataset, tag, recursive=recursive)  # of a run that was killed
    taken = storage.take(dataset, tag, recursive=recursive)
    try:
        if not taken.filesystems:
            raise SnapshotFailed(f"dataset: {dataset} is a volume and holds no files; replicate it instead")
        mounted = {_place(folder, snapshot): _dataset(snapshot) for snapshot in taken.filesystems}
        for at, snapshot in zip(mounted, taken.filesystems, strict=True):
            mount(snapshot, at)
        yield Instant(mounted, tuple(map(_dataset, taken.volumes)))
    finally:
        unmount_below(folder)
        storage.release(dataset, tag, recursive=recursive)


def require_elsewhere(repository: Path | None, job: Job) -> None:
    """The repository does not lie in the dataset that goes into it.

    Raises:
        SnapshotFailed: It does.
    """
    if repository is None or job.dataset is None:
        return
    holding = dataset_of(repository)
    if holding == job.dataset or (job.recursive and f"{holding}/".startswith(f"{job.dataset}/")):
        raise SnapshotFailed(f"dataset: the repository lies in {holding}, and would be backed up into itself")


def _place(folder: Path, snapshot: str) -> Path:
    return folder / _dataset(snapshot).replace("/", "+")


def _dataset(snapshot: str) -> str:
    return snapshot.partition("@")[0]
