"""The Docker engine, asked over its socket for what Compose does not tell: which images are here."""

from __future__ import annotations

import http
import http.client
import json
import os
import socket
from pathlib import Path
from typing import Any
from urllib.parse import quote

import anyio.to_thread

from emily_deployer.errors import StepFailed

HOST = "DOCKER_HOST"
SOCKET = Path("/var/run/docker.sock")
SCHEME = "unix://"
TIMEOUT_S = 20.0


class Engine:
    """The one that `DOCKER_HOST` names, else that of this machine.

    Args:
        path: Its socket.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path

    async def image(self, name: str) -> dict[str, Any] | None:
        """What is known of an image; none when it is not here.

        Raises:
            StepFailed: The engine does not answer, or not with an image.
        """
        path = self._path or _socket()
        try:
            return await anyio.to_thread.run_sync(lambda: _got(path, f"/images/{quote(name)}/json"))
        except (OSError, http.client.HTTPException, ValueError) as failure:
            words = getattr(failure, "strerror", None) or str(failure) or type(failure).__name__
            raise StepFailed(f"docker engine at {path}: {words}") from None


class _Connection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(TIMEOUT_S)
        self.sock.connect(str(self._path))


def _socket() -> Path:
    named = os.environ.get(HOST, "")
    if not named:
        return SOCKET
    if not named.startswith(SCHEME):
        raise StepFailed(f"{HOST}: {named!r} is no Unix socket; name one as {SCHEME}/var/run/docker.sock")
    return Path(named.removeprefix(SCHEME))


def _got(path: Path, target: str) -> dict[str, Any] | None:
    connection = _Connection(path)
    try:
        connection.request("GET", target)
        answer = connection.getresponse()
        said = answer.read()
    finally:
        connection.close()
    if answer.status == http.HTTPStatus.NOT_FOUND:
        return None
    if answer.status != http.HTTPStatus.OK:
        raise ValueError(f"answers {answer.status}: {said[:200].decode(errors='replace')}")
    known: dict[str, Any] = json.loads(said)
    return known
