"""`emily traffic`: which colour answers whom, seen and changed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from emily_contracts.routing import RoutingTable

from emily import traffic_view
from emily.console import DEFAULT_STATE_DIR, AsJson, StateDir, progress_bar, reports_errors, tell
from emily.deploy_ask import seconds
from emily.token import token
from emily.traffic_ask import (
    NOBODY,
    Reason,
    Router,
    TokenFile,
    Url,
    WithoutState,
    basis_points,
    status_of,
    wanted,
    without,
)

app = typer.Typer(
    help="See and change which colour answers whom.",
    no_args_is_help=True,
    epilog="Example: [bold]emily traffic show[/]",
)


@app.command()
@reports_errors
def show(
    url: Url = None,
    state_dir: StateDir = DEFAULT_STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """Show which colour answers whom, what each owes, and how often a shadow agreed. Needs no token.

    Example: emily traffic show
    """
    now = Router(state_dir, url=url, token=None).now()
    tell(now, *traffic_view.shown(now), as_json=as_json)


@app.command("set")
@reports_errors
def set_traffic(
    active: Annotated[
        str | None, typer.Argument(metavar="ACTIVE", help="The colour that answers; the one that does.")
    ] = None,
    canary: Annotated[
        str | None, typer.Option(help=f"The colour that answers a share; {NOBODY} for none.")
    ] = None,
    weight: Annotated[
        str | None, typer.Option(metavar="PERCENT", help="Of the subjects go to the canary.")
    ] = None,
    shadow: Annotated[
        str | None, typer.Option(help=f"The colour that thinks about copies; {NOBODY} for none.")
    ] = None,
    without_state: WithoutState = False,
    reason: Reason = "",
    url: Url = None,
    token_file: TokenFile = None,
    state_dir: StateDir = DEFAULT_STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """Change what is said and keep the rest; minds move along. Exit 1 when somebody else was faster.

    Example: emily traffic set --canary green --weight 5 --reason "first subjects"
    """
    router = _router(state_dir, url, token_file)
    held = router.now().table
    points = None if weight is None else basis_points(weight)
    table = wanted(held, active=active, canary=canary, weight=points, shadow=shadow)
    _change(router, held, table, without_state=without_state, reason=reason, as_json=as_json)


@app.command()
@reports_errors
def shadow(
    colour: Annotated[
        str, typer.Argument(metavar="COLOUR", help=f"That thinks about copies; {NOBODY} for none.")
    ],
    without_state: WithoutState = False,
    reason: Reason = "",
    url: Url = None,
    token_file: TokenFile = None,
    state_dir: StateDir = DEFAULT_STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """Let a colour think about copies of what the active one gets; its answers are compared, never given.

    Example: emily traffic shadow green
    """
    router = _router(state_dir, url, token_file)
    held = router.now().table
    table = wanted(held, shadow=colour)
    _change(router, held, table, without_state=without_state, reason=reason, as_json=as_json)


@app.command()
@reports_errors
def drain(
    colour: Annotated[str, typer.Argument(metavar="COLOUR", help="That is to get nothing more.")],
    to: Annotated[
        str | None, typer.Option(metavar="COLOUR", help="Who answers instead; the canary by default.")
    ] = None,
    timeout: Annotated[str, typer.Option(help="How long it may owe answers.")] = "60s",
    without_state: WithoutState = False,
    reason: Reason = "",
    url: Url = None,
    token_file: TokenFile = None,
    state_dir: StateDir = DEFAULT_STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """Take a colour out of the traffic and wait until it owes no answer. Exit 6 when it still does.

    Example: emily traffic drain blue --to green
    """
    router = _router(state_dir, url, token_file)
    now = router.now()
    status_of(now, colour)
    limit_s = seconds(timeout)
    table = without(now.table, colour, to)
    if table != now.table:
        router.change(table, without_state=without_state, reason=reason)
    with progress_bar(quiet=as_json) as progress:
        drained = router.drained(colour, limit_s, progress)
    tell(drained, *traffic_view.shown(drained), f"{colour} gets nothing and owes no answer", as_json=as_json)


def _router(state_dir: Path, url: str | None, token_file: Path | None) -> Router:
    return Router(state_dir, url=url, token=token(token_file, of="traffic", state_dir=state_dir))


def _change(
    router: Router,
    held: RoutingTable,
    table: RoutingTable,
    *,
    without_state: bool,
    reason: str,
    as_json: bool,
) -> None:
    """Let a table hold, unless it does already."""
    changed = (
        router.now() if table == held else router.change(table, without_state=without_state, reason=reason)
    )
    tell(changed, *traffic_view.shown(changed), as_json=as_json)
