"""`emily memory migrate` on a real database, with a memory that lives on it and says so on a real bus."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from emily import memory_migrate
from emily.app import app
from emily.supervisor import SystemStatus, status_file
from emily.system import Layout, free_port, to_json
from emily_bus.testing import router
from emily_memory.store.database import SCHEMA, migrations
from emily_memory.testing import next_version
from emily_postgres.embedded import embedded
from emily_postgres.migrating import Database
from emily_postgres.migration import Migration, spoken
from emily_postgres.testing import database
from emily_runtime.testing import ServiceProcess, service_process
from typer.testing import CliRunner, Result

NEXT = Path(__file__).parents[1] / "services" / "memory" / "tests" / "store" / "next_version"
EVERY = next_version(NEXT)
NOW = len(migrations())
SPOKEN = spoken(migrations())
EXPAND, BACKFILL, CONTRACT = (each.file for each in EVERY[NOW:])


@pytest.fixture(scope="module")
def bus() -> Iterator[str]:
    with router() as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """The state folder of an Emily and the URL of her database."""
    folder = tmp_path_factory.mktemp("emily")
    with embedded(folder / "postgres") as url:
        yield folder, url


@pytest.fixture
def layout(bus: str, home: tuple[Path, str]) -> Iterator[Layout]:
    """An Emily that is up with an empty database of memory, as far as commands can see."""
    folder, url = home
    made = Layout(
        state_dir=folder,
        bus_port=int(bus.rpartition(":")[2]),
        http_port=free_port(),
        colour=f"blue{uuid4().hex[:6]}",
    )
    status = SystemStatus(pid=os.getpid(), started_at=time.time(), layout=made, parts=())
    status_file(made).parent.mkdir(parents=True, exist_ok=True)
    status_file(made).write_bytes(to_json(status))
    yield made
    with psycopg.connect(url, autocommit=True) as connection:
        for schema in (SCHEMA, *(f"{SCHEMA}_v{each.number}" for each in EVERY)):
            connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE".encode())


@pytest.fixture
def blue(layout: Layout, bus: str, home: tuple[Path, str]) -> Iterator[ServiceProcess]:
    """A memory of this version that lives on it."""
    namespace = f"emily/{layout.colour}"
    with service_process("memory", endpoint=bus, namespace=namespace, state_dir=layout.state_dir) as process:
        process.start(database_url=home[1], embedder="hashing")
        yield process


@pytest.fixture
def next_files(monkeypatch: pytest.MonkeyPatch) -> tuple[Migration, ...]:
    """Those of the next version are installed here."""
    monkeypatch.setattr(memory_migrate, "migrations", lambda: EVERY)
    return EVERY


def migrate(layout: Layout, *arguments: str) -> Result:
    command = ["memory", "migrate", *arguments, "--state-dir", str(layout.state_dir)]
    return CliRunner().invoke(app, command, env={"COLUMNS": "200"})


def printed(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_nothing_to_do_is_said(layout: Layout, blue: ServiceProcess) -> None:
    assert printed(migrate(layout, "--plan", "--json")) == {
        "version": NOW,
        "living": {layout.colour: SPOKEN},
        "files": [],
    }
    shown = migrate(layout, "--plan").stdout
    assert f"Nothing to do: the schema is at version {NOW}." in shown
    assert f"{layout.colour} lives and speaks version {SPOKEN}." in shown
    assert printed(migrate(layout, "--json")) == {"version": NOW, "applied": [], "waiting": []}
    assert "Nothing to do" in migrate(layout).stdout


def test_an_empty_database_is_planned_and_grown(layout: Layout) -> None:
    plan = printed(migrate(layout, "--plan", "--json"))
    assert (plan["version"], plan["living"]) == (0, {})
    assert [each["file"] for each in plan["files"]] == [each.file for each in migrations()]
    assert {each["refused"] for each in plan["files"]} == {None}
    assert printed(migrate(layout, "--plan", "--json"))["version"] == 0
    grown = migrate(layout)
    assert grown.exit_code == 0
    assert f"{NOW} applied: the schema is at version {NOW}." in grown.stdout
    assert f"[0/{NOW}] {migrations()[0].file}" in grown.stderr


@pytest.mark.usefixtures("next_files")
def test_a_contraction_is_refused_while_an_older_colour_lives_and_names_it(
    layout: Layout, blue: ServiceProcess, home: tuple[Path, str]
) -> None:
    plan = printed(migrate(layout, "--plan", "--contract", "--json"))
    older = f"older colours live: {layout.colour} (version {SPOKEN}); stop them first"
    assert [(each["file"], each["phase"], each["refused"]) for each in plan["files"]] == [
        (EXPAND, "expand", None),
        (BACKFILL, "backfill", None),
        (CONTRACT, "contract", older),
    ]
    assert "refused: older colours live:" in migrate(layout, "--plan").stdout
    applied = printed(migrate(layout, "--json"))
    assert (applied["version"], applied["applied"]) == (NOW + 2, [EXPAND, BACKFILL])
    assert [each["file"] for each in applied["waiting"]] == [CONTRACT]
    refused = migrate(layout, "--contract")
    assert refused.exit_code == 1
    assert f"{CONTRACT}: {older}" in refused.stderr
    assert "emily memory migrate --plan" in refused.stderr
    assert Database(home[1], SCHEMA).version() == NOW + 2
    assert blue.get("/api/v1/memories/stats").status == 200
    blue.stop()
    assert f"{CONTRACT} waits: a contraction; ask for it" in migrate(layout).stdout
    assert printed(migrate(layout, "--contract", "--json"))["applied"] == [CONTRACT]
    assert printed(migrate(layout, "--plan", "--json"))["files"] == []


@pytest.mark.usefixtures("next_files")
def test_a_colour_that_lives_and_does_not_answer_blocks_too(
    layout: Layout, bus: str, home: tuple[Path, str]
) -> None:
    namespace = f"emily/{layout.colour}"
    with service_process("memory", endpoint=bus, namespace=namespace, state_dir=layout.state_dir) as lost:
        lost.launch(database_url="postgresql://nobody@127.0.0.1:1/x", embedder="hashing")
        lost.wait_until(lambda: lost.get("/readyz").status == 503)
        plan = printed(migrate(layout, "--plan", "--json"))
        assert plan["living"] == {layout.colour: 0}
        assert f"older colours live: {layout.colour} (version unknown)" in plan["files"][-1]["refused"]
        assert f"{layout.colour} lives and speaks version unknown." in migrate(layout, "--plan").stdout


def test_another_database_is_named_in_a_file_and_who_is_connected_to_it_lives(
    layout: Layout, bus: str, home: tuple[Path, str], tmp_path: Path, next_files: tuple[Migration, ...]
) -> None:
    file = tmp_path / "url"
    with database(home[1]) as url:
        file.write_text(f"{url}\n")
        assert printed(migrate(layout, "--database-url-file", str(file), "--json"))["version"] == NOW + 2
        afar = service_process("memory", endpoint=bus, namespace="emily/afar", state_dir=tmp_path)
        with afar as process:
            process.start(database_url=url, embedder="hashing")
            refused = migrate(layout, "--database-url-file", str(file), "--contract")
            assert refused.exit_code == 1
            assert f"older colours live: afar (version {SPOKEN})" in refused.stderr
            process.stop()
        assert (
            printed(migrate(layout, "--database-url-file", str(file), "--contract", "--json"))["waiting"]
            == []
        )
    assert Database(home[1], SCHEMA).version() == 0


def test_what_is_missing_is_told_with_an_exit_code(layout: Layout, tmp_path: Path) -> None:
    away = tmp_path / "away"
    away.write_text("postgresql://emily:hush@127.0.0.1:1/x")  # pragma: allowlist secret
    for file, message in ((tmp_path / "none", "No such file"), (away, "no connection to 127.0.0.1:1/x")):
        refused = migrate(layout, "--plan", "--database-url-file", str(file))
        assert refused.exit_code == 1
        assert message in refused.stderr
        assert "hush" not in refused.output
    down = CliRunner().invoke(app, ["memory", "migrate", "--state-dir", str(tmp_path)])
    assert down.exit_code == 4
    assert "emily up" in down.stderr


def test_an_emily_without_a_database_is_not_up(tmp_path: Path, bus: str) -> None:
    made = Layout(state_dir=tmp_path, bus_port=int(bus.rpartition(":")[2]), memory=False)
    status = SystemStatus(pid=os.getpid(), started_at=time.time(), layout=made, parts=())
    status_file(made).parent.mkdir(parents=True)
    status_file(made).write_bytes(to_json(status))
    refused = migrate(made, "--plan")
    assert refused.exit_code == 4
    assert "the database of memory is not up" in refused.stderr
