from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from emily_postgres import ServerFailed, embedded, url_of
from emily_postgres.embedded import start, stop

KILLS = 3
ROWS = 200


def test_a_server_has_vectors_and_uuids_in_the_order_of_time(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("CREATE EXTENSION vector")
        row = connection.execute(
            "SELECT '[1,0]'::halfvec <=> '[0,1]'::halfvec, uuidv7() < uuidv7()"
        ).fetchone()
    assert row == (1.0, True)


def test_what_was_committed_survives_kills_of_the_server(tmp_path: Path) -> None:
    committed = 0
    for _ in range(KILLS):
        server = start(tmp_path)
        with psycopg.connect(url_of(tmp_path), autocommit=True) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS number (n int)")
            for _ in range(ROWS):
                connection.execute("INSERT INTO number VALUES (1)")
                committed += 1
            os.kill(server.process.pid, signal.SIGKILL)
            server.process.wait(10)
        stop(server)
    with embedded(tmp_path) as url, psycopg.connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM number").fetchone() == (committed,)


def test_a_second_server_on_a_folder_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    first = start(tmp_path)
    try:
        with pytest.raises(ServerFailed, match="another process runs a server here"):
            start(tmp_path)
        with psycopg.connect(url_of(tmp_path)) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
    finally:
        stop(first)


def test_a_folder_that_is_a_file_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(ServerFailed, match=r"taken: .*; choose a folder that can be written"):
        start(tmp_path / "taken")


def test_a_deep_folder_has_its_socket_elsewhere(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    with embedded(deep) as url, psycopg.connect(url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_the_process_serves_until_it_is_told_to_stop(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "emily_postgres", str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(b"PostgreSQL is ready")
        psycopg.connect(url_of(tmp_path)).close()
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url_of(tmp_path))


def test_the_process_ends_with_its_server(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "emily_postgres", str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        os.kill(int((tmp_path / "data" / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
        assert process.wait(20) == 1


def test_the_server_of_a_starter_that_was_killed_is_taken_over(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "emily_postgres", str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as starter:
        assert starter.stdout is not None
        starter.stdout.readline()
        with psycopg.connect(url_of(tmp_path), autocommit=True) as connection:
            connection.execute("CREATE TABLE kept ()")
        starter.kill()
    with embedded(tmp_path) as url, psycopg.connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)


def test_a_folder_whose_making_was_cut_off_is_made_anew(tmp_path: Path) -> None:
    torn = tmp_path / "data.new"
    torn.mkdir()
    (torn / "PG_VERSION").write_text("18")
    with embedded(tmp_path) as url, psycopg.connect(url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
