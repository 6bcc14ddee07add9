"""The profile `ops`: backups of a composed system that are proved, and Prometheus that sees every part."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from composing import MINDS, Composed, build
from emily.system import free_port
from engine import BUILD_TIMEOUT_S

pytestmark = [pytest.mark.containers, pytest.mark.timeout(2 * BUILD_TIMEOUT_S)]

FAILING = {
    "modality": "interoception",
    "subject": "host",
    "signals": [{"channel": name, "values": [0.99]} for name in ("load", "memory", "disk", "temperature")],
    "deadline_ms": 10_000,
}
SEEN = {("", "router"), ("", "flag-service"), ("", "backup-agent"), *(("blue", mind) for mind in MINDS)}
WITHIN_S = 120.0
ASKING = ("exec", "-T", "backup-agent", "python3", "-m", "emily_backup_agent.asking")


@pytest.fixture(scope="module")
def prometheus() -> str:
    """Where it will answer."""
    return f"http://127.0.0.1:{free_port()}"


@pytest.fixture(scope="module")
def composed(prometheus: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Composed]:
    """A blue system with its operations, that remembers something."""
    build("blue", "ops")
    port = prometheus.rpartition(":")[2]
    project = Composed(
        tmp_path_factory.mktemp("ops"), COMPOSE_PROFILES="blue,ops", EMILY_PROMETHEUS_PORT=port
    )
    with project.up():
        asked = httpx.post(f"{project.url}/api/v1/stimuli", json=FAILING, timeout=15)
        assert asked.status_code == 200, asked.text
        until(lambda: project.memories() > 0)
        yield project


def until[T](answer: Callable[[], T]) -> T:
    """The first answer that is not empty."""
    deadline = time.monotonic() + WITHIN_S
    while not (found := answer()):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    return found


def job(composed: Composed) -> dict[str, Any]:
    """How the backups stand."""
    done = composed.do(*ASKING, "status")
    (status,) = json.loads(done.stdout)["jobs"]
    assert done.returncode == (0 if status["state"] == "good" else 6)
    known: dict[str, Any] = status
    return known


def test_drill_proves_a_backup_of_all_volumes_and_of_the_database(composed: Composed) -> None:
    assert composed.do(*ASKING, "drill", "emily").returncode == 0

    def ended() -> dict[str, Any]:
        known = job(composed)
        drill, attempt = known.get("drill") or {}, known.get("attempt") or {}
        return known if drill.get("ended_at") or attempt.get("reason") else {}

    known = until(ended)
    assert known["state"] == "good", known["detail"]
    assert known["drill"]["tables"] > 5
    assert known["drill"]["rows"] > 0
    assert known["drill"]["files"] >= len(MINDS)
    listing = (
        "restic --no-lock -r /var/lib/emily/repository -p /run/secrets/backup_password "
        "--cache-dir /tmp/cache ls latest --tag kind:files"
    )
    done = composed.do("exec", "-T", "backup-agent", "sh", "-c", listing)
    assert done.returncode == 0, done.stderr
    names = done.stdout.splitlines()
    for start, end in (("/sources/blue/", "/reflex.ckpt"), ("/sources/router/", ".json")):
        assert [name for name in names if name.startswith(start) and name.endswith(end)], "\n".join(names)
    unknown = composed.do(*ASKING, "backup", "other")
    assert (unknown.returncode, "there is no 'other'; there are emily" in unknown.stderr) == (1, True)


def test_database_password_is_rotated_while_she_goes_on(composed: Composed) -> None:
    rotated = subprocess.run(
        [
            *(sys.executable, "-m", "emily", "secrets", "rotate", "secrets/postgres_password"),
            *("--state-dir", str(composed.secrets.parent)),
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | {"COMPOSE_PROJECT_NAME": composed.name},
        check=False,
    )
    assert rotated.returncode == 0, rotated.stderr
    before = composed.memories()
    composed.asked("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'emily'")
    states = {name: each["State"]["StartedAt"] for name, each in composed.containers().items()}

    def remembered() -> bool:
        asked = httpx.post(f"{composed.url}/api/v1/stimuli", json=FAILING | {"subject": "later"}, timeout=15)
        assert asked.status_code == 200, asked.text
        return composed.memories() > before

    until(remembered)
    assert {name: each["State"]["StartedAt"] for name, each in composed.containers().items()} == states


def test_prometheus_sees_every_part_and_has_all_rules(composed: Composed, prometheus: str) -> None:
    def seen() -> bool:
        answer = httpx.get(f"{prometheus}/api/v1/query", params={"query": "up == 1"}, timeout=5).json()
        found = {
            (each["metric"].get("colour", ""), each["metric"]["service"]) for each in answer["data"]["result"]
        }
        return found == SEEN

    until(seen)
    groups = httpx.get(f"{prometheus}/api/v1/rules", timeout=5).json()["data"]["groups"]
    assert {each["name"] for each in groups} == {"emily-backup", "emily-zfs"}
    assert all(rule["health"] in ("ok", "unknown") for group in groups for rule in group["rules"])
