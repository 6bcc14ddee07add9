"""What `emily zfs` does for a person: plans without a running Emily, the rest with a zfs-agent on her bus."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from emily.app import app
from emily.supervisor import SystemStatus, status_file
from emily.system import Layout, to_json
from emily_bus.testing import router
from emily_runtime.testing import ServiceProcess
from emily_zfs_agent.commands import Commands
from emily_zfs_agent.testing import FACTS, Recorded, patience, pool, unavailable
from typer.testing import CliRunner, Result

Command = Callable[..., Result]
WISH = """
[pools.tank]
[datasets."tank/emily".properties]
compression = "zstd"
[datasets."tank/emily/models"]
"""
COLUMNS = "-Hp -o name,property,source,value"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["zfs", *arguments])


@pytest.fixture
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recorded:
    """An OpenZFS 2.3 with one dataset whose compression differs."""
    own = Recorded(tmp_path)
    monkeypatch.setenv("PATH", f"{own.bin}{os.pathsep}{os.environ['PATH']}")
    own.answers("zfs list -H -o name -t filesystem,volume -r tank", "tank\ntank/emily\n")
    told = "tank\tcompression\tdefault\ton\ntank/emily\tcompression\tlocal\tlz4\n"
    own.answers(f"zfs get {COLUMNS} all tank tank/emily", told)
    own.answers("zfs set compression=zstd tank/emily")
    own.answers("zfs create tank/emily/models", words="cannot create 'tank/emily/models': no space", code=1)
    return own


@pytest.fixture
def file(tmp_path: Path) -> str:
    """A desired state."""
    (tmp_path / "zfs.toml").write_text(WISH)
    return str(tmp_path / "zfs.toml")


def test_a_plan_shows_what_differs_and_changes_nothing(recorded: Recorded, file: str) -> None:
    shown = run("plan", "--file", file)
    assert shown.exit_code == 0
    assert "zfs set compression=zstd tank/emily" in shown.output
    told = json.loads(run("plan", "--file", file, "--json").output)
    assert [each["kind"] for each in told["changes"]] == ["property differs", "dataset missing"]
    assert not recorded.calls("zfs set") + recorded.calls("zfs create")


def test_nothing_is_applied_without_a_word(recorded: Recorded, file: str) -> None:
    refused = run("apply", "--file", file)
    assert refused.exit_code == 1
    assert "say --yes" in refused.output
    assert not recorded.calls("zfs set")


def test_apply_tells_what_is_left(recorded: Recorded, file: str) -> None:
    applied = run("apply", "--file", file, "--yes")
    assert applied.exit_code == 6
    assert "1 changed." in applied.output
    assert "no space" in applied.output
    assert recorded.calls("zfs set") == ["zfs set compression=zstd tank/emily"]


def test_a_rollback_waits_for_a_word_and_tells_why_it_can_not_be(recorded: Recorded) -> None:
    refused = run("rollback", "tank/emily@none")
    assert refused.exit_code == 1
    assert "say --yes" in refused.output
    recorded.answers(f"zfs get {COLUMNS} all tank/emily", "tank/emily\ttype\t-\tfilesystem\n")
    recorded.answers(f"zfs {FACTS} tank/emily@none", words="dataset does not exist", code=1)
    told = run("rollback", "tank/emily@none", "--yes")
    assert told.exit_code == 1
    assert "there is none" in told.output
    assert not recorded.calls("zfs clone")


def test_all_that_is_wrong_with_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "wrong.toml").write_text('[pools.tank]\nx = 1\n[datasets."other/a"]')
    told = run("plan", "--file", str(tmp_path / "wrong.toml"))
    assert told.exit_code == 1
    assert "2 wrong in the desired state" in told.output


def test_who_asks_while_emily_is_down_is_told(tmp_path: Path) -> None:
    assert run("status", "--state-dir", str(tmp_path)).exit_code == 4


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A dataset of a real pool."""
    reason = unavailable()
    if reason:
        pytest.skip(reason)
    with pool(tmp_path_factory.mktemp("pool")) as name:
        Commands().zfs("create", f"{name}/emily")
        yield f"{name}/emily"


@pytest.fixture(scope="module", autouse=True)
def patient() -> Iterator[None]:
    """Deadlines that suit the machine."""
    with patience():
        yield


@pytest.fixture(scope="module")
def command(dataset: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Command]:
    """Runs a command in the folder of a system that has a bus and a zfs-agent."""
    folder = tmp_path_factory.mktemp("state")
    wish = folder / "zfs.toml"
    wish.write_text(f'[pools.{dataset.partition("/")[0]}]\n[datasets."{dataset}".snapshots]\nhourly = 2\n')
    with router() as endpoint:
        layout = Layout(state_dir=folder, bus_port=int(endpoint.rpartition(":")[2]))
        status_file(layout).parent.mkdir(parents=True)
        up = SystemStatus(pid=os.getpid(), started_at=time.time(), layout=layout, parts=())
        status_file(layout).write_bytes(to_json(up))
        agent = ServiceProcess(
            (sys.executable, "-m", "emily_zfs_agent"),
            name="zfs-agent",
            endpoint=endpoint,
            namespace="emily",
            state_dir=folder,
        )
        agent.start(desired_file=str(wish), look_every_s="0.2")
        agent.wait_until(lambda: agent.metric("emily_zfs_agent_snapshot_age_seconds", dataset=dataset) < 60)
        try:
            yield lambda *arguments: run(*arguments, "--state-dir", str(folder))
        finally:
            agent.kill()


def test_a_snapshot_is_taken_held_and_listed_with_what_becomes_of_it(command: Command, dataset: str) -> None:
    taken = json.loads(command("snapshot", dataset, "--hold", "before-upgrade", "--json").output)
    found = json.loads(command("snapshots", dataset, "--json").output)["snapshots"]
    held = next(each for each in found if each["snapshot"] == taken["snapshot"])
    assert (held["holds"], held["keep"], held["reason"]) == (1, True, "held by 1")
    shown = command("snapshots").output
    assert taken["snapshot"].partition("@")[2] in shown
    Commands().zfs("release", "emily:before-upgrade", taken["snapshot"])


def test_the_status_is_shown(command: Command, dataset: str) -> None:
    shown = command("status")
    assert (shown.exit_code, shown.stderr) == (0, "")
    assert dataset in shown.output
    assert "ONLINE" in shown.output


def test_a_name_that_is_none_is_refused(command: Command) -> None:
    assert command("snapshot", "no such name").exit_code == 1
    refused = command("snapshot", "elsewhere/data")
    assert refused.exit_code == 1
    assert "in no declared pool" in refused.output
