"""The database in a container: nobody comes in without a password, and nothing acknowledged is lost."""

from __future__ import annotations

import json
import os
import secrets
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from emily_contracts import Episode, RecallRequest, StoreRequest, uuid7
from emily_memory.embedding.hashing import HashingEmbedder
from emily_memory.memory import remembering
from emily_memory.store.database import opened
from engine import BUILD_TIMEOUT_S, VERSION, Container, built, container, docker, inspected

pytestmark = [pytest.mark.containers, pytest.mark.timeout(BUILD_TIMEOUT_S)]

LARGEST_MB = 110
HARDENED = (
    "--read-only",
    "--tmpfs=/run",
    "--tmpfs=/tmp",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    "--shm-size=384m",
)
READY = ("pg_isready", "-q", "-h", "127.0.0.1", "-U", "emily", "-d", "emily")
PUBLISHED = "--publish=127.0.0.1::5432"


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def image() -> str:
    """Built as `make image-postgres` does it."""
    return built("postgres")


@pytest.fixture(scope="session")
def password() -> str:
    return secrets.token_hex(24)


@pytest.fixture(scope="session")
def password_file(password: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _secret(tmp_path_factory.mktemp("secrets"), password)


@pytest.fixture(scope="session")
def secret(password_file: Path) -> str:
    """The option that hands it over."""
    return f"--volume={password_file}:/run/secrets/postgres_password:ro"


@pytest.fixture(scope="module")
def postgres(image: str, secret: str) -> Iterator[Container]:
    """A server that the tests share which do not hurt it."""
    with container(image, *HARDENED, secret, PUBLISHED) as server:
        server.wait_until(*READY)
        yield server


@pytest.fixture(scope="module")
def url(postgres: Container, password: str) -> str:
    return _url(postgres, password)


def _secret(folder: Path, text: str) -> Path:
    file = folder / "postgres_password"
    file.write_text(text)
    file.chmod(0o644)
    return file


def _url(server: Container, password: str, user: str = "emily") -> str:
    host, port = server.address(5432)
    return f"postgresql://{user}:{password}@{host}:{port}/emily"


def test_image_is_small_and_holds_nothing_that_builds(image: str) -> None:
    known = inspected("image", image)
    size_mb = known["Size"] / 1e6
    print(f"{image}: {size_mb:.0f} MB")
    assert size_mb < LARGEST_MB
    assert known["Config"]["User"] == "5432:5432"
    assert known["Config"]["Labels"]["org.opencontainers.image.version"] == "18.4-pgvector0.8.5"
    builders = "for each in python3 pip gcc cc make; do command -v $each; done; true"
    assert docker("run", "--rm", image, "sh", "-c", builders).stdout == ""


@pytest.mark.parametrize(
    ("given", "said"),
    [
        pytest.param([], "is missing", id="no file"),
        pytest.param(["--env=POSTGRES_PASSWORD_FILE=/dev/null"], "is empty", id="an empty file"),
        pytest.param(["--env=POSTGRES_PASSWORD=x"], "put the password into a file", id="a variable"),
    ],
)
def test_no_start_without_a_password_file(image: str, given: list[str], said: str) -> None:
    done = docker("run", "--rm", *HARDENED, *given, image)
    assert done.returncode == 2
    assert said in done.stderr


def test_missing_password_file_is_explained_by_commands_that_make_it(image: str, tmp_path: Path) -> None:
    said = docker("run", "--rm", *HARDENED, image).stderr
    assert "There is no default password" in said
    commands = [line for line in said.splitlines() if line.startswith("  ")]
    here = (f"--volume={tmp_path}:/here", "--workdir=/here", "--user=0")
    done = docker("run", "--rm", *here, image, "sh", "-euc", "\n".join(commands))
    assert done.returncode == 0, done.stderr
    made = tmp_path / ".emily" / "secrets" / "postgres_password"
    assert len(made.read_text()) == 48
    assert made.stat().st_mode & 0o777 == 0o644
    assert made.parent.stat().st_mode & 0o777 == 0o700


def test_wrong_password_is_refused(postgres: Container) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(_url(postgres, "wrong"), connect_timeout=10)


def test_superuser_comes_in_only_from_inside(postgres: Container, password: str) -> None:
    with pytest.raises(psycopg.OperationalError, match=r"pg_hba.conf rejects connection"):
        psycopg.connect(_url(postgres, password, user="postgres"), connect_timeout=10)
    assert postgres.run("psql", "-U", "postgres", "-tAc", "SELECT current_user") == "postgres"


def test_network_asks_for_scram_and_nobody_is_trusted(postgres: Container) -> None:
    query = "SELECT json_agg(r) FROM (SELECT type, user_name, auth_method FROM pg_hba_file_rules) r"
    rules = json.loads(postgres.run("psql", "-U", "postgres", "-tAc", query))
    network = [rule for rule in rules if rule["type"] != "local"]
    assert {rule["auth_method"] for rule in network} == {"scram-sha-256", "reject"}
    assert {rule["auth_method"] for rule in rules} == {"scram-sha-256", "reject", "peer"}
    stored = (
        "SELECT left(rolpassword, 13) FROM pg_authid WHERE rolname IN ('emily', 'postgres') ORDER BY rolname"
    )
    assert postgres.run("psql", "-U", "postgres", "-tAc", stored) == "SCRAM-SHA-256"


def test_server_is_not_root_and_writes_only_where_it_must(postgres: Container) -> None:
    assert postgres.run("id", "-u") == "5432"
    status = postgres.run("cat", "/proc/1/status")
    assert "CapEff:\t0000000000000000" in status
    assert "NoNewPrivs:\t1" in status
    for folder in ("/", "/etc", "/opt/postgresql", "/var/lib"):
        assert docker("exec", postgres.name, "touch", f"{folder}/x").returncode != 0
    assert inspected("container", postgres.name)["HostConfig"]["ReadonlyRootfs"]


@pytest.mark.anyio
async def test_memory_stores_and_recalls_as_a_role_that_is_no_superuser(url: str) -> None:
    at = datetime.now(UTC)
    episode = Episode(id=uuid7(at), occurred_at=at, content="the kettle whistles")
    request = StoreRequest(id=uuid7(at), at=at, stimulus_id=uuid7(at), namespace="home", episode=episode)
    async with opened(url, size=1) as database, remembering(database, HashingEmbedder()) as memory:
        assert (await memory.store(request)).new
        here = await memory.recall(RecallRequest(namespace="home", text="kettle"))
        elsewhere = await memory.recall(RecallRequest(namespace="work", text="kettle"))
    assert [each.content for each in here.episodes] == ["the kettle whistles"]
    assert elsewhere.episodes == ()
    rights = "SELECT rolsuper, rolcreatedb, rolbypassrls FROM pg_roles WHERE rolname = current_user"
    with psycopg.connect(url) as connection:
        assert connection.execute(rights.encode()).fetchone() == (False, False, False)


def test_migration_may_give_way_at_once(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("SET deadlock_timeout = '10ms'")
        assert connection.execute("SHOW deadlock_timeout").fetchone() == ("10ms",)


def test_words_and_contexts_are_searched_by_their_index_behind_the_fence(url: str) -> None:
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT proleakproof FROM pg_proc WHERE proname IN ('ts_match_vq', 'jsonb_contains')"
        ).fetchall()
    assert rows == [(True,), (True,)]


def test_vectors_are_indexed_by_several_workers(url: str) -> None:
    notices: list[str] = []
    with psycopg.connect(url) as connection:
        connection.add_notice_handler(lambda notice: notices.append(notice.message_primary or ""))
        connection.execute("CREATE TABLE near (id int, at vector(64))")
        connection.execute(
            "INSERT INTO near"
            " SELECT n, ARRAY(SELECT random() FROM generate_series(1, 64) WHERE n > 0)::vector"
            " FROM generate_series(1, 4000) n"
        )
        connection.execute("SET min_parallel_table_scan_size = 0")
        connection.execute("SET client_min_messages = debug1")
        connection.execute("CREATE INDEX near_hnsw ON near USING hnsw (at vector_cosine_ops)")
        connection.execute("SET client_min_messages = notice")
        nearest = "EXPLAIN SELECT id FROM near ORDER BY at <=> (SELECT at FROM near LIMIT 1) LIMIT 5"
        plan = str(connection.execute(nearest.encode()).fetchall())
        connection.rollback()
    assert "near_hnsw" in plan
    assert any("parallel workers" in notice for notice in notices), notices


def test_text_is_utf8_and_time_is_utc(url: str) -> None:
    query = (
        "SELECT current_setting('server_encoding'), datctype, current_setting('TimeZone')"
        " FROM pg_database WHERE datname = current_database()"
    )
    with psycopg.connect(url) as connection:
        assert connection.execute(query.encode()).fetchone() == ("UTF8", "C.UTF-8", "UTC")


def test_dump_of_the_database_is_restored_in_another(postgres: Container, url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(
            "CREATE TABLE kept AS SELECT n, '[1,2]'::vector AS at FROM generate_series(1, 100) n"
        )
    restoring = (
        "psql -qU postgres -c 'CREATE DATABASE copy OWNER emily'"
        " && pg_dump -U postgres -Fc emily | pg_restore -U postgres --exit-on-error -d copy"
        " && psql -U postgres -d copy -tAc 'SELECT count(*) FROM kept'"
    )
    assert postgres.run("sh", "-euc", restoring) == "100"


def test_every_acknowledged_row_is_there_after_a_kill(image: str, secret: str, password: str) -> None:
    acknowledged: list[int] = []

    def insert(where: str) -> None:
        try:
            with psycopg.connect(where, autocommit=True) as connection:
                connection.execute("CREATE TABLE entry (n int)")
                for number in range(1_000_000):
                    connection.execute("INSERT INTO entry VALUES (%s)", [number])
                    acknowledged.append(number)
        except psycopg.OperationalError:
            return

    with container(image, *HARDENED, secret, PUBLISHED) as server:
        server.wait_until(*READY)
        writer = threading.Thread(target=insert, args=[_url(server, password)])
        writer.start()
        deadline = time.monotonic() + 20
        while len(acknowledged) < 200 and time.monotonic() < deadline:
            time.sleep(0.01)
        server.kill("KILL")
        writer.join(20)
        assert server.wait() == 137
        server.start()
        server.wait_until(*READY)
        with psycopg.connect(_url(server, password)) as connection:
            found = {number for (number,) in connection.execute("SELECT n FROM entry").fetchall()}
    assert len(acknowledged) >= 200
    assert set(acknowledged) <= found


@pytest.mark.parametrize("signal", ["TERM", "INT"])
def test_it_ends_at_once_though_a_client_is_connected(
    image: str, secret: str, password: str, signal: str
) -> None:
    with container(image, *HARDENED, secret, PUBLISHED) as server:
        server.wait_until(*READY)
        with psycopg.connect(_url(server, password)):
            server.kill(signal)
            assert server.wait(timeout_s=15) == 0
        assert "database system is shut down" in server.logs()


def test_first_start_that_was_killed_is_made_anew(image: str, secret: str, password: str) -> None:
    with container(image, *HARDENED, secret, PUBLISHED) as server:
        server.wait_until("test", "-e", "/var/lib/postgresql/18")
        server.kill("KILL")
        server.wait()
        server.start()
        server.wait_until(*READY)
        psycopg.connect(_url(server, password)).close()


def test_compose_runs_it_hardened_and_closed_to_the_host(image: str, password: str, tmp_path: Path) -> None:
    folder = tmp_path / ".emily" / "secrets"
    folder.mkdir(parents=True)
    _secret(folder, password)
    project = f"emily-test-{uuid4().hex[:8]}"
    compose = ("compose", "-f", "compose.yaml", "--project-directory", str(tmp_path), "-p", project)
    environment = os.environ | {"EMILY_VERSION": VERSION}
    try:
        up = docker(*compose, "up", "-d", "--no-build", "--wait", "postgres", environment=environment)
        assert up.returncode == 0, up.stderr
        known = inspected("container", f"{project}-postgres-1")
        assert inspected("network", f"{project}_data")["Internal"]
    finally:
        docker(*compose, "down", "--volumes", environment=environment)
    host = known["HostConfig"]
    assert known["State"]["Health"]["Status"] == "healthy"
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert host["ShmSize"] > 256 * 2**20
    assert host["Memory"] == 2 * 2**30
    assert host["PidsLimit"] == 256
    assert not host["PortBindings"]
