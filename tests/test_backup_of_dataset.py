"""A ZFS dataset is backed up over the bus: one agent takes and holds, the other mounts, reads and lets go."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import anyio
import anyio.to_thread
import pytest
from emily_backup_agent.mounting import mounts
from emily_backup_agent.testing import program
from emily_bus import Bus
from emily_bus import testing as bus_testing
from emily_bus.testing import router
from emily_contracts.backups import BackupRequest, BackupStatusRequest, JobStatus
from emily_contracts.snapshots import DatasetSnapshotsRequest
from emily_contracts.topics import BACK_UP, BACKUPS, DATASET_SNAPSHOTS
from emily_runtime import testing
from emily_runtime.testing import ServiceProcess
from emily_zfs_agent.commands import Commands
from emily_zfs_agent.testing import pool, unavailable

__all__ = ["program"]

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]
JOB = "models"
ASK_S = 30.0
WITHIN_S = 120.0
LARGE = 30_000_000


class System(NamedTuple):
    """Both agents on a bus, and a dataset.

    Attributes:
        live: Where the dataset is mounted.
    """

    dataset: str
    live: Path
    backup: ServiceProcess
    start_backup: Callable[[], None]
    restic: Path
    bus: Bus


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A guest reads its programs over a share: they start slowly."""
    monkeypatch.setattr(testing, "DEADLINE_S", WITHIN_S)
    monkeypatch.setattr(bus_testing, "START_TIMEOUT_S", WITHIN_S)


@pytest.fixture
def dataset(tmp_path: Path) -> Iterator[str]:
    """A filesystem that is mounted, with one and a volume below it; files are in both."""
    reason = unavailable()
    if reason:
        pytest.skip(reason)
    if "zfs" not in Path("/proc/filesystems").read_text().split():
        pytest.skip("NOT tested: the ZFS here has no part in the kernel, so no snapshot can be mounted")
    with pool(tmp_path) as name:
        commands = Commands()
        commands.zfs("create", "-o", f"mountpoint={tmp_path / 'live'}", f"{name}/emily")
        commands.zfs("create", f"{name}/emily/models")
        commands.zfs("create", "-V", "8M", f"{name}/emily/disk")
        (tmp_path / "live" / "mind").write_bytes(os.urandom(100_000))
        (tmp_path / "live" / "models" / "weights").write_bytes(b"few")
        yield f"{name}/emily"


@pytest.fixture
async def system(dataset: str, program: Path, tmp_path: Path) -> AsyncIterator[System]:
    """Both agents, up."""
    desired, plan, password = (tmp_path / name for name in ("zfs.toml", "backup.toml", "password"))
    pool_name = dataset.partition("/")[0]
    desired.write_text(f'[pools.{pool_name}]\n[datasets."{dataset}"]\nsnapshots = {{ hourly = 2 }}\n')
    password.write_text("of a test\n")
    plan.write_text(
        f'[repository]\nlocation = "{tmp_path / "repository"}"\npassword_file = "{password}"\nmake = true\n'
        f'[jobs.{JOB}]\ndataset = "{dataset}"\nrecursive = true\nparts = 1\n'
    )
    with router() as endpoint:
        agents = [
            ServiceProcess(
                (sys.executable, "-m", f"emily_{name.replace('-', '_')}"),
                name=name,
                endpoint=endpoint,
                namespace="emily",
                state_dir=tmp_path / name,
            )
            for name in ("zfs-agent", "backup-agent")
        ]
        zfs, backup = agents

        def start_backup() -> None:
            backup.start(plan_file=str(plan), restic=str(program), first_after_s="3600")

        for each in agents:
            each.state_dir.mkdir()
        try:
            zfs.start(desired_file=str(desired))
            start_backup()
            async with backup.bus() as bus:
                yield System(dataset, tmp_path / "live", backup, start_backup, program, bus)
        finally:
            for each in agents:
                each.kill()


async def status(bus: Bus) -> JobStatus:
    (job,) = (await bus.ask(BACKUPS, BackupStatusRequest(), timeout=ASK_S)).jobs
    return job


async def until(bus: Bus, holds: Callable[[JobStatus], bool]) -> JobStatus:
    with anyio.fail_after(WITHIN_S):
        while not holds(job := await status(bus)):
            await anyio.sleep(0.05)
    return job


async def drilled(bus: Bus) -> JobStatus:
    """A drill that was just asked for, once it has ended and all is let go."""
    asked = await bus.ask(BACK_UP, BackupRequest(job=JOB, what="drill"), timeout=ASK_S)
    await until(
        bus,
        lambda job: (
            (
                job.drill is not None
                and job.drill.started_at > asked.asked_at
                and job.drill.ended_at is not None
            )
            or bool(job.attempt and job.attempt.started_at > asked.asked_at and job.attempt.reason)
        ),
    )
    with anyio.fail_after(WITHIN_S):
        while (await bus.ask(BACKUPS, BackupStatusRequest(), timeout=ASK_S)).work is not None:
            await anyio.sleep(0.05)
    return await status(bus)


async def held(system: System) -> list[str]:
    """Snapshots that are held."""
    found = []
    for dataset in (system.dataset, f"{system.dataset}/disk", f"{system.dataset}/models"):
        there = await system.bus.ask(
            DATASET_SNAPSHOTS, DatasetSnapshotsRequest(dataset=dataset), timeout=ASK_S
        )
        found += [each.snapshot for each in there.snapshots if each.holds]
    return found


def mounted(system: System) -> list[Path]:
    """Snapshots that are mounted by the backup-agent."""
    return [each.at for each in mounts() if each.at.is_relative_to(system.backup.state_dir)]


async def test_dataset_with_one_below_is_backed_up_proved_and_let_go(system: System, tmp_path: Path) -> None:
    first = await drilled(system.bus)
    assert first.state == "good", first.detail
    assert first.drill is not None
    assert (first.drill.files, first.drill.compared) == (3, 2)
    assert first.success is not None
    assert first.success.skipped == (f"{system.dataset}/disk",)
    assert (await held(system), mounted(system)) == ([], [])

    (system.live / "models" / "weights").write_bytes(b"lots")
    second = await drilled(system.bus)
    assert second.attempt is not None
    assert first.attempt is not None
    assert first.attempt.added > 90_000 > 30_000 > second.attempt.added
    restoring = [sys.executable, "-m", "emily_backup_agent.restoring", "--job", JOB]
    where = ["--state-dir", str(system.backup.state_dir), "--plan-file", str(tmp_path / "backup.toml")]
    to = tmp_path / "restored"
    done = await anyio.run_process([*restoring, *where, "--restic", str(system.restic), "--to", str(to)])
    assert done.returncode == 0
    (weights,) = to.rglob("weights")
    assert weights.read_bytes() == b"lots"
    assert weights.parent.name == f"{system.dataset}/models".replace("/", "+")
    assert next(to.rglob("mind")).read_bytes() == (system.live / "mind").read_bytes()


async def test_what_a_killed_agent_left_mounted_and_held_is_let_go_by_the_next(system: System) -> None:
    (system.live / "large").write_bytes(os.urandom(LARGE))
    await system.bus.ask(BACK_UP, BackupRequest(job=JOB, what="backup"), timeout=ASK_S)
    await until(system.bus, lambda job: bool(job.attempt and job.attempt.step == "files"))
    system.backup.kill()
    assert len(mounted(system)) == 2
    assert len(await held(system)) == 3

    await anyio.to_thread.run_sync(system.start_backup)
    assert "killed at the step 'files'" in (await status(system.bus)).detail
    after = await drilled(system.bus)
    assert after.state == "good", after.detail
    assert (await held(system), mounted(system)) == ([], [])


async def test_dataset_that_the_zfs_agent_does_not_know_is_a_failure_that_says_so(
    system: System, tmp_path: Path
) -> None:
    plan = tmp_path / "backup.toml"
    plan.write_text(plan.read_text().replace(system.dataset, "elsewhere/emily"))
    system.backup.stop()
    await anyio.to_thread.run_sync(system.start_backup)
    known = await drilled(system.bus)
    assert (known.state, "elsewhere" in known.detail) == ("never", True), known.detail
