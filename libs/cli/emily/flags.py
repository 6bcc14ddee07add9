"""`emily flags`: look at feature flags, change them, and see who changed what."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from emily import flags_view
from emily.console import DEFAULT_STATE_DIR, AsJson, StateDir, reports_errors, tell
from emily.errors import CommandError
from emily.flags_ask import FlagService, TokenFile, Url

app = typer.Typer(
    help="Look at feature flags, change them, see who changed what.",
    no_args_is_help=True,
    epilog="Example: [bold]emily flags list[/]",
)

ATTEMPTS = 3
"""A kill switch is thrown even when somebody else changes the flag in the same moment."""
WEIGHTS = 10_000

Key = Annotated[str, typer.Argument(metavar="KEY", help="Of the flag, as the list shows it.")]


@app.command("list")
@reports_errors
def list_flags(
    expired: Annotated[
        bool, typer.Option("--expired", help="Only those that should be gone by now.")
    ] = False,
    url: Url = None,
    token_file: TokenFile = None,
    state_dir: StateDir = DEFAULT_STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """List all flags: what they give, who answers for them, when they should be gone.

    Example: emily flags list --expired
    """
    listed = FlagService(state_dir, url=url, token_file=token_file).all()
    if expired:
        listed = listed | {"flags": [flag for flag in listed["flags"] if flag["expired"]]}
    tell(listed, flags_view.listed(listed["flags"]), f"revision {listed['revision']}", as_json=as_json)


@app.command()
@reports_errors
def show(
    key: Key,
    url: Url = None,
    token_file: TokenFile = None,
    state_dir: StateDir = DEFAULT_STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """Show one flag with its definition.

    Example: emily flags show enable_gflownet_v2
    """
    flag, _ = FlagService(state_dir, url=url, token_file=token_file).one(key)
    tell(flag, *flags_view.shown(flag), as_json=as_json)


@app.command("set")
@reports_errors
def set_flag(
    key: Key,
    enabled: Annotated[
        bool | None,
        typer.Option("--on/--kill", help="--kill: the code's own default, whatever the rule says."),
    ] = None,
    default: Annotated[
        str | None, typer.Option(metavar="VARIANT", help="What it gives to whom no rule applies.")
    ] = None,
    rollout: Annotated[
        list[str] | None,
        typer.Option(
            metavar="VARIANT=PERCENT", help="A share of all keys; the rest gets the default. Repeatable."
        ),
    ] = None,
    everyone: Annotated[bool, typer.Option("--everyone", help="No rule any more.")] = False,
    file: Annotated[
        Path | None, typer.Option(help="JSON with the whole definition; makes the flag when it is new.")
    ] = None,
    version: Annotated[
        int | None, typer.Option(min=0, help="Only if it still has this version; 0: only if it is new.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Why, in your words; kept in its history.")] = "",
    url: Url = None,
    token_file: TokenFile = None,
    state_dir: StateDir = DEFAULT_STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """Change a flag at run time; every service knows it a moment later.

    Somebody else's change in the same moment is never overwritten: exit 1, look again.

    Example: emily flags set enable_gflownet_v2 --rollout on=25 --reason "no regressions at 10 %"
    """
    if file is None and enabled is None and default is None and not rollout and not everyone:
        raise CommandError(
            "nothing to change", "give --on, --kill, --default, --rollout, --everyone or --file"
        )
    if rollout and everyone:
        raise CommandError("--rollout and --everyone: give one of them")
    service = FlagService(state_dir, url=url, token_file=token_file)
    only_kill = enabled is not None and file is None and default is None and not rollout and not everyone
    for attempt in range(ATTEMPTS):
        found = service.look(key)
        current: dict[str, Any] | None = None if found is None else found[0]["definition"]
        definition = _read(file, key) if file is not None else current
        if definition is None:
            raise CommandError(f"there is no flag {key!r}", "make it with --file")
        changed = _changed(definition, enabled=enabled, default=default, rollout=rollout, everyone=everyone)
        expected = version if version is not None else 0 if found is None else found[1]
        last = not only_kill or version is not None or attempt == ATTEMPTS - 1
        flag = service.put(key, changed, expected=expected, reason=reason, insist=last)
        if flag is not None:
            break
    assert flag is not None  # noqa: S101 - the last attempt insists
    tell(flag, *flags_view.shown(flag), as_json=as_json)


@app.command()
@reports_errors
def history(
    key: Key,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 20,
    url: Url = None,
    token_file: TokenFile = None,
    state_dir: StateDir = DEFAULT_STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """Show what was done to a flag, by whom and why, newest first.

    Example: emily flags history enable_gflownet_v2
    """
    told = FlagService(state_dir, url=url, token_file=token_file).history(key, limit)
    tell(told, flags_view.told(told["changes"]), as_json=as_json)


def _changed(
    definition: dict[str, Any],
    *,
    enabled: bool | None,
    default: str | None,
    rollout: list[str] | None,
    everyone: bool,
) -> dict[str, Any]:
    changed = dict(definition)
    if enabled is not None:
        changed["state"] = "ENABLED" if enabled else "DISABLED"
    if default is not None:
        changed["defaultVariant"] = default
    if everyone:
        changed.pop("targeting", None)
    if rollout:
        changed["targeting"] = {"fractional": _shares(rollout, changed.get("defaultVariant"))}
    return changed


def _shares(rollout: list[str], rest: str | None) -> list[list[Any]]:
    """Weights in percent, or in hundredths of it when a share is none: a canary may be small."""
    shares: list[list[Any]] = []
    for said in rollout:
        variant, _, percent = said.partition("=")
        try:
            weight = round(float(percent.removesuffix("%")) * WEIGHTS / 100)
        except (ValueError, OverflowError):
            weight = -1
        if not variant or not 0 <= weight <= WEIGHTS:
            raise CommandError(f"--rollout {said}: is not VARIANT=PERCENT", "such as --rollout on=10")
        shares.append([variant, weight])
    left = WEIGHTS - sum(weight for _, weight in shares)
    if left < 0:
        raise CommandError("--rollout: the shares add up to more than 100 %", "make them smaller")
    if left:
        shares.append([rest, left])
    whole = WEIGHTS // 100 if all(weight % (WEIGHTS // 100) == 0 for _, weight in shares) else 1
    return [[variant, weight // whole] for variant, weight in shares]


def _read(file: Path, key: str) -> dict[str, Any]:
    """A definition: of the file alone, or of this key in a document of flags."""
    try:
        document = msgspec.json.decode(file.read_bytes(), type=dict[str, Any])
    except OSError as failure:
        raise CommandError(f"{file}: {failure.strerror}", "name a file with a definition") from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as failure:
        raise CommandError(f"{file}: {failure}", "write one definition as JSON") from None
    flags = document.get("flags")
    if not isinstance(flags, dict):
        return document
    if not isinstance(flags.get(key), dict):
        raise CommandError(f"{file}: defines no flag {key!r}", f"it has {', '.join(flags) or 'none'}")
    found: dict[str, Any] = flags[key]
    return found
