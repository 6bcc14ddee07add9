"""A secret shows itself to who reveals it; a reference says where it is; each reading is logged."""

from __future__ import annotations

import copy
import io
import json
import os
import pickle
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog
from emily_runtime import DatabaseAddress, DatabaseSettings, ServiceSettings, SettingsError, load_settings
from emily_runtime.secrets import Reference, Secret, SecretRefused, Secrets, referred
from emily_runtime.secrets.deadline import within
from emily_runtime.testing import ServiceProcess
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

URL = "postgresql://emily:hunter2@postgres/emily"  # pragma: allowlist secret
READERS = {"read", "_complaint", "_content", "_of", "_refused", "_source"}
TEXTS = st.text(min_size=6).filter(lambda text: text not in f"{Secret('')!r} Secret")


@pytest.fixture
def logged() -> Iterator[list[Any]]:
    with structlog.testing.capture_logs() as lines:
        yield lines


@given(TEXTS)
def test_a_secret_is_shown_by_no_way_of_printing(text: str) -> None:
    secret = Secret(text)
    printed = [
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret!r}",
        "{}".format(secret),  # noqa: UP032 - one of the ways
        repr([secret, {1: secret}]),
    ]
    assert set(printed[:5]) == {"Secret(hidden)"}
    assert all(text not in each for each in printed)
    assert secret.reveal() == text


def test_a_secret_is_written_nowhere() -> None:
    secret = Secret("hunter2hunter2")
    for write in (pickle.dumps, copy.deepcopy, json.dumps, msgspec.json.encode, msgspec.msgpack.encode):
        with pytest.raises(TypeError) as refusal:
            write(secret)
        assert "hunter2" not in str(refusal.value)
    assert not hasattr(secret, "__dict__")


@given(st.text(), st.text())
@example("ä", "ä")
@example("hunter2", "hunter3")
@example("\ud800", "\ud800")
def test_secrets_are_equal_when_their_texts_are(one: str, other: str) -> None:
    assert (Secret(one) == Secret(other)) is (one == other)
    assert Secret(one) != one
    with pytest.raises(TypeError):
        hash(Secret(one))


def test_a_secret_does_not_change() -> None:
    secret = Secret("a")
    for name in ("text", "_Secret__text"):
        with pytest.raises(AttributeError, match="make another"):
            setattr(secret, name, "b")
    assert secret.reveal() == "a"


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("env:DATABASE_URL", Reference("env", "DATABASE_URL")),
        ("file:/run/secrets/url", Reference("file", "/run/secrets/url")),
        ("file:a:b", Reference("file", "a:b")),
        ("infisical:/NAME", Reference("infisical", "/NAME")),
        ("infisical:/prod/memory/DATABASE_URL", Reference("infisical", "/prod/memory/DATABASE_URL")),
    ],
)
def test_a_reference_names_a_source_and_a_place_there(text: str, reference: Reference) -> None:
    assert referred(text) == reference
    assert str(reference) == text


@pytest.mark.parametrize(
    "text",
    [
        *("", "env:", "env:1A", "env:A B", "file:", "vault:x", URL, "ENV:A"),
        *("infisical:NAME", "infisical:/", "infisical:/a/../B", "infisical:/..", "infisical:/a/B?x=1"),
    ],
)
def test_what_is_no_reference_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(SecretRefused, match="env:NAME, file:PATH or infisical:/PATH/NAME") as refusal:
        referred(text)
    assert len(text) < 12 or text not in str(refusal.value)


def test_a_variable_is_a_secret(logged: list[Any]) -> None:
    assert Secrets({"URL": URL}).read("env:URL", purpose="test").reveal() == URL
    assert "hunter2" not in str(logged)


@pytest.mark.parametrize(
    ("environ", "complaint"),
    [
        ({}, "it is not set or empty"),
        ({"URL": ""}, "not set or empty"),
        ({"URL": "a\udcff"}, "not a text in UTF-8"),
    ],
)
def test_a_variable_that_holds_none_is_named(environ: dict[str, str], complaint: str) -> None:
    with pytest.raises(SecretRefused, match=f"env:URL: .*{complaint}"):
        Secrets(environ).read("env:URL", purpose="test")


def test_the_log_says_which_secret_was_asked_for_what_for_and_how_it_ended(
    logged: list[Any], tmp_path: Path
) -> None:
    file = tmp_path / "secret"
    secrets = Secrets({})
    for text in ("one", "one", "two"):
        file.write_text(text)
        file.chmod(0o600)
        secrets.read(f"file:{file}", purpose="database_url_secret")
    file.unlink()
    with pytest.raises(SecretRefused):
        secrets.read(f"file:{file}", purpose="database_url_secret")
    assert {line["reference"] for line in logged} == {f"file:{file}"}
    assert {line["purpose"] for line in logged} == {"database_url_secret"}
    assert [(line["outcome"], line["rotated"]) for line in logged] == [
        ("read", False),
        ("read", False),
        ("read", True),
        ("refused", False),
    ]
    assert [line["log_level"] for line in logged] == ["info", "debug", "info", "info"]


def failing_readings(folder: Path, text: str) -> Iterator[Callable[[], object]]:
    """Readings that fail although the secret was at hand."""
    raw = text.encode(errors="surrogateescape")
    contents = (b"\xff" + raw, raw * (70_000 // len(raw) + 1))
    for number, content in enumerate(contents):
        file = folder / f"{number}"
        file.write_bytes(content)
        file.chmod(0o600)
        yield lambda file=file: Secrets({}).read(f"file:{file}", purpose="test")  # type: ignore[misc]
    yield lambda: Secrets({"X": text + "\udcff"}).read("env:X", purpose="test")
    yield lambda: referred(f"vault:{text}")
    yield lambda: load_settings(
        DatabaseSettings, service="memory", environ={"EMILY_MEMORY_DATABASE_URL_SECRET": text}
    )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
@given(st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=12))
def test_no_failure_shows_a_secret_nor_its_log_nor_the_locals_of_who_read_it(
    tmp_path: Path, text: str
) -> None:
    for fails in failing_readings(tmp_path, text):
        with structlog.testing.capture_logs() as lines, pytest.raises(SettingsError) as failure:
            fails()
        said = f"{failure.value!r} {failure.value} {lines}"
        assert text not in said
        trace = traceback.TracebackException.from_exception(failure.value, capture_locals=True)
        assert trace.__cause__ is None
        assert trace.__context__ is None or trace.__suppress_context__
        shown = [frame.locals for frame in trace.stack if frame.name in READERS]
        assert text not in str(shown)


def test_the_database_is_where_its_secret_says(tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text(URL + "\n")
    file.chmod(0o600)
    given = {"EMILY_MEMORY_DATABASE_URL_SECRET": f"file:{file}"}
    loaded = load_settings(DatabaseSettings, service="memory", environ=given)
    assert loaded.given_database() == URL
    file.write_text("another")
    assert loaded.given_database() == "another"
    assert "hunter2" not in repr(loaded)


@pytest.mark.anyio
async def test_a_rotated_url_is_seen_anew_and_the_last_serves_on_while_none_can_be_read(
    tmp_path: Path,
) -> None:
    file = tmp_path / "url"
    address = DatabaseAddress(DatabaseSettings(database_url_file=file))
    with pytest.raises(SettingsError, match="No such file"):
        await address()
    for url in (URL, "another"):
        file.write_text(url)
        assert await address() == url
    file.unlink()
    with structlog.testing.capture_logs() as lines:
        assert await address() == "another"
    assert lines[-1]["event"] == "the last database URL serves on"
    assert await DatabaseAddress(DatabaseSettings())() is None


def test_what_is_given_the_old_way_still_holds(tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text(URL + "\n")
    file.chmod(0o644)
    assert DatabaseSettings().given_database() is None
    assert DatabaseSettings(database_url="x").given_database() == "x"
    assert DatabaseSettings(database_url_file=file).given_database() == URL
    assert not issubclass(ServiceSettings, DatabaseSettings)


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        (
            {"DATABASE_URL_SECRET": URL},
            r"EMILY_MEMORY_DATABASE_URL_SECRET=\(hidden\): give text that matches",
        ),
        ({"DATABASE_URL": "x", "DATABASE_URL_SECRET": "env:X"}, "give it alone"),  # pragma: allowlist secret
    ],
)
def test_a_secret_in_the_place_of_a_reference_is_refused_unshown(
    given: dict[str, str], complaint: str
) -> None:
    environ = {f"EMILY_MEMORY_{name}": value for name, value in given.items()}
    with pytest.raises(SettingsError, match=complaint) as refusal:
        load_settings(DatabaseSettings, service="memory", environ=environ)
    assert "hunter2" not in str(refusal.value)


SERVICE = """
import anyio, anyio.to_thread
from emily_runtime import DatabaseSettings, Service, run

class Opener(Service[DatabaseSettings]):
    name, settings_type, needs = "opener", DatabaseSettings, ("database",)

    async def main(self, life):
        url = await anyio.to_thread.run_sync(self.settings.given_database)
        life.ready("database", url.endswith("@postgres/emily"))
        await life.stopping.wait()

run(Opener)
"""


@pytest.fixture
def opener(endpoint: str, tmp_path: Path) -> Iterator[ServiceProcess]:
    """A service that opens a database, which it has to be told of."""
    file = tmp_path / "opener.py"
    file.write_text(SERVICE)
    process = ServiceProcess(
        (sys.executable, str(file)),
        name="opener",
        endpoint=endpoint,
        namespace=f"emily/{tmp_path.name.replace('_', '-').lower()}",
        state_dir=tmp_path,
    )
    yield process
    process.kill()


def test_a_service_reads_its_secret_and_its_log_has_who_which_and_when_but_not_what(
    opener: ServiceProcess, tmp_path: Path
) -> None:
    file = tmp_path / "url"
    file.write_text(URL)
    file.chmod(0o600)
    opener.start(database_url_secret=f"file:{file}")
    (line,) = opener.logged("secret asked for")
    assert (line["service"], line["reference"], line["purpose"]) == (
        "opener",
        f"file:{file}",
        "database_url_secret",
    )
    assert (line["outcome"], line["rotated"], line["timestamp"][-1]) == ("read", False, "Z")
    assert opener.stop() == 0
    assert "hunter2" not in opener.log.read_text()


def test_a_service_whose_secret_is_refused_ends_with_2_and_says_why(
    opener: ServiceProcess, tmp_path: Path
) -> None:
    opener.launch(database_url_secret=f"file:{tmp_path / 'none'}")
    assert opener.wait() == 2
    assert f"file:{tmp_path / 'none'}: No such file or directory" in opener.log.read_text()


def test_a_service_whose_server_of_secrets_is_away_ends_with_1_and_may_be_started_again(
    opener: ServiceProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMILY_INFISICAL_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("EMILY_INFISICAL_PROJECT_ID", "p")
    for name in ("CLIENT_ID", "CLIENT_SECRET"):
        monkeypatch.setenv(f"EMILY_INFISICAL_{name}", "env:HOME")
    opener.launch(database_url_secret="infisical:/memory/URL")  # pragma: allowlist secret
    assert opener.wait() == 1
    assert "http://127.0.0.1:9 is away (ConnectionError), and no value is held" in opener.log.read_text()
    assert [line["outcome"] for line in opener.logged("secret asked for")] == ["unavailable"]


def test_work_has_a_deadline_and_its_failures_come_through() -> None:
    assert within(5, lambda: 1, name="quick") == 1
    with pytest.raises(KeyError):
        within(5, lambda: os.environ["EMILY_NOTHING"], name="wrong")
    reading, writing = os.pipe()
    try:
        with pytest.raises(TimeoutError, match=r"slow: not done within 0\.05 s"):
            within(0.05, lambda: os.read(reading, 1), name="slow")
    finally:
        os.close(writing)
        io.FileIO(reading).close()
