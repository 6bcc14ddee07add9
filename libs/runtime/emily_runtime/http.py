"""`/metrics`, `/healthz` and `/readyz`, and whatever the service itself serves beside them."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from http import HTTPStatus
from typing import Any

import msgspec
import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from emily_runtime.errors import SettingsError
from emily_runtime.life import Life

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

PROBLEM = "application/problem+json"
KEEP_ALIVE_S = 5
MOST_CONNECTIONS = 512
SHUTDOWN_S = 2
BACKLOG = 128


def operations(life: Life, own: Application | None) -> Application:
    """The operations endpoints before the service's own application."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] in ROUTES:
            await _operation(life, scope, send)
        elif own is not None:
            await own(scope, receive, send)
        elif scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] == "http":
            paths = ", ".join(ROUTES)
            await _respond(send, *_problem(404, f"There is no {scope['path']}; there are {paths}"))

    return application


def listen(host: str, port: int) -> socket.socket:
    """A socket that takes connections; they wait until it is served.

    Raises:
        SettingsError: The address can't be listened on.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
        bound.listen(BACKLOG)
    except OSError as failure:
        bound.close()
        raise SettingsError(
            f"http_host={host} http_port={port}: {failure.strerror}; choose another"
        ) from None
    return bound


class Server(uvicorn.Server):
    """Uvicorn that leaves signals to the runtime."""

    def __init__(self, application: Application) -> None:
        super().__init__(
            uvicorn.Config(
                application,
                log_config=None,
                access_log=False,
                server_header=False,
                ws="none",
                timeout_keep_alive=KEEP_ALIVE_S,
                limit_concurrency=MOST_CONNECTIONS,
                timeout_graceful_shutdown=SHUTDOWN_S,
            )
        )

    async def serve_on(self, bound: socket.socket) -> None:
        """Serve until `should_exit` is set.

        Raises:
            RuntimeError: The application did not start.
        """
        try:
            await self.serve([bound])
        except SystemExit:
            raise RuntimeError("the HTTP application of the service did not start") from None

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


def _metrics(life: Life) -> tuple[int, str, bytes]:
    return 200, CONTENT_TYPE_LATEST, generate_latest(life.registry)


def _healthz(life: Life) -> tuple[int, str, bytes]:
    alive = {
        "status": "alive",
        "service": life.name,
        "version": life.version,
        "cold_start": life.cold_start,
        "restored_age_s": life.restored_age_s,
    }
    return 200, "application/json", msgspec.json.encode(alive)


def _readyz(life: Life) -> tuple[int, str, bytes]:
    if life.phase == "ready":
        return 200, "application/json", msgspec.json.encode({"status": "ready", "service": life.name})
    unmet = life.unmet()
    return _problem(503, f"{life.name} is {life.phase}; unmet: {', '.join(unmet) or 'nothing'}", unmet=unmet)


ROUTES: dict[str, Callable[[Life], tuple[int, str, bytes]]] = {
    "/metrics": _metrics,
    "/healthz": _healthz,
    "/readyz": _readyz,
}


def _problem(status: int, detail: str, **extra: Any) -> tuple[int, str, bytes]:
    title = HTTPStatus(status).phrase
    problem = {"type": "about:blank", "title": title, "status": status, "detail": detail, **extra}
    return status, PROBLEM, msgspec.json.encode(problem)


async def _operation(life: Life, scope: Scope, send: Send) -> None:
    method = scope["method"]
    if method not in ("GET", "HEAD"):
        refusal = _problem(405, f"{method} is not answered here; use GET")
        await _respond(send, *refusal, (b"allow", b"GET, HEAD"))
        return
    status, kind, body = ROUTES[scope["path"]](life)
    await _respond(send, status, kind, body, silent=method == "HEAD")


async def _respond(
    send: Send, status: int, kind: str, body: bytes, *extra: tuple[bytes, bytes], silent: bool = False
) -> None:
    headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode()), *extra]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if silent else body})


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
