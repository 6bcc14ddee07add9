"""Versions that fail in every way, and a deployer that is killed: each ends on the right colour."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from deploying import Ended, deploy, settled_on
from emily import launch
from emily.deploy_ask import OVER, Deployer
from emily.errors import CommandError
from emily.supervisor import PartStatus
from emily.system import Layout, parts
from emily_runtime.stacks import CURRENT
from harness import Run, fresh_layout, up
from releases import CRASHING, NEVER_READY, SLOW, changed, release, with_code

pytestmark = [pytest.mark.soak, pytest.mark.timeout(300)]

OPTIONS = ("--no-shadow", "--steps", "50", "--window", "1s", "--patience", "60s", "--undecided", "roll-back")
GOOD = ("--steps", "20,60", "--window", "2s", "--patience", "8s")
KILLS = 6
PATIENCE_S = 120


@pytest.fixture
def system(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Layout]:
    """A running system with a deployer that waits little."""
    monkeypatch.setenv("EMILY_DEPLOYER_READY_TIMEOUT_S", "8")
    layout = fresh_layout(tmp_path, trained, delivery=True)
    with up(layout):
        launch.wait_until_ready(layout, next(part for part in parts(layout) if part.name == "deployer"))
        yield layout


@pytest.mark.parametrize("kind", ["crashing", "slow", "migration", "never-ready", "no-program"])
def test_a_bad_version_goes_back_by_itself(system: Layout, run: Run, tmp_path: Path, kind: str) -> None:
    ended = deploy(system, run, _version(tmp_path, kind), *OPTIONS)
    print(kind, ended.code, ended.deploy["words"], ended.statuses)
    assert (ended.code, ended.deploy["state"]) == (6, "rolled back")
    assert _words(kind) in ended.deploy["words"]
    if kind != "crashing":
        assert set(ended.statuses) <= {"decided", "reflex"}
    settled_on(system, "blue", CURRENT)


@pytest.mark.parametrize("name", ["inference", "reflex"])
def test_a_new_colour_that_is_killed_in_its_window_is_left(
    system: Layout, run: Run, tmp_path: Path, name: str
) -> None:
    """Again and again, so that its supervisor does not help."""
    options = ("--no-shadow", "--steps", "50", "--window", "60s", "--patience", "3s")

    def kill() -> None:
        _until_step(system, "window")
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and not _over(system):
            for part in _parts(system, "emily/green", name):
                with contextlib.suppress(ProcessLookupError, TypeError):
                    os.kill(part.pid, signal.SIGKILL)  # type: ignore[arg-type]
            time.sleep(0.05)

    ended = deploy(system, run, CURRENT, *options, meanwhile=kill)
    assert ended.deploy["state"] == "rolled back"
    settled_on(system, "blue", CURRENT)


def test_a_deployer_that_is_killed_again_and_again_brings_it_to_an_end(
    system: Layout, run: Run, tmp_path: Path
) -> None:
    def kill() -> None:
        for _ in range(KILLS):
            time.sleep(2.5)
            for part in _parts(system, "emily", "deployer"):
                with contextlib.suppress(ProcessLookupError, TypeError):
                    os.kill(part.pid, signal.SIGKILL)  # type: ignore[arg-type]
        _until_over(system)

    ended = _deploy_unwatched(system, run, kill)
    assert set(ended.statuses) <= {"decided", "reflex"}
    assert _over(system)
    settled_on(system, "green", CURRENT)


def test_a_rollback_in_the_window_takes_less_than_two_seconds(system: Layout, run: Run) -> None:
    taken: list[float] = []

    def back() -> None:
        _until_step(system, "window")
        started = time.monotonic()
        Deployer(system.state_dir, url=None, token_file=None).command("rollback", "a test")
        while _current(system)["step"] not in {"clear"} and not _over(system):
            time.sleep(0.01)
        taken.append(time.monotonic() - started)

    options = ("--no-shadow", "--steps", "50", "--window", "60s", "--patience", "3s")
    ended = deploy(system, run, CURRENT, *options, meanwhile=back)
    print(taken)
    assert ended.deploy["words"] == "rolled back by operator: a test"
    assert taken[0] < 2
    settled_on(system, "blue", CURRENT)


def _version(folder: Path, kind: str) -> str:
    match kind:
        case "crashing":
            return changed(folder, kind, CRASHING)
        case "slow":
            return changed(folder, kind, SLOW)
        case "migration":
            return release(
                folder, kind, "[migrations]", 'expand = ["/bin/sh", "-c", "echo no table; exit 4"]'
            )
        case "never-ready":
            return with_code(folder, kind, NEVER_READY)
        case _:
            return release(folder, kind, 'python = "/no/such/python"')


def _words(kind: str) -> str:
    return {
        "crashing": "green",
        "slow": "latency",
        "migration": "expand: expand migration: exit 4; it said: no table",
        "never-ready": "inference has not announced itself yet",
        "no-program": "build: code of no-program: /no/such/python: No such file or directory",
    }[kind]


def _deploy_unwatched(layout: Layout, run: Run, meanwhile: object) -> Ended:
    return deploy(layout, run, CURRENT, *GOOD, "--detach", meanwhile=meanwhile)  # type: ignore[arg-type]


def _parts(layout: Layout, namespace: str, name: str) -> list[PartStatus]:
    seen = launch.require_running(layout).parts
    return [part for part in seen if (part.namespace, part.name) == (namespace, name)]


def _current(layout: Layout) -> dict[str, str]:
    """How the deploy is; nothing while the deployer is away."""
    try:
        return dict(Deployer(layout.state_dir, url=None, token_file=None).current())
    except CommandError:
        return {"state": "", "step": ""}


def _over(layout: Layout) -> bool:
    return _current(layout)["state"] in OVER


def _until_step(layout: Layout, step: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while _current(layout)["step"] != step and time.monotonic() < deadline:
        time.sleep(0.02)


def _until_over(layout: Layout) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not _over(layout) and time.monotonic() < deadline:
        time.sleep(0.1)


def test_with_a_memory_both_versions_share_the_database(trained: Path, tmp_path: Path, run: Run) -> None:
    layout = fresh_layout(tmp_path, trained, delivery=True, memory=True)
    with up(layout):
        for name in ("memory", "deployer"):
            launch.wait_until_ready(layout, next(part for part in parts(layout) if part.name == name))
        ended = deploy(layout, run, CURRENT, *GOOD)
        print(ended.statuses, ended.deploy["words"])
        assert ended.deploy["state"] == "succeeded"
        settled_on(layout, "green", CURRENT)
        assert run(layout, "memory", "stats", "--json").returncode == 0
        again = deploy(layout, run, CURRENT, *GOOD)
        assert again.deploy["state"] == "succeeded"
        settled_on(layout, "blue", CURRENT)
    with up(layout):
        assert launch.require_running(layout).layout.colour == "blue"


def test_a_commit_of_this_checkout_takes_over(system: Layout, run: Run) -> None:
    ended = deploy(system, run, "HEAD", *GOOD)
    assert ended.deploy["state"] == "succeeded"
    assert set(ended.statuses) <= {"decided", "reflex"}
    settled_on(system, "green", ended.deploy["plan"]["release"])
    assert ended.deploy["plan"]["release"].startswith("git:HEAD@")
