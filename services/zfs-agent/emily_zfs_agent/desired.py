"""The desired state: one TOML file that says how pools, datasets and their snapshots should be."""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from emily_zfs_agent import checking
from emily_zfs_agent.errors import DesiredStateError
from emily_zfs_agent.policy import Policy
from emily_zfs_agent.replication import Replication


class Pool(msgspec.Struct, frozen=True, kw_only=True):
    """A pool that people made.

    Attributes:
        layout: Its vdevs in people's words, for the record.
        scrub_every_days: It is read for damage that often; never by us without it.
    """

    layout: tuple[str, ...] = ()
    scrub_every_days: Annotated[int, Meta(ge=1, le=366)] | None = None


class Dataset(msgspec.Struct, frozen=True, kw_only=True):
    """A filesystem as it should be.

    Attributes:
        properties: As written; `properties.exact` says how ZFS shows them.
        snapshots: What is kept of it; nothing is taken without it.
        replication: Where they are sent.
    """

    properties: dict[str, str] = {}
    snapshots: Policy | None = None
    replication: Replication | None = None


class Desired(msgspec.Struct, frozen=True, kw_only=True):
    """All that is wished for; made by `read` and `parsed`, which let no contradiction through."""

    pools: dict[str, Pool]
    datasets: dict[str, Dataset]

    def policies(self) -> dict[str, Policy]:
        """By the dataset that each is of."""
        return {name: each.snapshots for name, each in self.datasets.items() if each.snapshots is not None}

    def replications(self) -> dict[str, Replication]:
        """By the dataset that each is of."""
        return {
            name: each.replication for name, each in self.datasets.items() if each.replication is not None
        }


def read(file: Path) -> Desired:
    """The desired state in a file.

    Raises:
        DesiredStateError: The file can't be read, or lists all that is wrong in it.
    """
    try:
        return parsed(file.read_text(encoding="utf-8"))
    except OSError as failure:
        raise DesiredStateError([f"{file}: {failure.strerror}; name a readable file"]) from None
    except UnicodeDecodeError:
        raise DesiredStateError([f"{file}: is not text in UTF-8"]) from None


def parsed(text: str) -> Desired:
    """The desired state in a text.

    Raises:
        DesiredStateError: Lists all that is wrong.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as failure:
        raise DesiredStateError([f"not TOML: {failure}"]) from None
    problems = [
        f"{key}: no such table; there are pools and datasets"
        for key in document
        if key not in Desired.__struct_fields__
    ]
    pools = {
        name: _made(Pool, table, f'pools."{name}"', problems)
        for name, table in _tables(document, "pools", problems)
    }
    datasets = {
        name: _dataset(table, f'datasets."{name}"', problems)
        for name, table in _tables(document, "datasets", problems)
    }
    desired = Desired(pools=pools, datasets=datasets)
    problems += checking.problems(desired)
    if problems:
        raise DesiredStateError(problems)
    return desired


def _dataset(table: dict[str, Any], where: str, problems: list[str]) -> Dataset:
    known = dict(table)
    properties, policy = known.pop("properties", {}), known.pop("snapshots", None)
    replication = known.pop("replication", None)
    _made(Dataset, known, where, problems)
    return Dataset(
        properties=_properties(properties, f"{where}.properties", problems),
        snapshots=None if policy is None else _policy(policy, f"{where}.snapshots", problems),
        replication=None
        if replication is None
        else _replication(replication, f"{where}.replication", problems),
    )


def _properties(table: Any, where: str, problems: list[str]) -> dict[str, str]:
    if not isinstance(table, dict):
        problems.append(f"{where}: is not a table; write NAME = VALUE in it")
        return {}
    found = {}
    for name, value in table.items():
        if isinstance(value, bool):
            problems.append(f'{where}.{name}: {str(value).lower()} is no value of ZFS; write "on" or "off"')
        elif isinstance(value, str | int):
            found[name] = str(value)
        else:
            problems.append(f'{where}.{name}: {value!r} is no value of ZFS; put it in quotes: "{value}"')
    return found


def _policy(table: Any, where: str, problems: list[str]) -> Policy | None:
    before = len(problems)
    fields = _fields(Policy, table, where, problems)
    try:
        return Policy(**fields)
    except ValueError as failure:
        if len(problems) == before:
            problems.append(f"{where}: {failure}")
        return None


def _replication(table: Any, where: str, problems: list[str]) -> Replication | None:
    before = len(problems)
    keep = table.pop("keep", None) if isinstance(table, dict) else None
    fields = _fields(Replication, table, where, problems)
    if keep is not None:
        fields["keep"] = _policy(keep, f"{where}.keep", problems)
    if "target" not in fields:
        if len(problems) == before:
            problems.append(f'{where}: names no target; write target = "POOL/NAME"')
        return None
    return Replication(**fields)


def _made[S: msgspec.Struct](kind: type[S], table: Any, where: str, problems: list[str]) -> S:
    return kind(**_fields(kind, table, where, problems))


def _fields(kind: type[msgspec.Struct], table: Any, where: str, problems: list[str]) -> dict[str, Any]:
    """The fields of a table that fit; a problem for each other."""
    if not isinstance(table, dict):
        problems.append(f"{where}: is not a table; give it keys")
        return {}
    known = {field.name: field.type for field in msgspec.structs.fields(kind)}
    found = {}
    for name, value in table.items():
        if name not in known:
            meant = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {meant[0]}?" if meant else f"there are {', '.join(known)}"
            problems.append(f"{where}.{name}: no such key; {hint}")
            continue
        try:
            found[name] = msgspec.convert(value, known[name])
        except msgspec.ValidationError as failure:
            problems.append(f"{where}.{name}={value!r}: {failure}")
    return found


def _tables(document: dict[str, Any], key: str, problems: list[str]) -> list[tuple[str, dict[str, Any]]]:
    tables = document.get(key, {})
    if not isinstance(tables, dict):
        problems.append(f"{key}: is not a table; write tables {key}.NAME")
        return []
    found = []
    for name, table in tables.items():
        if isinstance(table, dict):
            found.append((name, table))
        else:
            problems.append(f'{key}."{name}": is not a table; give it keys')
    return found
