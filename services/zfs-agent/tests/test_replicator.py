"""Snapshots get from one real pool to another, whatever is cut off or gone; nothing there is destroyed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from emily_zfs_agent.board import Board, Replicated
from emily_zfs_agent.commands import Commands
from emily_zfs_agent.desired import parsed
from emily_zfs_agent.errors import NotReplicated
from emily_zfs_agent.metrics import Metrics
from emily_zfs_agent.replication import LOGS, Replication, command
from emily_zfs_agent.replicator import Replicator, ran
from emily_zfs_agent.testing import pool
from emily_zfs_agent.zfs import Zfs
from prometheus_client import CollectorRegistry

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(240)]  # without KVM each start of bzfs takes ten seconds
MIB = 1024**2
DEADLINE_S = 110
DEVICE_S = 20.0


class Watched:
    """A dataset that is mounted at `at`, one below it, and a replicator of both to another pool."""

    def __init__(self, zfs: Zfs, source: str, elsewhere: str, folder: Path) -> None:
        self.zfs = zfs
        self.source, self.target = source, f"{elsewhere}/copy"
        self.at = folder / "at"
        self.begin()
        Commands().zfs("create", "-o", f"mountpoint={self.at}", source)
        Commands().zfs("create", f"{source}/below")

    def begin(self, keep: str = "") -> None:
        """Begin anew, with this wish of what is kept at the target."""
        desired = parsed(
            f'[pools.{self.source.partition("/")[0]}]\n[datasets."{self.source}"]\n'
            "snapshots = { recursive = true, daily = 7 }\n"
            f'replication = {{ target = "{self.target}"{keep} }}'
        )
        self.board = Board(desired)
        self.registry = CollectorRegistry()
        self.replicator = Replicator(
            self._zfs,
            board=self.board,
            metrics=Metrics(self.registry, self.board),
            deadline_s=DEADLINE_S,
        )

    async def _zfs(self) -> Zfs:
        return self.zfs

    def take(self, short: str) -> str:
        name = f"{self.source}@{short}"
        self.zfs.take(name, policy="on request", recursive=True)
        return name

    def arrived(self, below: str = "") -> list[str]:
        return [each.short for each in self.zfs.listing(self.target + below).snapshots]

    def state(self) -> Replicated:
        (only,) = self.board.replications
        return only

    def metric(self, name: str) -> float | None:
        labels = {"dataset": self.source, "target": self.target}
        return self.registry.get_sample_value(f"emily_zfs_agent_{name}", labels)


def device(volume: str) -> Path:
    """Of a volume, once udev has made it."""
    path = Path("/dev/zvol", volume)
    deadline = time.monotonic() + DEVICE_S
    while not path.is_block_device() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert path.is_block_device()
    return path


@pytest.fixture
def watched(
    openzfs: Zfs, whole_pool: str, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Watched]:
    with pool(tmp_path, "other") as elsewhere:
        yield Watched(openzfs, f"{whole_pool}/{request.node.name}", elsewhere, tmp_path)


async def test_all_that_is_ours_arrives_and_how_old_it_is_is_told(watched: Watched) -> None:
    assert watched.metric("replication_age_seconds") == float("inf")
    Commands().zfs("snapshot", f"{watched.source}@foreign")
    for short in ("emily-1", "emily-2"):
        watched.take(short)
    await watched.replicator.turn()
    assert (watched.arrived(), watched.arrived("/below")) == (["emily-1", "emily-2"],) * 2
    newest = watched.zfs.snapshot(f"{watched.source}@emily-2")
    assert newest is not None
    assert (watched.state().progress.at, watched.state().problem) == (newest.creation, "")
    assert (watched.state().progress.common, watched.state().error) == ("emily-2", "")
    age = watched.metric("replication_age_seconds")
    assert age is not None
    assert age < 120
    facts = watched.zfs.properties([watched.target])[watched.target]
    assert (facts["readonly"].value, facts["canmount"].value, facts["mounted"].value) == (
        "on",
        "noauto",
        "no",
    )


async def test_increments_follow_the_bookmark_of_a_snapshot_that_is_gone(watched: Watched) -> None:
    first = watched.take("emily-1")
    (watched.at / "large").write_bytes(os.urandom(8 * MIB))
    await watched.replicator.turn()
    for name in (first, first.replace("@", "/below@")):
        watched.zfs.destroy(name)
    (watched.at / "file").write_text("new")
    watched.take("emily-2")
    await watched.replicator.turn()
    assert (watched.state().problem, watched.arrived()) == ("", ["emily-1", "emily-2"])


async def test_volumes_arrive_too(watched: Watched) -> None:
    source, target = (f"{each}/disk" for each in (watched.source, watched.target))
    Commands().zfs("create", "-s", "-V", "8M", source)
    content = os.urandom(MIB)
    device(source).write_bytes(content)
    for short in ("emily-1", "emily-2"):
        watched.take(short)
        await watched.replicator.turn()
        assert watched.state().problem == ""
    assert watched.arrived("/disk") == watched.arrived() == ["emily-1", "emily-2"]
    with device(target).open("rb") as copy:
        assert copy.read(MIB) == content


async def test_a_target_is_thinned_out_and_nothing_that_is_held_or_of_others_goes(watched: Watched) -> None:
    for number in range(1, 6):
        watched.take(f"emily-{number}")
    await watched.replicator.turn()
    held, foreign = f"{watched.target}@emily-1", f"{watched.target}@emily-foreign"
    Commands().zfs("hold", "somebody", held)
    Commands().zfs("snapshot", foreign)
    watched.begin(", keep = { daily = 1, requested = 2 }")
    try:
        await watched.replicator.turn()
        assert watched.state().problem == ""
        assert watched.arrived() == ["emily-1", "emily-4", "emily-5", "emily-foreign"]
        assert watched.arrived("/below") == ["emily-4", "emily-5"]
        assert watched.metric("thinned_total") == 5
        Commands().zfs("destroy", foreign)
        watched.take("emily-6")
        await watched.replicator.turn()
        assert watched.state().problem == ""
        assert watched.arrived() == ["emily-1", "emily-5", "emily-6"]
    finally:
        Commands().zfs("release", "somebody", held)


async def test_what_a_clone_needs_at_the_target_stays_and_is_told_until_it_can_go(watched: Watched) -> None:
    for number in range(1, 4):
        watched.take(f"emily-{number}")
    await watched.replicator.turn()
    clone = f"{watched.target}-clone"
    Commands().zfs("clone", f"{watched.target}@emily-1", clone)
    watched.begin(", keep = { daily = 1, requested = 1 }")
    await watched.replicator.turn()
    assert watched.arrived() == ["emily-1", "emily-3"]
    assert "clone" in watched.state().problem
    Commands().zfs("destroy", clone)
    await watched.replicator.turn()
    assert (watched.arrived(), watched.state().problem) == (["emily-3"], "")
    assert "clone" in watched.state().error


async def test_a_receive_that_was_cut_off_goes_on_where_it_was(watched: Watched, tmp_path: Path) -> None:
    content = os.urandom(32 * MIB)
    (watched.at / "large").write_bytes(content)
    name = watched.take("emily-1")
    zfs = "/usr/sbin/zfs"
    stream = subprocess.run(
        [zfs, "send", "--raw", "--compressed", name],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=50,
        check=True,
    ).stdout
    cut = subprocess.run(
        [zfs, "receive", "-s", "-u", watched.target],
        input=stream[: len(stream) // 2],
        capture_output=True,
        timeout=50,
        check=False,
    )
    assert cut.returncode != 0
    words = command(watched.source, Replication(target=watched.target), recursive=True, logs=tmp_path / LOGS)
    said = await ran(tuple(word for word in words if word != "--quiet"), deadline_s=DEADLINE_S)
    assert watched.arrived() == ["emily-1"]
    sent = re.search(rf"Full send: +{name} --> .* \(([0-9.]+)MiB\)", said)
    assert sent is not None, said
    assert float(sent[1]) < 20
    Commands().zfs("set", f"mountpoint={tmp_path / 'copy'}", watched.target)
    Commands().zfs("mount", watched.target)
    assert (tmp_path / "copy" / "large").read_bytes() == content


async def test_what_is_at_the_target_already_stays_and_is_told(watched: Watched) -> None:
    Commands().zfs("create", watched.target)
    Commands().zfs("snapshot", f"{watched.target}@theirs")
    watched.take("emily-1")
    for _ in range(2):
        await watched.replicator.turn()
    assert watched.arrived() == ["theirs"]
    assert watched.state().problem.startswith("exit ")
    assert watched.metric("replication_problem") == 1
    assert watched.metric("replication_age_seconds") == float("inf")
    failed = watched.registry.get_sample_value("emily_zfs_agent_failures_total", {"what": "replicate"})
    assert failed == 2


async def test_what_is_at_the_target_without_a_snapshot_is_not_overwritten(
    watched: Watched, tmp_path: Path
) -> None:
    Commands().zfs("create", "-o", f"mountpoint={tmp_path / 'theirs'}", watched.target)
    (tmp_path / "theirs" / "file").write_text("theirs")
    watched.take("emily-1")
    await watched.replicator.turn()
    assert "a stream would overwrite it" in watched.state().problem
    assert (tmp_path / "theirs" / "file").read_text() == "theirs"


async def test_a_target_that_went_another_way_is_left_as_it_is(watched: Watched) -> None:
    watched.take("emily-1")
    await watched.replicator.turn()
    Commands().zfs("snapshot", f"{watched.target}@theirs")
    watched.take("emily-2")
    await watched.replicator.turn()
    assert watched.arrived() == ["emily-1", "theirs"]
    assert watched.state().problem


async def test_a_replication_that_hangs_is_ended_with_all_it_started() -> None:
    script = "import subprocess,sys; print('begun', flush=True); subprocess.run(['sleep', '50'])"
    with pytest.raises(NotReplicated, match=r"not done in 3 s, goes on at the next look: begun"):
        await ran((sys.executable, "-c", script), deadline_s=3)


async def test_a_replication_that_fails_is_told_in_its_words() -> None:
    with pytest.raises(NotReplicated, match="no-such-program: No such file"):
        await ran(("no-such-program",), deadline_s=50)
    with pytest.raises(NotReplicated, match=r"exit 3: no such host"):
        await ran((sys.executable, "-c", "print('no such host'); raise SystemExit(3)"), deadline_s=50)
