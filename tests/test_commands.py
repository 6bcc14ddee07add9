"""What people type: states, exit codes, remedies."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from pathlib import Path

import httpx
import pytest
from emily import launch
from emily.app import app
from emily.errors import StartFailed
from emily.system import Layout, alive
from harness import Run, fresh_layout, invoke, printed, quiet
from typer.testing import CliRunner, Result


def test_status_shows_every_part_ready_with_its_memory(emily: Layout) -> None:
    report = printed(invoke(emily, "status", "--json"))
    assert [part["name"] for part in report["parts"]] == ["bus", "reflex", "workspace", "inference", "router"]
    assert all(part["ready"] and part["memory_mb"] > 5 for part in report["parts"])
    assert "reflex" in invoke(emily, "status").stdout


def test_up_twice_is_up_once(emily: Layout) -> None:
    before = launch.require_running(emily).pid
    assert "up already" in invoke(emily, "up").stdout
    assert launch.require_running(emily).pid == before


def test_up_and_down_leave_nothing_behind(trained: Path, tmp_path: Path, run: Run) -> None:
    layout = fresh_layout(tmp_path, trained)
    started = run(layout, "up", "--port", str(layout.http_port), "--bus-port", str(layout.bus_port))
    assert started.returncode == 0, started.stderr
    pids = [part.pid for part in launch.require_running(layout).parts]
    assert printed(run(layout, "down", "--json")) == {"stopped": True}
    assert not any(alive(pid) for pid in pids if pid)
    assert launch.running(layout) is None
    assert printed(run(layout, "down", "--json")) == {"stopped": False}
    assert "not up" in run(layout, "down").stdout


@pytest.mark.parametrize("command", [("status",), ("perceive", "digits"), ("perceive", "host"), ("watch",)])
def test_what_needs_emily_says_so_when_she_is_not_up(tmp_path: Path, command: tuple[str, ...]) -> None:
    finished = invoke(Layout(state_dir=tmp_path), *command)
    assert finished.returncode == 4
    assert "emily up" in finished.stderr


def test_a_taken_port_is_named_before_anything_starts(trained: Path, tmp_path: Path) -> None:
    layout = fresh_layout(tmp_path, trained)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", layout.http_port))
        taken.listen()
        finished = invoke(
            layout, "up", "--port", str(layout.http_port), "--bus-port", str(layout.bus_port), "--json"
        )
    assert finished.returncode == 5
    assert f"port {layout.http_port}" in json.loads(finished.stdout)["error"]


def test_wrong_settings_of_a_part_stop_the_start(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMILY_WORKSPACE_NONSENSE", "1")
    with pytest.raises(StartFailed, match="workspace refused"):
        launch.up(fresh_layout(tmp_path, trained), quiet)


@pytest.mark.chaos
def test_the_parts_end_with_a_killed_supervisor_and_it_starts_again(victim: Layout, run: Run) -> None:
    status = launch.require_running(victim)
    os.kill(status.pid, signal.SIGKILL)
    launch.down(victim)
    for part in status.parts:
        if part.pid:
            _until_gone(part.pid)
    launch.up(victim, quiet)
    assert printed(run(victim, "status", "--json"))["ready"]


def test_watch_prints_what_goes_by(emily: Layout, run: Run) -> None:
    stop = threading.Event()

    def speak() -> None:
        draft = {"modality": "interoception", "signals": [{"channel": "load", "values": [0.1]}]}
        while not stop.wait(0.1):
            httpx.post(f"{emily.http_url}/api/v1/stimuli", json=draft, timeout=10)

    speaker = threading.Thread(target=speak)
    speaker.start()
    finished = run(emily, "watch", "--topic", "outbound_decision", "--for", "3", "--json")
    stop.set()
    speaker.join()
    messages = [json.loads(line) for line in finished.stdout.splitlines()]
    assert messages
    assert all(message["topic"] == "outbound_decision" for message in messages)
    wrong = invoke(emily, "watch", "--topic", "gossip")
    assert wrong.returncode == 1
    assert "no such topic" in wrong.stderr


def test_doctor_finds_a_healthy_machine_and_a_taken_port(emily: Layout, run: Run, tmp_path: Path) -> None:
    findings = printed(run(emily, "doctor", "--json"))
    assert {finding["check"] for finding in findings} >= {"python", "packages", "ports", "memory", "bus"}
    sick = invoke(Layout(state_dir=tmp_path), "doctor", "--port", str(emily.http_port), "--json")
    assert sick.returncode == 6
    (ports,) = [f for f in json.loads(sick.stdout.splitlines()[0]) if f["check"] == "ports"]
    assert ports["verdict"] == "bad"
    assert "--port" in ports["remedy"]


def test_contracts_are_exported_and_checked(tmp_path: Path) -> None:
    def contracts(*arguments: str) -> Result:
        return CliRunner().invoke(app, ["contracts", *arguments])

    assert contracts("export", str(tmp_path)).exit_code == 0
    assert contracts("check", str(tmp_path)).exit_code == 0
    schema = tmp_path / "schema.json"
    document = json.loads(schema.read_text())
    document["$defs"]["Act"]["properties"]["gone"] = {"type": "string"}
    schema.write_text(json.dumps(document))
    broken = contracts("check", str(tmp_path), "--json")
    assert broken.exit_code == 6
    assert json.loads(broken.stdout.splitlines()[0])["breaking"] == ["Act.gone: the field was removed"]
    missing = contracts("check", str(tmp_path / "nowhere"))
    assert missing.exit_code == 1
    assert "emily contracts export" in missing.stderr


def _until_gone(pid: int) -> None:
    deadline = time.monotonic() + 15
    while alive(pid):
        assert time.monotonic() < deadline, f"process {pid} outlived its supervisor"
        time.sleep(0.05)
