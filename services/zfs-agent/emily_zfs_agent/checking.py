"""What contradicts itself in a desired state, all at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from emily_zfs_agent.names import is_dataset, is_pool, parents, pool_of
from emily_zfs_agent.properties import DEFAULT_RECORDSIZE, exact, starves_the_pool
from emily_zfs_agent.replication import is_host

if TYPE_CHECKING:
    from emily_zfs_agent.desired import Desired


def problems(desired: Desired) -> list[str]:
    """A sentence for each, with the key and what to do; none when all is well."""
    return [
        *_names(desired),
        *_values(desired),
        *_small_blocks(desired),
        *_overlaps(desired),
        *_targets(desired),
    ]


def _names(desired: Desired) -> Iterator[str]:
    for pool in desired.pools:
        if not is_pool(pool):
            yield f'pools."{pool}": no name of a pool; write a letter first, and no blanks'
    for dataset in desired.datasets:
        if not is_dataset(dataset):
            yield f'datasets."{dataset}": no name of a dataset; write POOL/NAME without blanks'
        elif pool_of(dataset) not in desired.pools:
            pool = pool_of(dataset)
            yield f'datasets."{dataset}": in no declared pool; declare it as pools.{pool}, or correct it'


def _values(desired: Desired) -> Iterator[str]:
    for dataset, wish in desired.datasets.items():
        for name, value in wish.properties.items():
            try:
                exact(name, value)
            except ValueError as failure:
                yield f'datasets."{dataset}".properties.{name}: {failure}'


def _small_blocks(desired: Desired) -> Iterator[str]:
    for dataset in desired.datasets:
        small = _size(desired, dataset, "special_small_blocks", 0)
        record = _size(desired, dataset, "recordsize", DEFAULT_RECORDSIZE)
        if starves_the_pool(record, small):
            yield (
                f'datasets."{dataset}": special_small_blocks={small} must be < recordsize={record}, '
                "else all of it goes to the special vdev; make one smaller or the other larger"
            )


def _size(desired: Desired, dataset: str, name: str, default: int) -> int:
    value = _inherited(desired, dataset, name)
    try:
        return default if value is None else int(exact(name, value))
    except ValueError:
        return default


def _inherited(desired: Desired, dataset: str, name: str) -> str | None:
    """The value that the desired state gives a property, by the dataset itself or the nearest above it."""
    for each in (dataset, *parents(dataset)):
        found = desired.datasets.get(each)
        if found is not None and name in found.properties:
            return found.properties[name]
    return None


def _overlaps(desired: Desired) -> Iterator[str]:
    policies = desired.policies()
    for dataset in policies:
        for above in parents(dataset):
            if above in policies and policies[above].recursive:
                yield (
                    f'datasets."{dataset}".snapshots: datasets."{above}".snapshots is recursive and covers '
                    "it already; remove one of the two"
                )


def _targets(desired: Desired) -> Iterator[str]:
    for dataset, wish in desired.replications().items():
        where = f'datasets."{dataset}".replication'
        if desired.datasets[dataset].snapshots is None:
            yield f"{where}: no snapshots of it are taken; add a table snapshots"
        if not is_dataset(wish.target):
            yield f"{where}.target={wish.target}: no name of a dataset; write POOL/NAME without blanks"
        if wish.keep is not None and wish.keep.recursive:
            yield f"{where}.keep.recursive: follows the snapshots that are sent; leave it out"
        if wish.host and not is_host(wish.host):
            yield f"{where}.host={wish.host}: no host; write HOST or USER@HOST"
        if not wish.host and {dataset, wish.target} & {*parents(dataset), *parents(wish.target)}:
            yield f"{where}.target={wish.target}: is above or below its source; name a dataset elsewhere"
        if not wish.host and dataset == wish.target:
            yield f"{where}.target={wish.target}: is its own source; name a dataset elsewhere"
