"""How commands ask a service of a state folder: over HTTP, with a token."""

from __future__ import annotations

import http.client
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from emily.errors import CommandError, NotUp

TIMEOUT_S = 15.0


class Service:
    """A service as a command sees it.

    Args:
        name: Of the service.
        root: Of the paths that are asked.
        url: Of the service; the one that it announced by default.
        token: None asks what is open to all.
    """

    def __init__(self, name: str, root: str, *, state_dir: Path, url: str | None, token: str | None) -> None:
        self._name = name
        self._root = root
        self._url = url or announced(state_dir, name)
        self._authority = {} if token is None else {"Authorization": f"Bearer {token}"}

    def ask(self, method: str, path: str, body: Any = None, *, fine: tuple[int, ...] = (200, 201)) -> Any:
        """What it answers, decoded; none where it answers another status that is fine.

        Raises:
            NotUp: It does not answer.
            CommandError: It refuses; in its own words.
        """
        split = urlsplit(self._url)
        kind = http.client.HTTPSConnection if split.scheme == "https" else http.client.HTTPConnection
        headers = {**self._authority, "Content-Type": "application/json"}
        try:
            connection = kind(split.netloc, timeout=TIMEOUT_S)
            try:
                payload = None if body is None else msgspec.json.encode(body)
                connection.request(method, split.path.rstrip("/") + self._root + path, payload, headers)
                answer = connection.getresponse()
                text = answer.read()
            finally:
                connection.close()
        except (OSError, http.client.HTTPException, ValueError) as failure:
            raise NotUp(f"{self._url} does not answer: {failure}", f"start the {self._name}") from None
        try:
            said: Any = json.loads(text)
        except ValueError:
            raise CommandError(f"{self._url} answered {answer.status} without JSON", "check --url") from None
        if answer.status in (200, 201):
            return said
        if answer.status in fine:
            return None
        raise CommandError(said.get("detail", f"it answered {answer.status}"), _remedy(answer.status))


def announced(state_dir: Path, name: str) -> str:
    """Where a service of the root space said that it listens.

    Raises:
        NotUp: It did not.
    """
    file = state_dir / "run" / "emily" / f"{name}.json"
    try:
        return str(json.loads(file.read_text())["http"])
    except (OSError, ValueError, KeyError):
        raise NotUp(f"the {name} is not up here", "start it with: emily up, or name its --url") from None


def _remedy(status: int) -> str:
    return {
        401: "say where your token is with --token-file",
        409: "see how things stand, then ask again",
        503: "try again in a moment",
    }.get(status, "")
