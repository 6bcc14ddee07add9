"""A ZFS dataset as it was in one instant: a snapshot that is held while it is read, and where it is read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from emily_backup_agent.errors import SnapshotFailed
from emily_backup_agent.mounting import dataset_of, mount, unmount_below
from emily_backup_agent.plan import Job


class Storage(Protocol):
    """Who takes snapshots. Every method blocks, and raises `SnapshotFailed` when it is not done."""

    def take(self, dataset: str, tag: str, *, recursive: bool) -> tuple[str, ...]:
        """Take a snapshot and hold it; the names of all that were taken in that instant."""

    def release(self, dataset: str, tag: str, *, recursive: bool) -> None:
        """End every hold of snapshots of a dataset under a tag; it is done when there is none."""


@contextmanager
def instant(storage: Storage, name: str, job: Job, folder: Path) -> Iterator[dict[Path, str]]:
    """Where each dataset of a job can be read as it was at the begin of the block, for its length.

    A dataset is always mounted at the same folder: restic knows again by its path what it has read before.

    Args:
        storage: Takes the snapshot.
        name: Of the job.
        job: Names a dataset.
        folder: In which the datasets are mounted.

    Raises:
        SnapshotFailed: A snapshot can't be taken, held, mounted or let go.
    """
    assert job.dataset is not None  # noqa: S101 - else there is nothing to do here
    dataset, tag, recursive = job.dataset, f"backup-{name}", job.recursive
    storage.release(dataset, tag, recursive=recursive)  # of a run that was killed
    taken = storage.take(dataset, tag, recursive=recursive)
    try:
        mounted = {_place(folder, snapshot): snapshot.partition("@")[0] for snapshot in taken}
        for at, snapshot in zip(mounted, taken, strict=True):
            mount(snapshot, at)
        yield mounted
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
    return folder / snapshot.partition("@")[0].replace("/", "+")
