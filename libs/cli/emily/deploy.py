"""`emily deploy`, `emily rollback` and `emily releases`: another version takes over, and back."""

from __future__ import annotations

import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from emily import deploy_view
from emily.console import DEFAULT_STATE_DIR, AsJson, StateDir, err, progress_bar, reports_errors, tell
from emily.deploy_ask import Deployer, Reason, TokenFile, Url, seconds, shares
from emily.errors import PartialAnswer

app = typer.Typer(
    help="Look at deploys, and lead the one that is under way.",
    no_args_is_help=True,
    epilog="Example: [bold]emily releases list[/]",
)


class Undecided(StrEnum):
    """What happens when nothing is certain in time."""

    PROMOTE = "promote"
    PAUSE = "pause"
    ROLL_BACK = "roll-back"


@reports_errors
def deploy(
    version: Annotated[
        str,
        typer.Argument(
            metavar="VERSION",
            help="Embedded: current, a git tag, a release file *.toml, a checkout or an environment; "
            "composed: a tag of images.",
        ),
    ],
    plan: Annotated[bool, typer.Option("--plan", help="Show what would be done, and do nothing.")] = False,
    shadow: Annotated[
        bool, typer.Option("--shadow/--no-shadow", help="Let it think about copies of the traffic first.")
    ] = True,
    steps: Annotated[
        str, typer.Option(help="Shares of the subjects in percent that it answers; empty for none.")
    ] = "1,5,25,50",
    window: Annotated[str, typer.Option(help="How long the old colour can take all back.")] = "60s",
    patience: Annotated[str, typer.Option(help="How long each verdict may stay open.")] = "60s",
    undecided: Annotated[
        Undecided, typer.Option(help="What happens when nothing is certain by then.")
    ] = Undecided.PROMOTE,
    detach: Annotated[bool, typer.Option("--detach", help="Do not wait for the end.")] = False,
    reason: Reason = "",
    url: Url = None,
    token_file: TokenFile = None,
    state_dir: StateDir = DEFAULT_STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """Move live traffic to another version, judged by what it does. Exit 6 when it went back to the old one.

    Ctrl-C leaves the deploy to itself; emily rollback takes it back.

    Example: emily deploy release.toml --steps 5,50 --window 5m
    """
    deployer = Deployer(state_dir, url=url, token_file=token_file)
    order = {
        "version": str(Path(version).absolute()) if Path(version).exists() else version,
        "shadow": shadow,
        "steps": shares(steps),
        "window_s": seconds(window),
        "patience": {"seconds": seconds(patience), "undecided": undecided.value},
    }
    if plan:
        planned = deployer.plan(order)
        tell(planned, *deploy_view.planned(planned), as_json=as_json)
        return
    begun = deployer.order(order, reason)
    if detach:
        tell(begun, f"begun: {begun['id']}; look at it with: emily releases show", as_json=as_json)
        return
    _follow(deployer, begun["id"], as_json=as_json)


@reports_errors
def rollback(
    reason: Reason = "",
    url: Url = None,
    token_file: TokenFile = None,
    state_dir: StateDir = DEFAULT_STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """Return all traffic to the old colour, while a deploy is under way or its rollback window is open.

    Example: emily rollback --reason "the answers look odd"
    """
    deployer = Deployer(state_dir, url=url, token_file=token_file)
    started = time.monotonic()
    going = deployer.command("rollback", reason)
    with progress_bar(quiet=as_json) as progress:
        over = deployer.follow(going["id"], progress)
    tell(
        over,
        f"{over['state']} after {time.monotonic() - started:.1f} s: {over['words']}",
        as_json=as_json,
    )


@app.command("list")
@reports_errors
def list_releases(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 20,
    url: Url = None,
    token_file: TokenFile = None,
    state_dir: StateDir = DEFAULT_STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """List deploys, the newest first, and what runs now.

    Example: emily releases list --limit 5
    """
    found = Deployer(state_dir, url=url, token_file=token_file).all(limit)
    tell(found, deploy_view.listed(found["deploys"]), deploy_view.running(found["running"]), as_json=as_json)


@app.command()
@reports_errors
def show(
    id: Annotated[
        str | None, typer.Argument(metavar="ID", help="As the list shows it; the last one.")
    ] = None,
    url: Url = None,
    token_file: TokenFile = None,
    state_dir: StateDir = DEFAULT_STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """Show everything that was done in a deploy: who, what, when and why.

    Example: emily releases show
    """
    deployer = Deployer(state_dir, url=url, token_file=token_file)
    found = deployer.one(id or deployer.current()["id"])
    tell(found, *deploy_view.shown(found), as_json=as_json)


@app.command()
@reports_errors
def diff(
    old: Annotated[str, typer.Argument(metavar="OLD", help="A version.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="Another one.")],
    url: Url = None,
    token_file: TokenFile = None,
    state_dir: StateDir = DEFAULT_STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """Show what can be known of two versions where they differ: code, revision, settings.

    Example: emily releases diff current release.toml
    """
    names = [str(Path(each).absolute()) if Path(each).exists() else each for each in (old, new)]
    found = Deployer(state_dir, url=url, token_file=token_file).diff(*names)
    tell(found, deploy_view.differing(found), as_json=as_json)


@app.command()
@reports_errors
def pause(
    reason: Reason = "",
    url: Url = None,
    token_file: TokenFile = None,
    state_dir: StateDir = DEFAULT_STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """Keep the traffic as it is until the deploy is resumed.

    Example: emily releases pause --reason "looking at a graph"
    """
    _command("pause", reason, Deployer(state_dir, url=url, token_file=token_file), as_json=as_json)


@app.command()
@reports_errors
def resume(
    reason: Reason = "",
    url: Url = None,
    token_file: TokenFile = None,
    state_dir: StateDir = DEFAULT_STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """Go on with a deploy that was paused.

    Example: emily releases resume
    """
    _command("resume", reason, Deployer(state_dir, url=url, token_file=token_file), as_json=as_json)


@app.command()
@reports_errors
def promote(
    reason: Reason = "",
    url: Url = None,
    token_file: TokenFile = None,
    state_dir: StateDir = DEFAULT_STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """Take for given what the deploy waits for: the shadow, this share of the canary, or the window.

    Example: emily releases promote --reason "seen enough"
    """
    _command("promote", reason, Deployer(state_dir, url=url, token_file=token_file), as_json=as_json)


@app.command()
@reports_errors
def abort(
    reason: Reason = "",
    url: Url = None,
    token_file: TokenFile = None,
    state_dir: StateDir = DEFAULT_STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """Return to the old colour at once, and do not wait for the end.

    Example: emily releases abort --reason "wrong version"
    """
    _command("abort", reason, Deployer(state_dir, url=url, token_file=token_file), as_json=as_json)


def _command(command: str, reason: str, deployer: Deployer, *, as_json: bool) -> None:
    told: dict[str, Any] = deployer.command(command, reason)
    tell(told, f"{told['version']} is {told['state']} at the step {told['step']}", as_json=as_json)


def _follow(deployer: Deployer, id: str, *, as_json: bool) -> None:
    try:
        with progress_bar(quiet=as_json) as progress:
            over = deployer.follow(id, progress)
    except KeyboardInterrupt:
        err.print(
            "the deploy goes on; look at it with: emily releases show, take it back with: emily rollback"
        )
        raise typer.Exit(130) from None
    tell(over, f"{over['version']}: {over['state']}; {over['words']}", as_json=as_json)
    if over["state"] == "paused":
        raise PartialAnswer(over["words"], "go on with: emily releases promote, or back with: emily rollback")
    if over["state"] != "succeeded":
        raise PartialAnswer(over["words"], "see what was done with: emily releases show")
