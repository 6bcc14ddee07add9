"""`emily secrets`: whether every secret that a setting refers to can be had, without showing one."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from emily_runtime import SettingsError
from emily_runtime.logs import configure_logs
from emily_runtime.secrets import Secrets, SecretUnavailable, referred
from emily_runtime.settings import CONFIG_FILE

from emily.console import AsJson, reports_errors, tell
from emily.errors import CommandError, PartialAnswer

app = typer.Typer(help="Check the secrets that settings refer to.", no_args_is_help=True)


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


@app.callback()
def _secrets() -> None:
    """Check the secrets that settings refer to."""


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
