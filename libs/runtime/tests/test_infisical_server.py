"""Infisical, as its SDK speaks to a server that keeps to the recorded contract, over a real socket."""

from __future__ import annotations

import socket
import threading
import time
import traceback
from collections.abc import Iterator

import pytest
import structlog
from emily_runtime import SettingsError
from emily_runtime.secrets import (
    Secret,
    SecretRefused,
    Secrets,
    SecretUnavailable,
)
from emily_runtime.secrets.infisical_server import ATTEMPTS
from emily_runtime.testing.infisical import (
    CONTRACT,
    CREDENTIALS,
    ENVIRON,
    PROJECT,
    VALUE,
    Clock,
    StandIn,
    source_on,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from infisical_sdk import InfisicalSDKClient

TTL_S = 60.0


def test_the_sdk_keeps_to_the_contract(server: StandIn) -> None:
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
def test_a_secret_is_found_at_its_path(server: StandIn, clock: Clock, place: str) -> None:
    folder, _, name = place.rpartition("/")
    server.values = {(folder or "/", name): "found"}
    assert source_on(server, clock, place).read().reveal() == "found"
    assert server.asked == ["login", "get"]


def test_a_server_that_takes_connections_and_never_answers_costs_the_deadline(clock: Clock) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        deaf = StandIn()
        deaf.port = silent.getsockname()[1]
        started = time.perf_counter()
        with pytest.raises(SecretUnavailable, match=r"no answer within 0\.3 s|ReadTimeout"):
            source_on(deaf, clock, deadline_s=0.3).read()
        assert time.perf_counter() - started < 2


@pytest.mark.parametrize("times", [1, ATTEMPTS - 1])
@pytest.mark.parametrize("answer", ["too many", "broken"])
@pytest.mark.parametrize("asked", ["login", "get"])
def test_a_busy_server_is_asked_again(
    server: StandIn, clock: Clock, asked: str, answer: str, times: int
) -> None:
    server.first[asked] = [answer] * times
    assert source_on(server, clock).read().reveal() == VALUE


def test_a_server_that_stays_busy_is_left_alone_after_a_few_attempts(server: StandIn, clock: Clock) -> None:
    server.first["get"] = ["too many"] * 99
    with pytest.raises(SecretUnavailable, match="it answered 429"):
        source_on(server, clock).read()
    assert server.asked.count("get") == ATTEMPTS


@pytest.mark.parametrize("answer", ["token expired", "token revoked", "token used up"])
def test_a_token_that_no_longer_holds_is_replaced(server: StandIn, clock: Clock, answer: str) -> None:
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
    server: StandIn, clock: Clock, answers: dict[str, list[str]], complaint: str
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
    server: StandIn, clock: Clock, value: str, complaint: str
) -> None:
    server.values["/memory", "DATABASE_URL"] = value
    with pytest.raises(SecretRefused, match=complaint):
        source_on(server, clock).read()


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
        alien = StandIn()
        alien.port = other.getsockname()[1]
        with pytest.raises(SecretRefused, match=complaint):
            source_on(alien, clock).read()


@pytest.fixture(scope="module")
def shared() -> Iterator[StandIn]:
    stand_in = StandIn()
    stand_in.start()
    yield stand_in
    stand_in.stop()


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
    shared: StandIn, answer: str, asked: str, client_secret: str, value: str
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


def test_a_secret_is_no_text(server: StandIn, clock: Clock) -> None:
    assert isinstance(source_on(server, clock).read(), Secret)
