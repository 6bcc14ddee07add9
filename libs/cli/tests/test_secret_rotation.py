"""Secrets of Emily's own: how old they are, and others instead."""

from __future__ import annotations

import json
import os
import shlex
from base64 import b64decode
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from emily.app import app
from emily.init import ADDRESSES, make_secrets
from emily.secret_rotate import verifier
from emily_postgres.testing import grow, grown, server_url, url
from emily_runtime.secrets.trail import Trail
from typer.testing import CliRunner, Result

__all__ = ["grow", "grown", "server_url", "url"]

TOKEN = "flags.token"
HIDDEN = "hunter2"


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    folder.mkdir()
    (folder / TOKEN).write_text(f"operator {HIDDEN}\nada {HIDDEN}2\n")
    return folder


def secrets(*words: str, state_dir: Path) -> Result:
    finished = CliRunner().invoke(app, ["secrets", *words, "--state-dir", str(state_dir), "--json"])
    assert HIDDEN not in finished.output
    return finished


def test_token_is_rotated_in_place_for_every_name_and_that_is_on_record(state_dir: Path) -> None:
    before = (state_dir / TOKEN).stat()
    assert secrets("rotate", TOKEN, state_dir=state_dir).exit_code == 0
    lines = (state_dir / TOKEN).read_text().splitlines()
    assert [line.split()[0] for line in lines] == ["operator", "ada"]
    assert len({line.split()[1] for line in lines} - {HIDDEN, f"{HIDDEN}2"}) == 2
    assert (state_dir / TOKEN).stat().st_ino == before.st_ino
    (entry,) = json.loads(secrets("audit", state_dir=state_dir).stdout)["entries"]
    assert (entry["secret"], entry["act"]) == (TOKEN, "rotated")


def test_secret_is_overdue_ninety_days_after_it_was_rotated(state_dir: Path) -> None:
    old = (datetime.now(UTC) - timedelta(days=91)).timestamp()
    os.utime(state_dir / TOKEN, (old, old))
    found = secrets("status", state_dir=state_dir)
    (standing,) = json.loads(found.stdout.splitlines()[0])
    assert (found.exit_code, standing["secret"], standing["overdue"]) == (6, TOKEN, True)
    assert standing["readers"] == ["flag-service", "emily flags"]
    assert secrets("rotate", TOKEN, state_dir=state_dir).exit_code == 0
    found = secrets("status", state_dir=state_dir)
    (standing,) = json.loads(found.stdout)
    assert (found.exit_code, standing["overdue"]) == (0, False)
    due = datetime.fromisoformat(standing["due"]) - datetime.fromisoformat(standing["since"])
    assert due == timedelta(days=90)


def test_what_is_made_is_on_record(tmp_path: Path) -> None:
    made = make_secrets(tmp_path / "secrets").made
    entries, _ = Trail(tmp_path).verified()
    assert {f"{tmp_path}/{entry.secret}" for entry in entries} == set(made)
    assert {entry.act for entry in entries} == {"made"}


@pytest.mark.parametrize(
    ("secret", "reason"),
    [("nothing", "there is no such secret"), ("bus.password", "is rotated by hand")],
)
def test_what_can_not_be_rotated_is_told_and_not_on_record(state_dir: Path, secret: str, reason: str) -> None:
    (state_dir / "bus.password").write_text(HIDDEN)
    refused = secrets("rotate", secret, state_dir=state_dir)
    assert (refused.exit_code, reason in refused.output) == (1, True)
    assert Trail(state_dir).verified()[0] == ()


def test_verifier_is_the_one_that_postgresql_itself_makes(url: str) -> None:
    with psycopg.connect(url) as connection:
        made = connection.pgconn.encrypt_password(b"pencil", b"user", b"scram-sha-256").decode()
    salt = made.split("$")[1].partition(":")[2]
    assert verifier("pencil", b64decode(salt)) == made


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `docker` that writes down what it is told, and fails while a file `broken` is there."""
    folder = tmp_path / "bin"
    folder.mkdir()
    said = shlex.quote(str(tmp_path / "said"))
    broken = shlex.quote(str(tmp_path / "broken"))
    script = (
        f'#!/bin/sh\n[ ! -e {broken} ] || {{ echo down >&2; exit 1; }}\necho "$@" >>{said}\ncat >>{said}\n'
    )
    (folder / "docker").write_text(script)
    (folder / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


def test_database_password_is_changed_in_the_database_first_and_gone_on_with_when_cut_off(
    engine: Path,
) -> None:
    state_dir = engine / ".emily"
    make_secrets(state_dir / "secrets")
    files = [state_dir / "secrets" / name for name in (*ADDRESSES, "postgres_password")]
    before = {file: (file.read_text(), file.stat().st_ino) for file in files}
    (engine / "broken").touch()
    refused = secrets("rotate", "secrets/postgres_password", state_dir=state_dir)
    assert (refused.exit_code, "the database did not take it: down" in refused.output) == (1, True)
    assert {file: (file.read_text(), file.stat().st_ino) for file in files} == before
    waiting = (state_dir / "secrets" / "postgres_password.new").read_text()

    (engine / "broken").unlink()
    assert secrets("rotate", "secrets/postgres_password", state_dir=state_dir).exit_code == 0
    for file in files:
        assert waiting in file.read_text()
        assert file.stat().st_ino == before[file][1]
    said = (engine / "said").read_text()
    assert "compose exec -T postgres psql" in said
    assert "ALTER ROLE emily PASSWORD 'SCRAM-SHA-256$4096:" in said
    assert waiting not in said
    assert not (state_dir / "secrets" / "postgres_password.new").exists()
