"""A turn does what is due, on a real pool, and tells what is really so."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from emily_zfs_agent import commands as programs
from emily_zfs_agent.agent import Agent, Change
from emily_zfs_agent.board import Board, Protected
from emily_zfs_agent.commands import Commands
from emily_zfs_agent.desired import Desired, parsed
from emily_zfs_agent.metrics import Metrics
from emily_zfs_agent.snapshot import Snapshot
from emily_zfs_agent.testing import FACTS, Recorded, facts
from emily_zfs_agent.zfs import Zfs
from prometheus_client import CollectorRegistry

pytestmark = pytest.mark.anyio
NAMED = "emily-20990101T000000.000Z"


class Watched:
    """An agent with one policy, and what it says."""

    def __init__(self, dataset: str, policy: str, clock: Callable[[], datetime] | None = None) -> None:
        pool = dataset.partition("/")[0]
        desired = parsed(f'[pools.{pool}]\n[datasets."{dataset}"]\nsnapshots = {{ {policy} }}')
        self.dataset = dataset
        self.board = Board(desired)
        self.registry = CollectorRegistry()
        self.said: list[tuple[str, str]] = []
        self.changes_to: Desired | None = None
        self.commands = Commands()
        self.agent = Agent(
            self.commands,
            board=self.board,
            metrics=Metrics(self.registry, self.board),
            say=self._say,
            clock=clock or (lambda: datetime.now(UTC)),
        )

    async def _say(self, change: Change, snapshot: Snapshot, _: str) -> None:
        self.said.append((change, snapshot.name))
        if self.changes_to is not None:
            self.board.declare(self.changes_to)

    def names(self) -> list[str]:
        """Of the snapshots of its dataset."""
        return [each.name for each in Zfs(self.commands).listing(self.dataset).snapshots]

    def metric(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"emily_zfs_agent_{name}", labels)

    def seen(self, below: str = "") -> Protected:
        return next(each for each in self.board.protected if each.dataset == self.dataset + below)


async def test_all_datasets_of_a_recursive_policy_are_taken_in_one_instant(dataset: str) -> None:
    watched = Watched(dataset, "recursive = true, hourly = 2")
    await watched.agent.turn()
    await watched.agent.turn()
    seen = Zfs(watched.commands).listing(dataset, recursive=True)
    assert seen.datasets == (dataset, f"{dataset}/below")
    first, second = seen.snapshots
    assert (first.createtxg, first.short, first.policy) == (second.createtxg, second.short, dataset)
    assert first.own
    assert watched.said == [("taken", first.name)]
    assert [watched.seen(each).snapshots for each in ("", "/below")] == [1, 1]
    assert watched.seen().newest == first.creation


async def test_what_retention_condemns_is_destroyed_and_only_that(dataset: str) -> None:
    watched = Watched(dataset, "hourly = 1, requested = 0")
    zfs = watched.commands.zfs
    zfs("set", "org.emily:policy=inherited", dataset)  # so that snapshots of others inherit it
    zfs("snapshot", f"{dataset}@{NAMED}")
    zfs("snapshot", "-o", f"org.emily:policy={dataset}", f"{dataset}@zrepl_1")
    for number in range(3):
        zfs("snapshot", "-o", "org.emily:policy=on request", f"{dataset}@emily-{number}")
    zfs("snapshot", f"{dataset}/below@emily-0")
    zfs("hold", "someone", f"{dataset}@emily-1")
    try:
        await watched.agent.turn()
        (taken,) = [name for change, name in watched.said if change == "taken"]
        gone = [name for change, name in watched.said if change == "destroyed"]
        assert sorted(gone) == [f"{dataset}@emily-0", f"{dataset}@emily-2"]
        kept = [f"{dataset}@{short}" for short in (NAMED, "zrepl_1", "emily-1")]
        assert sorted(watched.names()) == sorted([*kept, taken])
        assert (watched.metric("destroyed_total"), watched.seen().held) == (2, 1)
        assert Zfs(watched.commands).snapshot(f"{dataset}/below@emily-0") is not None
    finally:
        zfs("release", "someone", f"{dataset}@emily-1")
    await watched.agent.turn()
    assert watched.said[-1] == ("destroyed", f"{dataset}@emily-1")


async def test_what_another_policy_condemned_is_not_destroyed(dataset: str) -> None:
    watched = Watched(dataset, "hourly = 1, requested = 0")
    for number in range(3):
        watched.commands.zfs("snapshot", "-o", "org.emily:policy=on request", f"{dataset}@emily-{number}")
    other = Watched(dataset, "hourly = 1").board.desired
    watched.changes_to = other
    await watched.agent.turn()
    assert [change for change, _ in watched.said] == ["taken"]
    assert len(watched.names()) == 4


async def test_a_snapshot_on_request_neither_goes_at_once_nor_makes_another_one_due(dataset: str) -> None:
    watched = Watched(dataset, "recursive = true, hourly = 1")
    await watched.agent.turn()
    await watched.agent.take(dataset, recursive=False)
    for _ in range(3):
        await watched.agent.turn()
    assert [change for change, _ in watched.said] == ["taken", "taken"]
    assert sorted(watched.names()) == sorted(name for _, name in watched.said)


async def test_nothing_is_destroyed_while_the_clock_is_wrong(dataset: str) -> None:
    watched = Watched(dataset, "hourly = 1", lambda: datetime.now(UTC) - timedelta(days=1))
    for number in range(3):
        watched.commands.zfs("snapshot", "-o", f"org.emily:policy={dataset}", f"{dataset}@emily-{number}")
    await watched.agent.turn()
    assert not [name for change, name in watched.said if change == "destroyed"]
    assert set(watched.names()) >= {f"{dataset}@emily-{number}" for number in range(3)}
    assert "the clock jumped" in watched.seen().problem
    assert watched.metric("problem", dataset=dataset) == 1


async def test_a_snapshot_that_a_clone_needs_stays_and_the_rest_goes(dataset: str) -> None:
    watched = Watched(dataset, "hourly = 1")
    for number in range(3):
        watched.commands.zfs("snapshot", "-o", f"org.emily:policy={dataset}", f"{dataset}@emily-{number}")
    watched.commands.zfs("clone", f"{dataset}@emily-0", f"{dataset}-clone")
    await watched.agent.turn()
    assert watched.said == [("destroyed", f"{dataset}@emily-1")]
    assert watched.names() == [f"{dataset}@emily-0", f"{dataset}@emily-2"]
    assert "clone" in watched.seen().problem
    assert watched.metric("failures_total", what="destroy") == 1
    watched.commands.zfs("destroy", f"{dataset}-clone")
    await watched.agent.turn()
    assert (watched.said[-1], watched.seen().problem) == (("destroyed", f"{dataset}@emily-0"), "")


async def test_a_dataset_that_never_got_a_snapshot_has_an_infinite_age(dataset: str) -> None:
    watched = Watched(f"{dataset}/none", "daily = 1")
    assert watched.metric("snapshot_age_seconds", dataset=f"{dataset}/none") == float("inf")
    await watched.agent.turn()
    assert watched.metric("snapshot_age_seconds", dataset=f"{dataset}/none") == float("inf")
    assert "does not exist" in watched.seen().problem
    assert watched.metric("failures_total", what="look") == 1
    watched.commands.zfs("create", f"{dataset}/none")
    await watched.agent.turn()
    age = watched.metric("snapshot_age_seconds", dataset=f"{dataset}/none")
    assert age is not None
    assert 0 <= age < 10
    assert watched.seen().problem == ""


async def test_a_pool_is_looked_at_and_scrubbed_when_due(dataset: str) -> None:
    pool = dataset.partition("/")[0]
    watched = Watched(dataset, "daily = 1")
    await watched.agent.turn()
    labels = {"pool": pool}
    assert watched.metric("pool_healthy", **labels) == 1
    assert watched.metric("pool_errors", pool=pool, kind="checksum") == 0
    zfs = Zfs(watched.commands)
    zfs.scrub(pool)
    for _ in range(100):
        if (state := zfs.pool(pool)).scrubbed:
            break
    await watched.agent.turn()
    assert state.scrubbed is not None
    assert abs((datetime.now(UTC) - state.scrubbed).total_seconds()) < 60
    age = watched.metric("scrub_age_seconds", **labels)
    assert age is not None
    assert age < 60


async def test_a_pool_that_is_not_there_is_told() -> None:
    watched = Watched("emilytestnone/a", "daily = 1")
    assert watched.metric("pool_healthy", pool="emilytestnone") == 0
    await watched.agent.turn()
    if not watched.board.idle:
        assert watched.board.pool("emilytestnone").health == "MISSING"


async def test_a_destroy_that_did_nothing_is_told_as_such(recorded: Recorded) -> None:
    now = int(datetime.now(UTC).timestamp())
    old = facts("tank/a@emily-1", creation=now - 1, txg=1, guid=1, policy="tank/a")
    new = facts("tank/a@emily-2", creation=now, txg=2, guid=2, policy="tank/a")
    recorded.answers("zfs get -d 1 " + FACTS.removeprefix("get ") + " tank/a", old + new)
    recorded.answers(f"zfs {FACTS} tank/a@emily-1", old)
    recorded.answers("zfs destroy tank/a@emily-1")
    watched = Watched("tank/a", "daily = 1")
    await watched.agent.turn()
    assert recorded.calls("zfs destroy") == ["zfs destroy tank/a@emily-1"]
    assert watched.said == []
    assert "still there" in watched.seen().problem
    assert watched.metric("destroyed_total") == 0


async def test_what_is_not_any_more_what_was_judged_is_not_destroyed(recorded: Recorded) -> None:
    now = int(datetime.now(UTC).timestamp())
    old = facts("tank/a@emily-1", creation=now - 1, txg=1, guid=1, policy="tank/a")
    new = facts("tank/a@emily-2", creation=now, txg=2, guid=2, policy="tank/a")
    recorded.answers("zfs get -d 1 " + FACTS.removeprefix("get ") + " tank/a", old + new)
    recorded.answers(f"zfs {FACTS} tank/a@emily-1", old.replace("guid\t-\t1", "guid\t-\t99"))
    watched = Watched("tank/a", "daily = 1")
    await watched.agent.turn()
    assert recorded.calls("zfs destroy") == []


async def test_a_machine_without_zfs_makes_it_idle_and_not_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(programs, "SYSTEM_PATH", "/nowhere")
    watched = Watched("tank/a", "daily = 1")
    await watched.agent.turn()
    assert "zfs: not on this machine" in watched.board.idle
    assert watched.metric("failures_total", what="look") == 0
    assert watched.metric("snapshot_age_seconds", dataset="tank/a") == float("inf")
