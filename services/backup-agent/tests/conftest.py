"""A real restic and a real database; where there is no restic, tests of it are skipped, and say so."""

from __future__ import annotations

import os
import shutil
import threading
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from emily_backup_agent.datasets import Storage
from emily_backup_agent.plan import Job, Plan, Repository
from emily_backup_agent.testing import JOB, OpenRoom, program
from emily_backup_agent.work import Room, opened
from emily_postgres.testing import grow, grown, server_url, url

__all__ = ["grow", "grown", "program", "server_url", "url"]


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """The loop that services run on."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    for number in range(20):
        (folder / f"file-{number}").write_bytes(os.urandom(5000))
        os.utime(folder / f"file-{number}", (1e9, 1e9))
    return folder


@pytest.fixture
def plan(tmp_path: Path, source: Path) -> Plan:
    password = tmp_path / "password"
    password.write_text("of a test\n")
    repository = Repository(location=str(tmp_path / "repository"), password_file=password)
    return Plan(host="here", repository=repository, jobs={JOB: Job(paths=(source,), parts=1)})


@pytest.fixture(scope="session")
def empty(program: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository that was just made: making one takes longer than to copy it."""
    folder = tmp_path_factory.mktemp("empty")
    (folder / "password").write_text("of a test\n")
    repository = Repository(location=str(folder / "repository"), password_file=folder / "password")
    plan = Plan(host="here", repository=repository, jobs={JOB: Job(paths=(folder,))})
    with _room(plan, folder / "agent", program, None) as room:
        room.repository.open(make=True)
    return folder / "repository"


@pytest.fixture
def open_room(tmp_path: Path, program: Path, empty: Path) -> OpenRoom:
    """Opens the room of a plan on a repository that is there."""
    shutil.copytree(empty, tmp_path / "repository")

    def open_(
        plan: Plan,
        *,
        database_url: str | None = None,
        makes: bool = False,
        storage: Storage | None = None,
    ) -> AbstractContextManager[Room]:
        return _room(plan, tmp_path / "agent", program, database_url, makes=makes, storage=storage)

    return open_


@pytest.fixture
def filled(url: str) -> str:
    """A database with something in it."""
    with psycopg.connect(url) as connection:
        connection.execute("CREATE SCHEMA memory")
        connection.execute(
            "CREATE TABLE memory.episode AS SELECT i, md5(i::text) FROM generate_series(1, 500) i"
        )
    return url


def _room(
    plan: Plan,
    folder: Path,
    program: Path,
    database_url: str | None,
    *,
    makes: bool = True,
    storage: Storage | None = None,
) -> AbstractContextManager[Room]:
    return opened(
        plan,
        folder,
        program=program,
        database_url=database_url,
        stopping=threading.Event(),
        clock=lambda: datetime.now(UTC),
        makes=makes,
        storage=storage,
    )
