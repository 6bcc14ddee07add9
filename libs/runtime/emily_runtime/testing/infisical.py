"""A stand-in for an Infisical server, over a real socket: it answers as the recorded contract says."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from emily_runtime.loading import load_settings
from emily_runtime.secrets import EnvironmentSource, InfisicalSettings, InfisicalSource
from emily_runtime.secrets.infisical_server import InfisicalServer

CONTRACT = json.loads(Path(__file__).with_name("infisical_contract.json").read_text())
CREDENTIALS = {"clientId": "machine-1", "clientSecret": "correct-horse-battery"}  # pragma: allowlist secret
PROJECT = "800f9a45-2ac4-4b5c-8ea0-ca368127fe65"
HELD_IN = "SECRET"
ENVIRON = {
    "EMILY_INFISICAL_PROJECT_ID": PROJECT,
    "EMILY_INFISICAL_CLIENT_ID": "env:ID",
    "EMILY_INFISICAL_CLIENT_SECRET": f"env:{HELD_IN}",
    "ID": CREDENTIALS["clientId"],
    HELD_IN: CREDENTIALS["clientSecret"],
}
"""Of who asks it, but for its URL."""
VALUE = "postgresql://emily:hunter2@db/emily"  # pragma: allowlist secret
"""Of the secret that it has from the start, `/memory/DATABASE_URL`."""


class StandIn:
    """A server that answers as the contract says, and notes each request that breaks it.

    Attributes:
        values: By folder and name.
        broken: Requests that a real server would not take.
        asked: What was asked: `login`, `get` or `list`.
        first: Recorded answers that are given before any other, by what is asked.
        slow_s: Before each answer.
        tokens: That hold.
    """

    def __init__(self) -> None:
        self.values: dict[tuple[str, str], str] = {("/memory", "DATABASE_URL"): VALUE}
        self.credentials = dict(CREDENTIALS)
        self.broken: list[str] = []
        self.asked: list[str] = []
        self.first: dict[str, list[str]] = {"login": [], "get": [], "list": []}
        self.slow_s = 0.0
        self.tokens: set[str] = set()
        self.port = 0
        self._server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Answer, on the port that it had before."""
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: Any) -> None:
                """Say nothing."""

            def do_GET(self) -> None:
                stand_in.answer(self)

            do_POST = do_GET

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        """Be away."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        target = urlsplit(request.path)
        query = dict(parse_qsl(target.query, keep_blank_values=True))
        length = int(request.headers.get("Content-Length") or 0)
        body = json.loads(request.rfile.read(length)) if length else {}
        kind, name = self._kind(request.command, target.path)
        self.asked.append(kind)
        self._check(kind, query, body)
        time.sleep(self.slow_s)
        chosen, filling = self._response(kind, name, query, body, request.headers.get("Authorization", ""))
        recorded = CONTRACT["responses"][chosen]
        if "like" in recorded:
            like = json.loads(json.dumps(CONTRACT["responses"][recorded["like"]]))
            like["body"]["secret"] |= {key: value for key, value in recorded.items() if key != "like"}
            recorded = like
        filled = _filled(recorded["body"], filling)
        if kind == "list" and chosen == "secret":
            filled = {"secrets": [filled["secret"]], "imports": []}
        content = json.dumps(filled).encode()
        request.send_response(recorded["status"])
        for header, value in recorded.get("headers", {}).items():
            request.send_header(header, value)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)

    def _kind(self, method: str, path: str) -> tuple[str, str]:
        for kind, request in CONTRACT["requests"].items():
            base, _, placed = request["path"].partition("{name}")
            if method == request["method"] and (
                path == request["path"] or (base != path and path.startswith(base))
            ):
                if "{name}" in request["path"] and not placed:
                    return kind, unquote(path.removeprefix(base))
                if path == request["path"]:
                    return kind, ""
        self.broken.append(f"{method} {path}")
        return "get", ""

    def _check(self, kind: str, query: dict[str, str], body: dict[str, Any]) -> None:
        allowed = CONTRACT["requests"][kind]
        unknown = query.keys() - set(allowed.get("query", []))
        unlike = [
            name for name in allowed.get("booleans", []) if query.get(name, "true") not in {"true", "false"}
        ]
        if unknown or unlike or set(body) != set(allowed.get("body", [])):
            self.broken.append(f"{kind}: {sorted(unknown)} {unlike} {sorted(body)}")

    def _response(
        self, kind: str, name: str, query: dict[str, str], body: dict[str, Any], authorization: str
    ) -> tuple[str, dict[str, str]]:
        if self.first[kind]:
            return self.first[kind].pop(0), dict.fromkeys(("value", "token"), "") | {"name": name}
        if kind == "login":
            return self._login(body)
        if authorization.removeprefix("Bearer ") not in self.tokens:
            return "token revoked", {}
        return self._secret(name, query)

    def _login(self, body: dict[str, Any]) -> tuple[str, dict[str, str]]:
        if body != self.credentials:
            return "wrong credentials", {}
        token = f"token-{len(self.asked)}"
        self.tokens.add(token)
        return "logged in", {"token": token}

    def _secret(self, name: str, query: dict[str, str]) -> tuple[str, dict[str, str]]:
        if not query.get("workspaceId") or not query.get("environment"):
            return "no environment", {}
        path = query["secretPath"]
        name = name or next(each for folder, each in self.values if folder == path)
        value = self.values.get((path, name))
        if value is None:
            return "not found", {"name": name}
        filling = {"project": query["workspaceId"], "environment": query["environment"]}
        return "secret", filling | {"name": name, "value": value, "path": path}


class Clock:
    """A clock that goes when it is told to.

    Attributes:
        now: What it says, in seconds.
    """

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """The time."""
        return self.now


def source_on(
    server: StandIn, clock: Clock, place: str = "/memory/DATABASE_URL", **given: Any
) -> InfisicalSource:
    """The source of a secret on the stand-in; more is given to its settings."""
    told = load_settings(
        InfisicalSettings,
        service="infisical",
        environ={name: value for name, value in ENVIRON.items() if name.startswith("EMILY")}
        | {"EMILY_INFISICAL_URL": server.url}
        | {f"EMILY_INFISICAL_{name.upper()}": str(value) for name, value in given.items()},
    )
    asked = InfisicalServer(
        told,
        client_id=EnvironmentSource("ID", ENVIRON),
        client_secret=EnvironmentSource("SECRET", ENVIRON),
        clock=clock,
    )
    return InfisicalSource(asked, place, ttl_s=told.ttl_s, max_age_s=told.max_age_s, clock=clock)


def _filled(body: Any, filling: dict[str, str]) -> Any:
    if isinstance(body, dict):
        return {key: _filled(value, filling) for key, value in body.items()}
    if isinstance(body, str):
        for key, value in filling.items():
            body = body.replace("{" + key + "}", value)
    return body
