"""How `emily deploy`, `rollback` and `releases` ask the deployer, and follow a deploy to its end."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode

import typer

from emily.asking import Service
from emily.errors import CommandError
from emily.launch import Progress
from emily.token import token

ROOT = "/api/v1/deploys"
POLL_S = 0.15
FORWARD = (
    "lock", "plan", "build", "expand", "start", "ready", "smoke",
    "shadow", "canary", "switch", "window", "contract", "retire",
)  # fmt: skip
"""The steps of a deploy, for the length of a bar."""
OVER = ("succeeded", "rolled back")

Url = Annotated[
    str | None,
    typer.Option(
        envvar="EMILY_DEPLOYS_URL", help="Of the deployer; the one of this state folder by default."
    ),
]
TokenFile = Annotated[
    Path | None,
    typer.Option(
        envvar="EMILY_DEPLOYS_TOKEN_FILE",
        help="Holds the token: TOKEN or NAME TOKEN; else EMILY_DEPLOYS_TOKEN_SECRET refers to it, "
        "or deploys.token in the state folder has it.",
    ),
]
Reason = Annotated[str, typer.Option(help="Why, in your words; kept in the record.")]


class Deployer:
    """The deployer as a command sees it. Every method raises `NotUp` or `CommandError`."""

    def __init__(self, state_dir: Path, *, url: str | None, token_file: Path | None) -> None:
        own = token(token_file, of="deploys", state_dir=state_dir)
        self._service = Service("deployer", ROOT, state_dir=state_dir, url=url, token=own)

    def plan(self, order: dict[str, Any]) -> dict[str, Any]:
        """What an order would do."""
        return dict(self._service.ask("POST", "/plan", order))

    def order(self, order: dict[str, Any], reason: str) -> dict[str, Any]:
        """Begin a deploy."""
        return dict(self._service.ask("POST", "", {"order": order, "reason": reason}))

    def command(self, command: str, reason: str) -> dict[str, Any]:
        """Tell the deploy that is under way what to do."""
        return dict(self._service.ask("POST", f"/current/{command}", {"reason": reason}))

    def current(self) -> dict[str, Any]:
        """The deploy that is under way, or else the last one."""
        return dict(self._service.ask("GET", "/current"))

    def all(self, limit: int) -> dict[str, Any]:
        """Deploys, and what runs."""
        return dict(self._service.ask("GET", f"?{urlencode({'limit': limit})}"))

    def one(self, id: str) -> dict[str, Any]:
        """A deploy with its acts."""
        return dict(self._service.ask("GET", f"/{id}"))

    def diff(self, old: str, new: str) -> dict[str, Any]:
        """What can be known of two versions."""
        return dict(self._service.ask("GET", f"/diff?{urlencode({'old': old, 'new': new})}"))

    def follow(self, id: str, progress: Progress) -> dict[str, Any]:
        """A deploy at its end, or when a person has to decide."""
        while True:
            shown = self.one(id)
            current = self.current()
            said = current["words"] if current["id"] == id else shown["words"]
            if shown["state"] in (*OVER, "paused"):
                return shown
            progress(_title(shown, said), _done(shown), len(FORWARD))
            time.sleep(POLL_S)


def seconds(text: str) -> float:
    """A length of time such as 90, 90s, 5m or 1h, in seconds."""
    units = {"s": 1, "m": 60, "h": 3600}
    number, unit = (text[:-1], text[-1]) if text and text[-1] in units else (text, "s")
    try:
        return float(number) * units[unit]
    except ValueError:
        raise CommandError(f"{text!r} is no length of time", "write it as 90s, 5m or 1h") from None


def shares(text: str) -> list[float]:
    """Percentages between commas; none for an empty text."""
    try:
        return [float(each.removesuffix("%")) for each in text.split(",") if each.strip()]
    except ValueError:
        raise CommandError(f"--steps {text}: is no list of percentages", "write it as 1,5,25,50") from None


def _title(shown: dict[str, Any], said: str) -> str:
    weight = f" {shown['weight'] / 100:g} %" if shown["weight"] else ""
    return f"{shown['step']}{weight}: {said}" if said else f"{shown['step']}{weight}"


def _done(shown: dict[str, Any]) -> int:
    return FORWARD.index(shown["step"]) if shown["step"] in FORWARD else len(FORWARD)
