"""`emily secrets`: which there are, how old, whether they can be had, others instead; none is shown."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from emily_runtime import SettingsError
from emily_runtime.loading import CONFIG_FILE
from emily_runtime.logs import configure_logs
from emily_runtime.secrets import Secrets, SecretUnavailable, referred
from emily_runtime.secrets.trail import Entry, Trail
from rich.table import Table

from emily import secret_rotate as rotation
from emily.console import DEFAULT_STATE_DIR, AsJson, StateDir, reports_errors, tell
from emily.errors import CommandError, PartialAnswer
from emily.secret_list import OWNED, POLICY, standing

app = typer.Typer(
    help="Look at secrets, rotate them, and see who did; none is ever shown.",
    no_args_is_help=True,
    epilog="Example: [bold]emily secrets status[/]",
)


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one reference.

    Attributes:
        setting: That holds it, or `argument`.
        secret: The reference; empty when it is none, as it may then be the secret itself.
        detail: What is wrong and what to do; empty when nothing is.
    """

    setting: str
    secret: str
    ok: bool
    detail: str = ""


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """How a secret of Emily's own stands.

    Attributes:
        secret: Its file, under the state folder.
        since: When it was made or rotated.
        due: When it is rotated next.
        readers: Who reads it.
        by_hand: Whether people rotate it; else `emily secrets rotate` does.
        overdue: Whether it is older than it may be.
    """

    secret: str
    since: datetime
    due: datetime
    readers: tuple[str, ...]
    by_hand: bool
    overdue: bool


class Audit(msgspec.Struct, frozen=True, kw_only=True):
    """A trail that is sound.

    Attributes:
        head: Hash of its last line: kept elsewhere, it shows that lines were cut off.
    """

    entries: tuple[Entry, ...]
    head: str


@app.command()
@reports_errors
def status(state_dir: StateDir = DEFAULT_STATE_DIR, as_json: AsJson = False) -> None:
    """List the secrets that Emily made: how old, when rotated next, who reads it. Exit 6 when one is overdue.

    Example: emily secrets status
    """
    now = datetime.now(UTC)
    found = [
        Status(
            secret=each.owned.file,
            since=each.since,
            due=each.due,
            readers=each.owned.readers,
            by_hand=each.owned.how == "by hand",
            overdue=each.due < now,
        )
        for each in standing(state_dir)
    ]
    table = Table("secret", "age", "next rotation", "rotated", "read by", expand=False)
    for each in found:
        due = f"{each.due.astimezone():%Y-%m-%d}"
        table.add_row(
            each.secret,
            f"{(now - each.since).days} d",
            f"[red]{due}[/]" if each.overdue else due,
            "by hand" if each.by_hand else "by a command",
            ", ".join(each.readers),
        )
    tell(found, table if found else f"no secrets in {state_dir}", as_json=as_json)
    overdue = [each.secret for each in found if each.overdue]
    if overdue:
        raise PartialAnswer(
            f"older than {POLICY.days} days: {', '.join(overdue)}", f"emily secrets rotate {overdue[0]}"
        )


@app.command()
@reports_errors
def rotate(
    secret: Annotated[str, typer.Argument(help="As the status lists it.")],
    state_dir: StateDir = DEFAULT_STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """Put another value in the place of a secret, wherever it is known; nobody has to start again.

    Cut off, it goes on when it is called again.

    Example: emily secrets rotate backup.password
    """
    owned = next((each for each in OWNED if each.file == secret), None)
    if owned is None or not (state_dir / secret).exists():
        raise CommandError(f"{secret}: there is no such secret in {state_dir}", "see emily secrets status")
    trail = Trail(state_dir)
    trail.verified()
    try:
        rotation.rotate(state_dir, owned)
        trail.append(secret, "rotated")
    except OSError as failure:
        raise CommandError(f"{failure.filename}: {failure.strerror}", "let this user write there") from None
    kept = "; keep a copy of it elsewhere" if owned.how == "repository" else ""
    tell({"rotated": secret}, f"Rotated {secret}{kept}.", as_json=as_json)


@app.command()
@reports_errors
def audit(state_dir: StateDir = DEFAULT_STATE_DIR, as_json: AsJson = False) -> None:
    """Show who made or rotated which secret, and that nobody changed that record. Exit 1 when somebody did.

    Example: emily secrets audit
    """
    entries, head = Trail(state_dir).verified()
    table = Table("at", "who", "secret", "act", expand=False)
    for each in entries:
        table.add_row(f"{each.at.astimezone():%Y-%m-%d %H:%M:%S}", each.who, each.secret, each.act)
    shown = (table, f"{len(entries)} lines, each bound to all before it; the last has the hash {head[:16]}.")
    tell(Audit(entries=entries, head=head), *shown, as_json=as_json)


@app.command()
@reports_errors
def check(
    references: Annotated[
        list[str] | None, typer.Argument(help="env:NAME, file:PATH or infisical:/PATH/NAME.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Read each secret that EMILY_*_SECRET or $EMILY_CONFIG refers to, or those given, and show none.

    Exit 6 when one can't be had.

    Example: emily secrets check --json
    """
    configure_logs(service="secrets-check", namespace="emily", level="warning", format="auto")
    asked = [("argument", each) for each in references] if references else list(_referring(os.environ))
    secrets = Secrets()
    findings = [_found(secrets, setting, reference) for setting, reference in asked]
    shown = [
        f"{'ok   ' if each.ok else 'WRONG'} {each.setting}: {each.detail or each.secret}" for each in findings
    ]
    tell(findings, *(shown or ["no setting refers to a secret"]), as_json=as_json)
    wrong = [each.setting for each in findings if not each.ok]
    if wrong:
        raise PartialAnswer(
            f"{len(wrong)} of {len(findings)} secrets can't be had: {', '.join(wrong)}",
            "do what its line says",
        )


def _referring(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Settings that refer to a secret, and how."""
    for name, value in sorted(environ.items()):
        if name.startswith("EMILY_") and name.endswith("_SECRET"):
            yield name, value
    file = environ.get(CONFIG_FILE)
    if not file:
        return
    try:
        tables = tomllib.loads(Path(file).read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as failure:
        raise CommandError(f"{CONFIG_FILE}={file}: {failure}", "name a TOML file that can be read") from None
    for table, rows in tables.items():
        for name, value in rows.items() if isinstance(rows, dict) else ():
            if name.endswith("_secret") and isinstance(value, str):
                yield f"[{table}] {name}", value


def _found(secrets: Secrets, setting: str, reference: str) -> Finding:
    named = ""
    try:
        named = str(referred(reference))
        secrets.read(reference, purpose="emily secrets check")
    except (SettingsError, SecretUnavailable) as failure:
        return Finding(setting=setting, secret=named, ok=False, detail=str(failure))
    return Finding(setting=setting, secret=named, ok=True)
