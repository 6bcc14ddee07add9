"""`emily contracts`: the contracts for everyone who is not Python."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from emily_contracts.compatibility import breaking_changes, breaking_channels
from emily_contracts.schema import asyncapi, json_schema

from emily.console import AsJson, out, print_json, reports_errors
from emily.errors import CommandError, PartialAnswer

app = typer.Typer(help="Export the contracts, or check them against a release.", no_args_is_help=True)

Folder = Annotated[Path, typer.Argument(help="Folder of schema.json and asyncapi.json.")]
RELEASED = Path("contracts/released")


@app.command()
@reports_errors
def export(folder: Folder = RELEASED, as_json: AsJson = False) -> None:
    """Write JSON Schema and AsyncAPI 3 documents of every message, query and key.

    Example: emily contracts export build/contracts
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, document in (("schema.json", json_schema()), ("asyncapi.json", asyncapi())):
        path = folder / name
        path.write_text(json.dumps(document, indent=1) + "\n")
        written.append(str(path))
    if as_json:
        print_json({"written": written})
    else:
        out.print("wrote " + " and ".join(written), soft_wrap=True)


@app.command()
@reports_errors
def check(folder: Folder = RELEASED, as_json: AsJson = False) -> None:
    """Name each change that would break those who speak the released contracts. Exit 6 when there is one.

    Example: emily contracts check contracts/released
    """
    changes = breaking_changes(_read(folder / "schema.json"), json_schema())
    changes += breaking_channels(_read(folder / "asyncapi.json"), asyncapi())
    if as_json:
        print_json({"breaking": changes})
    elif not changes:
        out.print(f"nothing in {folder} is broken", soft_wrap=True)
    if changes:
        raise PartialAnswer(
            f"{len(changes)} breaking changes:\n  " + "\n  ".join(changes),
            "add fields with defaults instead, or raise SCHEMA_VERSION and export a new release",
        )


def _read(path: Path) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError) as failure:
        raise CommandError(f"{path}: {failure}", "write it with: emily contracts export") from None
    return document
