"""`emily experiment`: what became of the subjects of each variant of a flag."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.table import Table

from emily.console import DEFAULT_STATE_DIR, AsJson, StateDir, reports_errors, tell
from emily.flags import Key
from emily.flags_ask import FlagService, TokenFile, Url
from emily.memory_view import plain

app = typer.Typer(
    help="Compare the variants of a flag.",
    no_args_is_help=True,
    epilog="Example: [bold]emily experiment report enable_gflownet_v2[/]",
)


@app.callback()
def experiment() -> None:
    """Compare the variants of a flag."""


@app.command()
@reports_errors
def report(
    key: Key,
    version: Annotated[
        int | None, typer.Option(min=1, help="Of the flag, as its history shows it; the newest by default.")
    ] = None,
    url: Url = None,
    token_file: TokenFile = None,
    state_dir: StateDir = DEFAULT_STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """Show what became of the subjects of each variant since the flag was changed last.

    Example: emily experiment report enable_gflownet_v2
    """
    found = FlagService(state_dir, url=url, token_file=token_file).experiment(key, version)
    tell(found, _arms(found), _ratio(found), *_effects(found), as_json=as_json)


def _arms(found: dict[str, Any]) -> Table:
    table = Table("variant", "subjects", "of all", "answers", "judged", title=f"version {found['version']}")
    total = sum(arm["subjects"] for arm in found["arms"]) or 1
    for arm in found["arms"]:
        due = "" if arm["share"] is None else f" ({100 * arm['share']:g} % due)"
        name = f"{arm['variant']} (control)" if arm["variant"] == found["control"] else arm["variant"]
        table.add_row(
            plain(name),
            str(arm["subjects"]),
            f"{100 * arm['subjects'] / total:.1f} %{due}",
            str(arm["answers"]),
            str(arm["outcomes"]),
        )
    return table


def _ratio(found: dict[str, Any]) -> str:
    ratio, crossed = found["ratio"], found["crossed"]
    p = "" if ratio["p"] is None else f" (p = {ratio['p']:.3g})"
    said = {
        "fits": f"Subjects are shared out as the rule says{p}.",
        "mismatch": f"Subjects are NOT shared out as the rule says{p}: believe no effect below.",
        "unknown": "Whether subjects are shared out as they should be can't be said.",
    }[ratio["verdict"]]
    return f"{said} {crossed} that were under several variants are left out." if crossed else said


def _effects(found: dict[str, Any]) -> list[Table | str]:
    if not found["effects"]:
        return ["No metric is known of two variants yet."]
    table = Table("metric", "variant", "mean", "control", "difference", "95 % interval", "verdict")
    for effect in found["effects"]:
        measured = effect["measured"]
        table.add_row(
            effect["metric"],
            plain(effect["variant"]),
            f"{measured['mean']:.4g}",
            f"{measured['control_mean']:.4g}",
            f"{measured['difference']:+.4g}",
            _interval(measured),
            effect["verdict"],
        )
    return [table, found["method"][0].upper() + found["method"][1:] + "."]


def _interval(measured: dict[str, Any]) -> str:
    if measured["low"] is None:
        return "too little is known"
    return f"{measured['low']:+.4g} to {measured['high']:+.4g}"
