"""How what is there differs from what is wished for, and which of it can be brought about without danger."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

import msgspec

from emily_zfs_agent.desired import Dataset, Desired
from emily_zfs_agent.names import parents, pool_of
from emily_zfs_agent.properties import AT_CREATION, DEFAULT_RECORDSIZE, exact, starves_the_pool
from emily_zfs_agent.reading import Property
from emily_zfs_agent.zfs import Zfs

_SET_HERE = ("local", "received")


class Found(NamedTuple):
    """What is there.

    Attributes:
        pools: Declared ones that exist.
        datasets: In them.
        properties: Of the declared datasets and of those above them, where they exist.
    """

    pools: frozenset[str]
    datasets: frozenset[str]
    properties: dict[str, dict[str, Property]]


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One difference.

    Attributes:
        name: Of the pool or dataset.
        property: That differs; empty where the whole is missing.
        command: That brings it about; empty when people have to.
        words: What it means.
    """

    kind: Literal["pool missing", "dataset missing", "property differs", "trap"]
    name: str
    property: str = ""
    wanted: str = ""
    found: str = ""
    command: tuple[str, ...] = ()
    words: str = ""


def look(desired: Desired, zfs: Zfs) -> Found:
    """What is there now.

    Raises:
        ZfsError: It can't be told.
    """
    by_pool = {pool: zfs.datasets(pool) for pool in desired.pools}
    datasets = frozenset(name for names in by_pool.values() if names is not None for name in names)
    asked = {each for name in desired.datasets for each in (name, *parents(name)) if each in datasets}
    return Found(
        pools=frozenset(pool for pool, names in by_pool.items() if names is not None),
        datasets=datasets,
        properties=zfs.properties(sorted(asked)),
    )


def drift(desired: Desired, found: Found) -> tuple[Change, ...]:
    """All differences, those above before those below."""
    return tuple(_differences(desired, found))


def _differences(desired: Desired, found: Found) -> Iterator[Change]:
    for pool, wish in desired.pools.items():
        if pool not in found.pools:
            layout = "; ".join(wish.layout) or "no layout is on record"
            yield Change(
                kind="pool missing",
                name=pool,
                wanted=layout,
                words="pools are made and imported by people: zpool import, or zpool create",
            )
    for name, dataset in sorted(desired.datasets.items()):
        if pool_of(name) not in found.pools:
            continue
        if _trapped(desired, found, name):
            yield Change(
                kind="trap",
                name=name,
                property="special_small_blocks",
                words="is not below the recordsize that holds here, so that all data would go to the special "
                "vdev; set both in the desired state",
            )
        elif name not in found.datasets:
            yield _creation(desired, found, name, dataset)
        else:
            yield from _settings(found.properties[name], name, dataset)


def _creation(desired: Desired, found: Found, name: str, dataset: Dataset) -> Change:
    above = parents(name)[0]
    if above not in found.datasets and above not in desired.datasets:
        return Change(
            kind="dataset missing",
            name=name,
            words=f'{above} is neither there nor wished for; add datasets."{above}"',
        )
    options = [word for key, value in dataset.properties.items() for word in ("-o", f"{key}={value}")]
    wanted = ", ".join(f"{key}={value}" for key, value in dataset.properties.items())
    return Change(kind="dataset missing", name=name, wanted=wanted, command=("create", *options, name))


def _settings(properties: dict[str, Property], name: str, dataset: Dataset) -> Iterator[Change]:
    for key, value in dataset.properties.items():
        there = properties.get(key)
        if there is not None and there.value == exact(key, value):
            continue
        fixed = key in AT_CREATION
        yield Change(
            kind="property differs",
            name=name,
            property=key,
            wanted=value,
            found="-" if there is None else there.value,
            command=() if fixed else ("set", f"{key}={value}", name),
            words="is decided when a dataset is created; move the data to a new one" if fixed else "",
        )


def _trapped(desired: Desired, found: Found, name: str) -> bool:
    """Whether the dataset would be in the trap with the values that it inherits from what is there."""

    def holds(key: str, default: int) -> int:
        for each in (name, *parents(name)):
            wish = desired.datasets.get(each)
            if wish is not None and key in wish.properties:
                return int(exact(key, wish.properties[key]))
            there = found.properties.get(each, {}).get(key)
            if there is not None and there.source in _SET_HERE and there.value.isdecimal():
                return int(there.value)
        return default

    return starves_the_pool(holds("recordsize", DEFAULT_RECORDSIZE), holds("special_small_blocks", 0))
