"""No value of a secret is in a log, a metric, a trace, the arguments of a process, or what a command says."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import anyio
import httpx
import psutil
import pytest
from emily.system import Layout, parts
from emily_runtime.secrets.trail import Trail
from emily_runtime.testing.infisical import ENVIRON, StandIn
from harness import fresh_layout, invoke, up
from otlp import Receiver, receiving
from stimuli import client, look

SERVICES = ("REFLEX", "WORKSPACE", "INFERENCE", "ROUTER", "BACKUP_AGENT")
OF_DATABASE = "canary-of-a-database"
OF_ORDERS = "canary-of-who-gives-orders"
TOKENS = "infisical:/router/TOKENS"
FILES = ("bus.password", "bus.passwords", "backup.password")
SAMPLE_S = 0.02


@pytest.fixture
def traces() -> Iterator[Receiver]:
    """What takes them."""
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def infisical(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """Keeps the tokens of the router, and is referred to by it and by who gives it orders."""
    stand_in = StandIn()
    stand_in.values = {("/router", "TOKENS"): f"operator {OF_ORDERS}\n"}
    stand_in.start()
    for name, value in (ENVIRON | {"EMILY_INFISICAL_URL": stand_in.url}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("EMILY_ROUTER_TOKEN_SECRET", TOKENS)
    monkeypatch.setenv("EMILY_TRAFFIC_TOKEN_SECRET", TOKENS)
    yield stand_in
    stand_in.stop()
    assert stand_in.broken == []


@pytest.fixture
def commands() -> Iterator[set[str]]:
    """The command lines of all processes that this one starts, and of theirs, as they come and go."""
    seen: set[str] = set()
    over = threading.Event()

    def look_around() -> None:
        while not over.wait(SAMPLE_S):
            for process in psutil.process_iter():
                try:
                    seen.add(" ".join(process.cmdline()))
                except psutil.Error:
                    continue

    watcher = threading.Thread(target=look_around)
    watcher.start()
    yield seen
    over.set()
    watcher.join()


def values(layout: Layout) -> set[str]:
    """Every value in every file of secrets, and of those that are referred to."""
    found = {OF_DATABASE, OF_ORDERS, ENVIRON["SECRET"]}
    for name in FILES:
        file = layout.state_dir / name
        assert file.exists(), name
        for line in file.read_text().splitlines():
            found.add(line.replace(":", " ").split()[-1])
    assert all(len(value) >= 16 for value in found)
    return found


def spoken(*words: str) -> str:
    """What a command says, as a process of its own: one that asks Infisical sets up its own log."""
    command = [sys.executable, "-m", "emily", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout + done.stderr


def metrics(layout: Layout) -> str:
    """Of every part that has some."""
    said = []
    for part in parts(layout):
        file = layout.announcement(part)
        if file.exists():
            said.append(httpx.get(json.loads(file.read_text())["http"] + "/metrics").text)
    assert len(said) >= len(SERVICES)
    return "".join(said)


@pytest.mark.timeout(180)
def test_no_secret_is_told_anywhere(
    trained: Path,
    tmp_path: Path,
    traces: Receiver,
    infisical: StandIn,
    commands: set[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url = tmp_path / "url"
    url.write_text(f"postgresql://emily:{OF_DATABASE}@127.0.0.1:1/emily")  # pragma: allowlist secret
    url.chmod(0o600)
    monkeypatch.setenv("EMILY_ROUTER_DATABASE_URL_FILE", str(url))
    monkeypatch.setenv("EMILY_BACKUP_AGENT_DATABASE_URL_FILE", str(url))
    for service in SERVICES:
        monkeypatch.setenv(f"EMILY_{service}_OTLP_ENDPOINT", traces.endpoint)
        monkeypatch.setenv(f"EMILY_{service}_LOG_LEVEL", "debug")
    (tmp_path / "state").mkdir()
    layout = fresh_layout(tmp_path / "state", trained, backups=True)
    asked = (
        ("status",),
        ("doctor",),
        ("backup", "status"),
        ("backup", "run"),
        ("secrets", "status"),
        ("secrets", "audit"),
        ("traffic", "show"),
    )

    async def main() -> None:
        async with client(layout) as speaker:
            await speaker.ask(look(3, subject="traced"), timeout=15)

    with up(layout):
        anyio.run(main)
        said = [invoke(layout, *words) for words in asked]
        ordered = spoken("traffic", "set", "green", "--state-dir", str(layout.state_dir))
        asked_for = infisical.asked.copy()
        checked = spoken("secrets", "check")
        told = metrics(layout)
        hidden = values(layout)
    told += ordered + checked
    told += "".join(each.stdout + each.stderr for each in said)
    told += layout.log.read_text() + "".join(commands)
    told += b"".join(traces.bodies).decode(errors="replace")
    assert traces.bodies
    assert asked_for.count("login") >= 2
    assert "the database of the routing table can't be asked" in ordered
    assert f"ok    EMILY_ROUTER_TOKEN_SECRET: {TOKENS}" in checked
    made = {entry.secret: entry.who for entry in Trail(layout.state_dir).verified()[0]}
    assert set(made) == {"bus.password", "backup.password"}
    assert made["backup.password"].startswith("backup-agent as ")
    assert any("emily_router" in each for each in commands)
    assert [value for value in hidden if value in told] == []
