"""How commands of `emily flags` ask the flag-service: over HTTP, with a token."""

from __future__ import annotations

import http.client
import json
import time
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, urlencode, urlsplit

import msgspec
import typer

from emily import launch
from emily.errors import CommandError, NotUp
from emily.system import Layout, Part, parts
from emily.token import token

TIMEOUT_S = 10.0
START_TIMEOUT_S = 20.0
"""How long a command waits for a flag-service that just starts: `emily up` does not wait for it."""
POLL_S = 0.05
ROOT = "/api/v1/flags"
SERVICE = "flag-service"

Url = Annotated[
    str | None,
    typer.Option(
        envvar="EMILY_FLAGS_URL", help="Of the flag-service; the one of this state folder by default."
    ),
]
TokenFile = Annotated[
    Path | None,
    typer.Option(
        envvar="EMILY_FLAGS_TOKEN_FILE",
        help="Holds the token: TOKEN or NAME TOKEN; else EMILY_FLAGS_TOKEN_SECRET refers to it, "
        "or flags.token in the state folder has it.",
    ),
]


class FlagService:
    """The flag-service as a command sees it.

    Every method raises `NotUp` when it does not answer, and `CommandError` when it refuses.
    """

    def __init__(self, state_dir: Path, *, url: str | None, token_file: Path | None) -> None:
        self._url = url or _started(state_dir)
        self._token = token(token_file, of="flags", state_dir=state_dir)

    def all(self) -> dict[str, Any]:
        """All flags and their revision."""
        found: dict[str, Any] = self._ask("GET", "/")[1]
        return found

    def look(self, key: str) -> tuple[dict[str, Any], int] | None:
        """A flag and its version; none when there is none."""
        status, flag = self._ask("GET", f"/{quote(key, safe='')}", fine=(200, 404))
        return None if status == 404 else (flag, flag["version"])

    def one(self, key: str) -> tuple[dict[str, Any], int]:
        """A flag and its version."""
        found = self.look(key)
        if found is None:
            raise CommandError(f"there is no flag {key!r}", "look for it with: emily flags list")
        return found

    def put(
        self, key: str, definition: dict[str, Any], *, expected: int, reason: str, insist: bool
    ) -> dict[str, Any] | None:
        """The flag as it is then; none when somebody else changed it and one does not insist on an error."""
        condition = {"If-Match": f'"{expected}"'} if expected else {"If-None-Match": "*"}
        status, flag = self._ask(
            "PUT",
            f"/{quote(key, safe='')}",
            {"definition": definition, "reason": reason},
            headers=condition,
            fine=(200,) if insist else (200, 412),
        )
        return flag if status == 200 else None

    def history(self, key: str, limit: int) -> dict[str, Any]:
        """The changes of a flag."""
        query = urlencode({"limit": limit})
        found: dict[str, Any] = self._ask("GET", f"/{quote(key, safe='')}/history?{query}")[1]
        return found

    def experiment(self, key: str, version: int | None) -> dict[str, Any]:
        """What became of the subjects of each variant of a flag, as it is or was in a version."""
        query = "" if version is None else f"?version={version}"
        found: dict[str, Any] = self._ask("GET", f"/{quote(key, safe='')}/experiment{query}")[1]
        return found

    def _ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: dict[str, str] | None = None,
        fine: tuple[int, ...] = (200,),
    ) -> tuple[int, Any]:
        split = urlsplit(self._url)
        kind = http.client.HTTPSConnection if split.scheme == "https" else http.client.HTTPConnection
        sent = {
            "Authorization": f"Bearer {self._token}",
            "Content-Type": "application/json",
            **(headers or {}),
        }
        try:
            connection = kind(split.netloc, timeout=TIMEOUT_S)
            try:
                payload = None if body is None else msgspec.json.encode(body)
                connection.request(method, split.path.rstrip("/") + ROOT + path, payload, sent)
                answer = connection.getresponse()
                text = answer.read()
            finally:
                connection.close()
        except (OSError, http.client.HTTPException, ValueError) as failure:
            raise NotUp(f"{self._url} does not answer: {failure}", "start the flag-service") from None
        try:
            said = json.loads(text)
        except ValueError:
            raise CommandError(f"{self._url} answered {answer.status} without JSON", "check --url") from None
        if answer.status not in fine:
            raise CommandError(said.get("detail", f"it answered {answer.status}"), _remedy(answer.status))
        return answer.status, said


def _remedy(status: int) -> str:
    return {
        401: "say where your token is with --token-file",
        412: "look at it with: emily flags show, then set it again",
        503: "try again in a moment",
    }.get(status, "")


def _started(state_dir: Path) -> str:
    """The address of the flag-service of a state folder, which is waited for while the system starts."""
    running = launch.running(Layout(state_dir=state_dir))
    if running is None:
        return _announced(Layout(state_dir=state_dir).announcement(_part(Layout())))
    layout = running.layout
    if not layout.memory:
        raise NotUp("Emily is up without a database, and so without flags", "start her without --no-memory")
    part = _part(layout)
    deadline = time.monotonic() + START_TIMEOUT_S
    while not _has_flags(*launch.readiness(layout, part)) and time.monotonic() < deadline:
        time.sleep(POLL_S)
    return _announced(layout.announcement(part))


def _has_flags(ready: bool, lacks: str) -> bool:
    """Whether it knows its flags, and be it without its database."""
    return ready or ('"unmet"' in lacks and '"flags"' not in lacks)


def _part(layout: Layout) -> Part:
    return next(part for part in parts(layout) if part.name == SERVICE)


def _announced(file: Path) -> str:
    try:
        return str(json.loads(file.read_text())["http"])
    except (OSError, ValueError, KeyError):
        raise NotUp("the flag-service is not up here", "start it with: emily up, or name its --url") from None
