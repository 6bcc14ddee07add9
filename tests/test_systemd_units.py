"""The units for plain Debian: systemd takes every line of them, and runs their agents as they say."""

from __future__ import annotations

import os
import pwd
import shlex
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import anyio
import pytest
from emily_backup_agent.testing import program
from emily_bus import AskError, Bus, BusSettings
from emily_bus import testing as bus_testing
from emily_bus.testing import router
from emily_contracts.backups import BackupRequest, BackupStatusRequest, JobStatus
from emily_contracts.snapshots import StorageStatus, StorageStatusRequest
from emily_contracts.topics import BACK_UP, BACKUPS, STORAGE
from emily_zfs_agent.commands import Commands
from emily_zfs_agent.testing import pool

__all__ = ["program"]

ROOT = Path(__file__).parent.parent
UNITS = sorted((ROOT / "infra" / "systemd").glob("*.service"))
PYTHON = "/opt/emily/.venv/bin/python"
WITHIN_S = 150.0
ASK_S = 10.0

started = pytest.mark.skipif(
    os.environ.get("EMILY_ZFS_GUEST") != "1" or not Path("/run/systemd/system").is_dir(),
    reason="NOT tested: units that run; they are started only in the machine of make test-zfs",
)
each_unit = pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)


def values(unit: Path, key: str) -> list[str]:
    """Of a key, which may be there several times."""
    lines = unit.read_text().splitlines()
    return [line.partition("=")[2] for line in lines if line.startswith(f"{key}=")]


def done(*words: str) -> str:
    ran = subprocess.run(
        words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False
    )
    assert ran.returncode == 0, f"{words}: {ran.stdout}{ran.stderr}"
    return ran.stdout


@each_unit
@pytest.mark.skipif(
    shutil.which("systemd-analyze") is None,
    reason="NOT tested: units; systemd-analyze is not on this machine",
)
def test_systemd_takes_every_line(unit: Path, tmp_path: Path) -> None:
    """A line that it does not know is a warning, and nothing else is said."""
    here = tmp_path / unit.name
    here.write_text(unit.read_text().replace(PYTHON, sys.executable))
    words = ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", str(here)]
    ran = subprocess.run(
        words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False
    )
    assert (ran.returncode, ran.stdout + ran.stderr) == (0, "")


@each_unit
def test_what_a_unit_starts_is_there_and_has_the_settings_that_it_is_given(unit: Path) -> None:
    (start,) = values(unit, "ExecStart")
    python, *words = shlex.split(start)
    assert python == PYTHON
    ran = subprocess.run(
        [sys.executable, *words, "--help"],
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stderr
    given = [each.partition("=")[0] for each in values(unit, "Environment")]
    given += [word.partition("=")[0] for word in unit.read_text().split() if word.startswith("EMILY_")]
    assert given
    assert not [name for name in given if name not in ran.stdout]


@each_unit
def test_a_unit_is_installed_as_the_how_to_says(unit: Path) -> None:
    assert values(unit, "WantedBy") == ["multi-user.target"]
    how_to = "".join(each.read_text() for each in (ROOT / "docs" / "how-to").glob("*.md"))
    assert f"infra/systemd/{unit.name}" in how_to


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(scope="module")
def bus_endpoint() -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bus_testing, "START_TIMEOUT_S", WITHIN_S)
        with router() as listening:
            yield listening


@pytest.fixture
async def bus(bus_endpoint: str) -> AsyncIterator[Bus]:
    async with Bus.open(BusSettings(endpoint=bus_endpoint), namespace="emily", name="test") as opened:
        yield opened


@pytest.fixture
def installed(bus_endpoint: str) -> Iterator[Callable[..., str]]:
    """Installs a unit of this checkout with its environment, and starts it; at the end it is stopped.

    Where Python is in root's home, which `ProtectHome` hides, the unit may look into it.
    """
    opt = Path("/opt/emily")
    if not opt.exists():
        opt.symlink_to(ROOT)
    Path("/etc/emily").mkdir(exist_ok=True)
    names = []

    def install(agent: str, **settings: str) -> str:
        name = f"emily-{agent}"
        prefix = f"{name.upper().replace('-', '_')}_"
        given = {"BUS_ENDPOINT": bus_endpoint, **settings}
        lines = [f"{prefix}{key}={value}\n" for key, value in given.items()]
        Path(f"/etc/emily/{agent}.env").write_text("".join(lines))
        done(
            "install",
            "-m",
            "644",
            str(ROOT / "infra" / "systemd" / f"{name}.service"),
            "/etc/systemd/system/",
        )
        python = Path(sys.executable).resolve().parents[1]
        if python.is_relative_to("/root") and values(
            ROOT / "infra" / "systemd" / f"{name}.service", "ProtectHome"
        ):
            shown = Path(f"/run/systemd/system/{name}.service.d/python.conf")
            shown.parent.mkdir(parents=True, exist_ok=True)
            shown.write_text("[Service]\nProtectHome=read-only\n")
        done("systemctl", "daemon-reload")
        done("systemctl", "enable", "--now", name)
        names.append(name)
        return name

    yield install
    for name in names:
        subprocess.run(["systemctl", "disable", "--now", name], check=False, capture_output=True, timeout=120)


def shown(name: str, key: str) -> str:
    """What systemd says of a unit."""
    return done("systemctl", "show", "--value", "-p", key, name).strip()


def journal(name: str) -> str:
    return done("journalctl", "--no-pager", "-n", "40", "-u", name)


def stopped(name: str) -> None:
    done("systemctl", "stop", name)
    assert (shown(name, "ActiveState"), shown(name, "Result"), shown(name, "ExecMainStatus")) == (
        "inactive",
        "success",
        "0",
    ), journal(name)


async def storage(bus: Bus, holds: Callable[[StorageStatus], bool]) -> StorageStatus:
    with anyio.fail_after(WITHIN_S):
        while True:
            try:
                status = await bus.ask(STORAGE, StorageStatusRequest(), timeout=ASK_S)
            except AskError:
                await anyio.sleep(0.2)
                continue
            if holds(status):
                return status
            await anyio.sleep(0.2)


@started
@pytest.mark.anyio
@pytest.mark.timeout(400)
async def test_the_zfs_agent_runs_as_its_user_and_is_reloaded(
    installed: Callable[..., str], bus: Bus, tmp_path: Path
) -> None:
    user = "emily-zfs"
    if user not in {each.pw_name for each in pwd.getpwall()}:
        done("useradd", "--system", "--create-home", "--home-dir", f"/var/lib/{user}", user)
    with pool(tmp_path) as name:
        dataset = f"{name}/emily"
        Commands().zfs("create", dataset)
        Commands().zfs("allow", "-u", user, "snapshot,hold,release,destroy,mount,userprop", dataset)
        wish = Path("/etc/emily/zfs.toml")
        wish.write_text(f'[pools.{name}]\n[datasets."{dataset}".snapshots]\nhourly = 2\n')
        unit = installed("zfs-agent", LOOK_EVERY_S="1")
        try:
            await storage(bus, lambda status: bool(status.datasets and status.datasets[0].snapshots))
        except TimeoutError:
            pytest.fail(journal(unit))
        process = Path("/proc", shown(unit, "MainPID"))
        assert process.stat().st_uid == pwd.getpwnam(user).pw_uid
        wish.write_text(wish.read_text().replace("hourly = 2", "daily = 3"))
        done("systemctl", "reload", unit)
        await storage(bus, lambda status: status.datasets[0].policy == "3 daily")
        stopped(unit)


@started
@pytest.mark.anyio
@pytest.mark.timeout(400)
async def test_the_backup_agent_reads_what_only_root_reads_and_is_not_root(
    installed: Callable[..., str], bus: Bus, program: Path
) -> None:
    secret = Path("/srv/emily-test/private")  # /tmp is another one to it
    secret.parent.mkdir()
    secret.write_text("of root")
    secret.chmod(0o600)
    password = Path("/etc/emily/backup.password")
    password.write_text("of a test\n")
    password.chmod(0o600)
    Path("/etc/emily/backup.toml").write_text(
        '[repository]\nlocation = "/var/lib/emily-backup/repository"\n'
        f'password_file = "{password}"\nmake = true\n'
        f'[jobs.data]\npaths = ["{secret.parent}"]\nparts = 1\n'
    )
    unit = installed("backup-agent", RESTIC=str(program), FIRST_AFTER_S="3600")

    async def job(holds: Callable[[JobStatus], bool]) -> JobStatus:
        with anyio.fail_after(WITHIN_S):
            while True:
                try:
                    (only,) = (await bus.ask(BACKUPS, BackupStatusRequest(), timeout=ASK_S)).jobs
                except AskError:
                    await anyio.sleep(0.2)
                    continue
                if holds(only):
                    return only
                await anyio.sleep(0.2)

    try:
        await job(lambda _: True)
        await bus.ask(BACK_UP, BackupRequest(job="data", what="backup"), timeout=ASK_S)
        after = await job(lambda job: bool(job.success or (job.attempt and job.attempt.reason)))
    except TimeoutError:
        pytest.fail(journal(unit))
    assert after.state == "good", f"{after.detail}\n{journal(unit)}"
    assert after.success is not None
    assert after.success.files == 2
    assert Path("/proc", shown(unit, "MainPID")).stat().st_uid != 0
    stopped(unit)
