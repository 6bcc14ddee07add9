"""`emily zfs`: bring datasets to their desired state, take snapshots, and see what is kept and why."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer
from emily_contracts.snapshots import (
    DatasetSnapshotsRequest,
    ReplicatedDataset,
    StorageStatus,
    StorageStatusRequest,
    TakeSnapshot,
)
from emily_contracts.topics import DATASET_SNAPSHOTS, STORAGE, TAKE_SNAPSHOT
from rich.console import RenderableType

from emily import zfs_view
from emily.bus_ask import made
from emily.console import DEFAULT_STATE_DIR, AsJson, StateDir, reports_errors, tell
from emily.errors import CommandError, PartialAnswer
from emily.zfs_ask import ask, planned, rolled_back

app = typer.Typer(
    help="Bring datasets to their desired state, take snapshots, see what is kept and why.",
    no_args_is_help=True,
    epilog="Example: [bold]emily zfs plan --file zfs.toml[/]",
)

DesiredFile = Annotated[
    Path,
    typer.Option(
        "--file", "-f", metavar="FILE", envvar="EMILY_ZFS_AGENT_DESIRED_FILE", help="The desired state."
    ),
]


@app.command()
@reports_errors
def plan(file: DesiredFile, as_json: AsJson = False) -> None:
    """Show how pools and datasets differ from the desired state; change nothing. Needs no running Emily.

    Example: emily zfs plan --file zfs.toml
    """
    found = planned("plan", file)
    tell(found, *_differences(found["changes"]), as_json=as_json)


@app.command()
@reports_errors
def apply(
    file: DesiredFile,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Create the datasets that are missing and set the properties that differ. Needs no running Emily.

    Nothing is ever destroyed, and pools are left to people. Exit 6 when something differs still.

    Example: emily zfs apply --file zfs.toml --yes
    """
    if not yes:
        found = planned("plan", file)
        todo = sum(bool(change["command"]) for change in found["changes"])
        if not as_json:
            tell(found, *_differences(found["changes"]), as_json=False)
        if todo:
            _agree(todo, as_json=as_json)
    done = planned("apply", file)
    applied = sum(bool(change["command"]) for change in done["changes"]) - len(done["failed"])
    tell(
        done,
        f"{applied} changed.",
        *(f"failed: {each['reason']}" for each in done["failed"]),
        *(zfs_view.changes(done["left"]) if done["left"] else ()),
        as_json=as_json,
    )
    if done["left"]:
        raise PartialAnswer(f"{len(done['left'])} differ still", "see above")


@app.command()
@reports_errors
def snapshots(
    dataset: Annotated[
        str | None, typer.Argument(metavar="DATASET", help="All that a policy covers by default.")
    ] = None,
    state_dir: StateDir = DEFAULT_STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """List snapshots, newest first, and what the policy would do with each now, and why.

    Exit 6 when some could not be listed.

    Example: emily zfs snapshots tank/emily
    """
    found = ask(state_dir, DATASET_SNAPSHOTS, made(DatasetSnapshotsRequest, dataset=dataset))
    tell(found, *zfs_view.snapshots(found.snapshots), as_json=as_json)
    if found.unseen:
        raise PartialAnswer("; ".join(found.unseen), "see: emily zfs status")


@app.command()
@reports_errors
def snapshot(
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="In a declared pool.")],
    recursive: Annotated[
        bool, typer.Option("--recursive", "-r", help="With all datasets below, in the same instant.")
    ] = False,
    hold: Annotated[
        str | None, typer.Option(metavar="TAG", help="Keep it until somebody releases this tag.")
    ] = None,
    state_dir: StateDir = DEFAULT_STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """Take a snapshot now. Without --hold it goes once ten newer ones were asked for, or as the policy says.

    Example: emily zfs snapshot tank/emily --recursive --hold before-upgrade
    """
    request = made(TakeSnapshot, dataset=dataset, recursive=recursive, tag=hold)
    taken = ask(state_dir, TAKE_SNAPSHOT, request)
    tell(taken, f"{taken.snapshot} is taken (guid {taken.guid}).", as_json=as_json)


@app.command()
@reports_errors
def rollback(
    snapshot: Annotated[
        str, typer.Argument(metavar="SNAPSHOT", help="POOL/NAME@SNAPSHOT of a dataset with none below.")
    ],
    undo: Annotated[bool, typer.Option("--undo", help="Go back to what was before the rollback.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make a dataset what it was at a snapshot; as root, with what uses it stopped. Needs no running Emily.

    A clone of the snapshot is read whole, then takes the dataset's place. What was there stays beside it as
    NAME.before-SNAPSHOT, with all newer snapshots. What was cut off goes on when the command is given again.

    Example: emily zfs rollback tank/emily@emily-20260112T101500.000Z
    """
    if not yes:
        if as_json or not sys.stdin.isatty():
            raise CommandError("a rollback waits for your word", "stop what uses the dataset, then say --yes")
        typer.confirm(f"{'Undo the rollback' if undo else 'Roll back'} to {snapshot}?", abort=True)
    done = rolled_back(snapshot, undo=undo)
    kept = f" What was there is kept as {done['kept']}." if done["kept"] else ""
    words = done["steps"] or ("Nothing was left to do: it was done before.",)
    tell(done, *words, f"{done['dataset']} is live.{kept}", as_json=as_json)


@app.command()
@reports_errors
def status(state_dir: StateDir = DEFAULT_STATE_DIR, as_json: AsJson = False) -> None:
    """Show how pools are, how old the newest snapshot of each dataset and target is, and what went wrong.

    Exit 6 when a dataset has a problem, has no snapshot or nothing arrived, or a pool is not healthy.

    Example: emily zfs status --json
    """
    found = ask(state_dir, STORAGE, StorageStatusRequest())
    tell(found, *zfs_view.status(found), as_json=as_json)
    bad = [each.dataset for each in found.datasets if each.problem or each.newest_at is None]
    bad += [pool.name for pool in found.pools if pool.health != "ONLINE"]
    bad += [f"{each.dataset} to {each.target}" for each in _behind(found)]
    bad += ["the desired state"] if found.refused else []
    if bad:
        raise PartialAnswer(f"not well: {', '.join(bad)}", "see above")


def _behind(found: StorageStatus) -> Iterable[ReplicatedDataset]:
    return (each for each in found.replications if each.problem or each.newest_at is None)


def _differences(found: list[dict[str, Any]]) -> Iterable[RenderableType]:
    return zfs_view.changes(found) if found else ("Nothing to do: all is as it should be.",)


def _agree(todo: int, *, as_json: bool) -> None:
    if as_json or not sys.stdin.isatty():
        raise CommandError(f"{todo} changes wait for your word", "look at them with plan, then say --yes")
    typer.confirm(f"Carry out {todo} changes?", abort=True)
