"""Users who are not root send to a real sshd and receive, with the permissions of the how-to alone."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import anyio
import pytest
from emily_contracts.snapshots import ReplicatedDataset, StorageStatusRequest
from emily_contracts.topics import STORAGE
from emily_runtime.testing import ServiceProcess
from emily_zfs_agent.commands import Commands
from emily_zfs_agent.errors import NotReplicated
from emily_zfs_agent.reading import Listing
from emily_zfs_agent.replication import LOGS, SSH_CONFIG, SSH_SETTINGS, Replication, command
from emily_zfs_agent.replicator import ran
from emily_zfs_agent.testing import pool
from emily_zfs_agent.zfs import Zfs

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        os.environ.get("EMILY_ZFS_GUEST") != "1",
        reason="NOT tested: ssh between users; they are made only in the machine of make test-zfs",
    ),
]
HOW_TO = Path(__file__).parents[3] / "docs" / "how-to" / "zfs.md"
SENDER, RECEIVER = "emily-zfs", "emily-replica"
WITHIN_S = 120.0
ASK_S = 20


class Link(NamedTuple):
    """A tree of datasets of one user, and the pool of another.

    Attributes:
        home: Of the user who sends.
        host_key: Of this machine, as `known_hosts` has it.
    """

    source: str
    target: str
    home: Path
    host_key: str
    zfs: Zfs


@pytest.fixture(scope="module")
def users() -> dict[str, Path]:
    """Their homes: one logs in to the other, of whom sshd knows where zfs is."""
    homes = {}
    for name in (SENDER, RECEIVER):
        home = Path("/var/lib", name)
        if not home.exists():
            done("useradd", "--system", "--create-home", "--home-dir", str(home), "--shell", "/bin/sh", name)
        (home / ".ssh").mkdir(mode=0o700)
        (home / ".ssh" / "config").write_text("StrictHostKeyChecking no\n")  # it must not matter
        homes[name] = home
    key = homes[SENDER] / ".ssh" / "id_ed25519"
    done("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key))
    (homes[RECEIVER] / ".ssh" / "authorized_keys").write_text("restrict " + Path(f"{key}.pub").read_text())
    for name, home in homes.items():
        done("chown", "-R", f"{name}:", str(home))
    (written,) = re.findall(r"^ {4}(Match User .*\n(?: {8}.*\n)+)", HOW_TO.read_text(), re.MULTILINE)
    Path("/etc/ssh/sshd_config.d/emily.conf").write_text(written)
    done("ssh-keygen", "-A")
    done("systemctl", "restart", "ssh")
    return homes


@pytest.fixture
def link(openzfs: Zfs, whole_pool: str, users: dict[str, Path], tmp_path: Path) -> Iterator[Link]:
    """What the how-to allows is allowed; the host is known to nobody."""
    source = f"{whole_pool}/{tmp_path.name}"
    for words in (
        ("create", source),
        ("create", f"{source}/below"),
        ("create", "-s", "-V", "8M", f"{source}/disk"),
    ):
        Commands().zfs(*words)
    with pool(tmp_path, "other") as elsewhere:
        allowed = dict(re.findall(r"zfs allow -u (\S+) (\S+) \S+\n", HOW_TO.read_text()))
        Commands().zfs("allow", "-u", SENDER, allowed[SENDER], source)
        Commands().zfs("allow", "-u", RECEIVER, allowed[RECEIVER], elsewhere)
        public = Path("/etc/ssh/ssh_host_ed25519_key.pub").read_text()
        yield Link(source, f"{elsewhere}/copy", users[SENDER], f"localhost {public}", openzfs)


@pytest.fixture
def agent(link: Link, endpoint: str, tmp_path: Path) -> Iterator[Callable[[], ServiceProcess]]:
    """Starts a zfs-agent as the user who sends."""
    state = link.home / tmp_path.name
    state.mkdir()
    desired = state / "zfs.toml"
    desired.write_text(
        f'[pools.{link.source.partition("/")[0]}]\n[datasets."{link.source}"]\n'
        "snapshots = { recursive = true, hourly = 2 }\n"
        f'replication = {{ target = "{link.target}", host = "{RECEIVER}@localhost"'
        ", keep = { hourly = 1, requested = 1 } }\n"
    )
    done("chown", "-R", f"{SENDER}:", str(state))
    as_sender = (
        "setpriv",
        f"--reuid={SENDER}",
        f"--regid={SENDER}",
        "--init-groups",
        "env",
        f"HOME={link.home}",
    )
    process = ServiceProcess(
        (*as_sender, sys.executable, "-m", "emily_zfs_agent"),
        name="zfs-agent",
        endpoint=endpoint,
        namespace=f"emily-{tmp_path.name.lower().replace('_', '-')}",
        state_dir=state,
    )

    def start() -> ServiceProcess:
        process.start(desired_file=str(desired), look_every_s="0.5")
        return process

    try:
        yield start
    finally:
        process.kill()


def done(*words: str) -> None:
    subprocess.run(words, stdin=subprocess.DEVNULL, check=True, capture_output=True, timeout=60)


async def told(process: ServiceProcess, what: Callable[[ReplicatedDataset], bool]) -> ReplicatedDataset:
    """The replication, once that holds."""
    async with process.bus() as bus:

        async def now() -> ReplicatedDataset:
            (only,) = (await bus.ask(STORAGE, StorageStatusRequest(), timeout=ASK_S)).replications
            return only

        with anyio.fail_after(WITHIN_S):
            while not what(found := await now()):
                await anyio.sleep(0.2)
    return found


def below(link: Link) -> Listing:
    """What is at the target."""
    return link.zfs.listing(link.target, recursive=True)


async def arrived_all(process: ServiceProcess, newest: datetime) -> None:
    found = await told(process, lambda found: found.newest_at == newest or bool(found.problem))
    assert found.problem == ""


async def test_users_with_the_permissions_of_the_how_to_send_and_receive(
    link: Link, agent: Callable[[], ServiceProcess]
) -> None:
    (link.home / ".ssh" / "known_hosts").write_text(link.host_key)
    process = agent()
    found = await told(process, lambda found: bool(found.newest_at or found.problem))
    assert found.problem == ""
    arrived = below(link)
    assert arrived.datasets == tuple(link.target + below for below in ("", "/below", "/disk"))
    assert arrived.volumes == {f"{link.target}/disk"}
    (sent,) = link.zfs.listing(link.source).snapshots
    assert {each.short for each in arrived.snapshots} == {sent.short}
    for short in ("emily-1", "emily-2"):
        link.zfs.take(f"{link.source}@{short}", policy="on request", recursive=True)
    more = link.zfs.snapshot(f"{link.source}@emily-2")
    assert more is not None
    await arrived_all(process, more.creation)
    kept = {sent.short, "emily-2"}
    process.wait_until(lambda: {each.short for each in below(link).snapshots} == kept)
    assert process.stop() == 0


@pytest.mark.parametrize("known", ["", "localhost ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + "A" * 43 + "\n"])
async def test_nothing_goes_to_a_host_whose_key_is_unknown_or_another(
    link: Link, agent: Callable[[], ServiceProcess], known: str
) -> None:
    (link.home / ".ssh" / "known_hosts").write_text(known)
    found = await told(agent(), lambda found: bool(found.problem))
    assert "Host key verification failed" in found.problem
    assert found.newest_at is None


async def test_bzfs_itself_asks_no_host_whose_key_is_unknown(link: Link, tmp_path: Path) -> None:
    link.zfs.take(f"{link.source}@emily-1", policy="on request", recursive=True)
    logs = tmp_path / LOGS
    logs.mkdir(mode=0o700)
    (logs / SSH_CONFIG).write_text(SSH_SETTINGS)
    (Path("/root/.ssh")).mkdir(mode=0o700, exist_ok=True)
    Path("/root/.ssh/config").write_text("StrictHostKeyChecking no\n")
    wish = Replication(target=link.target, host=f"{RECEIVER}@localhost")
    with pytest.raises(NotReplicated, match="Host key verification failed"):
        await ran(command(link.source, wish, recursive=True, logs=logs), deadline_s=WITHIN_S)
