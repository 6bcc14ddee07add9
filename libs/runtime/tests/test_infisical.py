"""Infisical, as its SDK speaks to a server that keeps to the recorded contract, over a real socket."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
import structlog
from emily_runtime import SettingsError, load_settings
from emily_runtime.secrets import (
    EnvironmentSource,
    InfisicalSettings,
    InfisicalSource,
    Secret,
    SecretRefused,
    Secrets,
    SecretUnavailable,
)
from emily_runtime.secrets.infisical_server import ATTEMPTS, REST_S, InfisicalServer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from infisical_sdk import InfisicalSDKClient

CONTRACT = json.loads(Path(__file__).with_name("infisical_contract.json").read_text())
CREDENTIALS = {"clientId": "machine-1", "clientSecret": "correct-horse-battery"}  # pragma: allowlist secret
PROJECT = "800f9a45-2ac4-4b5c-8ea0-ca368127fe65"
ENVIRON = {
    "EMILY_INFISICAL_PROJECT_ID": PROJECT,
    "EMILY_INFISICAL_CLIENT_ID": "env:ID",
    "EMILY_INFISICAL_CLIENT_SECRET": "env:SECRET",  # pragma: allowlist secret
    "ID": CREDENTIALS["clientId"],
    "SECRET": CREDENTIALS["clientSecret"],
}
TTL_S, MAX_AGE_S = 60.0, 900.0
VALUE = "postgresql://emily:hunter2@db/emily"  # pragma: allowlist secret


class Contracted:
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
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        contracted = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: Any) -> None:
                """Say nothing."""

            def do_GET(self) -> None:
                contracted.answer(self)

            do_POST = do_GET

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def answer(self, request: BaseHTTPRequestHandler) -> None:
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
            return self.first[kind].pop(0), {"name": name, "value": "", "token": ""}
        if kind == "login":
            if body != self.credentials:
                return "wrong credentials", {}
            token = f"token-{len(self.asked)}"
            self.tokens.add(token)
            return "logged in", {"token": token}
        if authorization.removeprefix("Bearer ") not in self.tokens:
            return "token revoked", {}
        if not query.get("workspaceId") or not query.get("environment"):
            return "no environment", {}
        path = query["secretPath"]
        name = name or next(each for folder, each in self.values if folder == path)
        value = self.values.get((path, name))
        if value is None:
            return "not found", {"name": name}
        filling = {"project": query["workspaceId"], "environment": query["environment"]}
        return "secret", filling | {"name": name, "value": value, "path": path}


def _filled(body: Any, filling: dict[str, str]) -> Any:
    if isinstance(body, dict):
        return {key: _filled(value, filling) for key, value in body.items()}
    if isinstance(body, str):
        for key, value in filling.items():
            body = body.replace("{" + key + "}", value)
    return body


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def server() -> Iterator[Contracted]:
    contracted = Contracted()
    contracted.start()
    yield contracted
    contracted.stop()
    assert contracted.broken == []


@pytest.fixture
def clock() -> Clock:
    return Clock()


def source_on(
    server: Contracted, clock: Clock, place: str = "/memory/DATABASE_URL", **given: Any
) -> InfisicalSource:
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


def test_the_sdk_keeps_to_the_contract(server: Contracted) -> None:
    client = InfisicalSDKClient(host=server.url, cache_ttl=None)
    login = client.auth.universal_auth.login(
        client_id=CREDENTIALS["clientId"], client_secret=CREDENTIALS["clientSecret"]
    )
    assert (login.expiresIn, login.tokenType) == (7200, "Bearer")
    asked = {"project_id": PROJECT, "environment_slug": "prod", "secret_path": "/memory"}
    found = client.secrets.get_secret_by_name("DATABASE_URL", **asked)
    assert found.secretValue == VALUE
    (listed,) = client.secrets.list_secrets(**asked).secrets
    assert (listed.secretKey, listed.secretValue, listed.secretPath) == ("DATABASE_URL", VALUE, "/memory")
    assert server.asked == ["login", "get", "list"]


@pytest.mark.parametrize("place", ["/DATABASE_URL", "/memory/DATABASE_URL", "/a/b-c/X.1"])
def test_a_secret_is_found_at_its_path(server: Contracted, clock: Clock, place: str) -> None:
    folder, _, name = place.rpartition("/")
    server.values = {(folder or "/", name): "found"}
    assert source_on(server, clock, place).read().reveal() == "found"
    assert server.asked == ["login", "get"]


def test_a_value_is_asked_for_once_until_it_ages_and_a_rotated_one_shows_then(
    server: Contracted, clock: Clock
) -> None:
    source = source_on(server, clock)
    assert [source.read().reveal() for _ in range(3)] == [VALUE] * 3
    server.values["/memory", "DATABASE_URL"] = "rotated"
    clock.now += TTL_S - 1
    assert source.read().reveal() == VALUE
    clock.now += 1
    assert source.read().reveal() == "rotated"
    assert server.asked == ["login", "get", "get"]


def test_a_server_that_is_away_leaves_the_value_for_a_while_and_says_so_once(
    server: Contracted, clock: Clock
) -> None:
    source = source_on(server, clock)
    source.read()
    server.stop()
    clock.now += MAX_AGE_S / 2
    with structlog.testing.capture_logs() as lines:
        assert [source.read().reveal() for _ in range(3)] == [VALUE] * 3
    assert [(line["log_level"], line["event"]) for line in lines] == [
        ("warning", "secret is old, its server is away")
    ]
    assert (lines[0]["age_s"], lines[0]["reference"]) == (450.0, "infisical:/memory/DATABASE_URL")
    assert "hunter2" not in str(lines)
    server.start()
    server.values["/memory", "DATABASE_URL"] = "rotated meanwhile"
    clock.now += REST_S
    assert source.read().reveal() == "rotated meanwhile"


def test_a_value_that_is_too_old_is_not_used(server: Contracted, clock: Clock) -> None:
    source = source_on(server, clock)
    source.read()
    server.stop()
    clock.now += MAX_AGE_S + 1
    with pytest.raises(SecretUnavailable) as failure:
        source.read()
    assert str(failure.value) == (
        f"infisical:/memory/DATABASE_URL: {server.url} is away (ConnectionError), "
        "and the value held is 901 s old, where max_age_s=900 is allowed; "
        "bring the server back, or check EMILY_INFISICAL_URL"
    )
    server.start()
    clock.now += REST_S
    assert source.read().reveal() == VALUE


def test_without_a_server_from_the_start_there_is_no_value(server: Contracted, clock: Clock) -> None:
    server.stop()
    source = source_on(server, clock)
    with pytest.raises(SecretUnavailable, match=r"is away \(ConnectionError\), and no value is held"):
        source.read()
    started = time.perf_counter()
    with pytest.raises(SecretUnavailable, match="it was asked in vain less than 5 s ago"):
        source.read()
    assert time.perf_counter() - started < 0.1


def test_a_server_that_takes_connections_and_never_answers_costs_the_deadline(clock: Clock) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        deaf = Contracted()
        deaf.port = silent.getsockname()[1]
        started = time.perf_counter()
        with pytest.raises(SecretUnavailable, match=r"no answer within 0\.3 s|ReadTimeout"):
            source_on(deaf, clock, deadline_s=0.3).read()
        assert time.perf_counter() - started < 2


@pytest.mark.parametrize("times", [1, ATTEMPTS - 1])
@pytest.mark.parametrize("answer", ["too many", "broken"])
@pytest.mark.parametrize("asked", ["login", "get"])
def test_a_busy_server_is_asked_again(
    server: Contracted, clock: Clock, asked: str, answer: str, times: int
) -> None:
    server.first[asked] = [answer] * times
    assert source_on(server, clock).read().reveal() == VALUE


def test_a_server_that_stays_busy_is_left_alone_after_a_few_attempts(
    server: Contracted, clock: Clock
) -> None:
    server.first["get"] = ["too many"] * 99
    with pytest.raises(SecretUnavailable, match="it answered 429"):
        source_on(server, clock).read()
    assert server.asked.count("get") == ATTEMPTS


@pytest.mark.parametrize("answer", ["token expired", "token revoked", "token used up"])
def test_a_token_that_no_longer_holds_is_replaced(server: Contracted, clock: Clock, answer: str) -> None:
    source = source_on(server, clock)
    source.read()
    clock.now += TTL_S
    server.first["get"] = [answer]
    assert source.read().reveal() == VALUE
    assert server.asked == ["login", "get", "get", "login", "get"]


@pytest.mark.parametrize(
    ("answers", "complaint"),
    [
        ({"login": ["wrong credentials"]}, "answered 401 to the login; check client_id and client_secret"),
        ({"login": ["locked out"]}, "answered 401 to the login; .* whether it is locked"),
        ({"get": ["not allowed"]}, "answered 403; let the machine identity read secrets of project 800f9a45"),
        ({"get": ["token revoked"]}, "answered 401; let the machine identity read"),
        ({"get": ["not found"]}, "answered 404; there is no such secret in project .*, environment prod"),
        ({"get": ["no environment"]}, "answered 400; check project_id and environment"),
        ({"get": ["hidden"]}, "answered 403; let the machine identity read"),
    ],
)
def test_a_refusal_says_what_to_change_and_is_not_repeated(
    server: Contracted, clock: Clock, answers: dict[str, list[str]], complaint: str
) -> None:
    server.first |= answers
    with pytest.raises(SecretRefused, match=f"^infisical:/memory/DATABASE_URL: {server.url} {complaint}"):
        source_on(server, clock).read()
    ((asked, _),) = answers.items()
    assert server.asked.count(asked) == 1


@pytest.mark.parametrize(
    ("value", "complaint"), [("", "the secret has no value"), ("ä" * 40_000, "has more than 65536 bytes")]
)
def test_a_value_that_is_no_secret_is_refused(
    server: Contracted, clock: Clock, value: str, complaint: str
) -> None:
    server.values["/memory", "DATABASE_URL"] = value
    with pytest.raises(SecretRefused, match=complaint):
        source_on(server, clock).read()


def test_a_refusal_drops_the_value_at_once(server: Contracted, clock: Clock) -> None:
    source = source_on(server, clock)
    source.read()
    clock.now += TTL_S
    del server.values["/memory", "DATABASE_URL"]
    with pytest.raises(SecretRefused, match="answered 404"):
        source.read()
    server.stop()
    with pytest.raises(SecretUnavailable, match="no value is held"):
        source.read()


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "not what an Infisical does"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "not what an Infisical does"),
        (
            b"HTTP/1.1 302 Found\r\nLocation: http://example.org/\r\nContent-Length: 0\r\n\r\n",
            "not what an Infisical",
        ),
    ],
)
def test_what_is_no_infisical_is_told(clock: Clock, answer: bytes, complaint: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:

        def once() -> None:
            connection, _ = other.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

        threading.Thread(target=once, daemon=True).start()
        alien = Contracted()
        alien.port = other.getsockname()[1]
        with pytest.raises(SecretRefused, match=complaint):
            source_on(alien, clock).read()


def test_many_threads_ask_once(server: Contracted, clock: Clock) -> None:
    server.slow_s = 0.05
    source = source_on(server, clock)
    with ThreadPoolExecutor(8) as pool:
        read = list(pool.map(lambda _: source.read().reveal(), range(16)))
    assert read == [VALUE] * 16
    assert server.asked == ["login", "get"]


def test_secrets_of_one_process_share_a_login_and_the_log_names_each(server: Contracted) -> None:
    server.values["/memory", "KEY"] = "another"
    secrets = Secrets(ENVIRON | {"EMILY_INFISICAL_URL": server.url})
    with structlog.testing.capture_logs() as lines:
        for name in ("DATABASE_URL", "KEY"):
            secrets.read(f"infisical:/memory/{name}", purpose="test")
    assert server.asked == ["login", "get", "get"]
    assert [(line["reference"], line["outcome"]) for line in lines] == [
        ("infisical:/memory/DATABASE_URL", "read"),
        ("infisical:/memory/KEY", "read"),
    ]


def test_a_client_secret_in_a_file_is_rotated_without_a_restart(server: Contracted, tmp_path: Path) -> None:
    file = tmp_path / "client"
    file.write_text(CREDENTIALS["clientSecret"])
    file.chmod(0o600)
    environ = ENVIRON | {
        "EMILY_INFISICAL_URL": server.url,
        "EMILY_INFISICAL_CLIENT_SECRET": f"file:{file}",
        "EMILY_INFISICAL_TTL_S": "0.01",
    }
    secrets = Secrets(environ)
    secrets.read("infisical:/memory/DATABASE_URL", purpose="test")
    server.credentials["clientSecret"] = "another-horse"  # pragma: allowlist secret
    server.tokens.clear()
    file.write_text("another-horse\n")
    time.sleep(0.02)
    assert secrets.read("infisical:/memory/DATABASE_URL", purpose="test").reveal() == VALUE


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"URL": "http://infisical:8080"}, "https://HOST; http:// only on this machine"),
        ({"URL": "https://me:pass@host"}, "https://HOST"),  # pragma: allowlist secret
        ({"CLIENT_SECRET": "hunter2"}, r"CLIENT_SECRET=\(hidden\): give text"),  # pragma: allowlist secret
        ({"CLIENT_SECRET": "infisical:/X"}, "CLIENT_SECRET"),  # pragma: allowlist secret
        ({"MAX_AGE_S": "1"}, r"max_age_s=1\.0: give at least ttl_s"),
        ({"PROJECT_ID": ""}, "EMILY_INFISICAL_PROJECT_ID"),
    ],
)
def test_settings_that_make_no_sense_are_refused(given: dict[str, str], complaint: str) -> None:
    environ = ENVIRON | {"EMILY_INFISICAL_URL": "https://infisical.example"}
    with pytest.raises(SettingsError, match=complaint) as refusal:
        Secrets(environ | {f"EMILY_INFISICAL_{name}": value for name, value in given.items()}).read(
            "infisical:/X", purpose="test"
        )
    assert "hunter2" not in str(refusal.value)


def test_without_the_extra_it_says_how_to_install_it() -> None:
    code = """
import sys
sys.modules["infisical_sdk"] = None
from emily_runtime.secrets import SecretRefused, Secrets
try:
    Secrets().read("infisical:/X", purpose="test")
except SecretRefused as refusal:
    print(refusal)
assert "boto3" not in sys.modules
"""
    environ = ENVIRON | {"EMILY_INFISICAL_URL": "https://infisical.example"}
    finished = subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, timeout=30, check=True
    )
    assert "pip install 'emily-runtime[infisical]'" in finished.stdout


def test_who_refers_to_no_infisical_does_not_load_its_sdk() -> None:
    code = (
        "import sys, emily_runtime.secrets; print('infisical_sdk' in sys.modules, 'requests' in sys.modules)"
    )
    finished = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )
    assert finished.stdout.split() == ["False", "False"]


@pytest.fixture(scope="module")
def shared() -> Iterator[Contracted]:
    contracted = Contracted()
    contracted.start()
    yield contracted
    contracted.stop()


ANSWERS = st.sampled_from(
    [name for name in CONTRACT["responses"] if name not in {"logged in", "secret", "too many", "broken"}]
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    answer=ANSWERS,
    asked=st.sampled_from(["login", "get"]),
    client_secret=st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=12),
    value=st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=12),
)
def test_no_refusal_shows_a_secret_a_credential_or_a_token_not_even_in_a_traceback_with_locals(
    shared: Contracted, answer: str, asked: str, client_secret: str, value: str
) -> None:
    shared.credentials["clientSecret"] = client_secret
    shared.values["/memory", "DATABASE_URL"] = value
    shared.first = {"login": [], "get": [], "list": []}
    shared.first[asked] = [answer]
    environ = dict(ENVIRON) | {"SECRET": client_secret, "EMILY_INFISICAL_URL": shared.url}
    secrets = Secrets(environ)
    del environ
    with structlog.testing.capture_logs() as lines, pytest.raises(SettingsError) as refusal:
        secrets.read("infisical:/memory/DATABASE_URL", purpose="test")
    trace = traceback.TracebackException.from_exception(refusal.value, capture_locals=True)
    assert trace.__cause__ is None
    assert trace.__context__ is None
    ours = [frame.locals for frame in trace.stack if "emily_runtime" in frame.filename]
    shown = f"{refusal.value!r} {lines} {ours}"
    assert client_secret not in shown
    assert value not in shown
    assert not [token for token in shared.tokens if token in shown]


def test_a_secret_is_no_text(server: Contracted, clock: Clock) -> None:
    assert isinstance(source_on(server, clock).read(), Secret)
