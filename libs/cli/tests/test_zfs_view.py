"""What a person sees of where snapshots are sent."""

from __future__ import annotations

from datetime import UTC, datetime

from emily import zfs_view
from emily_contracts.snapshots import ReplicatedDataset, StorageStatus
from rich.console import Console

AT = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
COLUMNS = ("source", "target", "keeps", "last common snapshot", "lag", "last error", "next run")


def shown(*replications: ReplicatedDataset) -> str:
    console = Console(width=200, record=True, color_system=None)
    for each in zfs_view.status(StorageStatus(replications=replications)):
        console.print(each)
    return console.export_text()


def test_a_target_that_is_behind_and_one_that_got_nothing_are_told_apart() -> None:
    behind = ReplicatedDataset(
        dataset="tank/a",
        target="emily@elsewhere:b/a",
        newest_at=AT,
        age_s=10_800,
        keep="30 daily",
        common="emily-1",
        lag_s=7_200,
        problem="no such host",
        last_error="no such host",
        last_error_at=AT,
    )
    text = shown(behind, ReplicatedDataset(dataset="tank/b", target="b/b", next_at=AT))
    assert all(column in text for column in COLUMNS)
    row, other = (next(line for line in text.splitlines() if name in line) for name in ("tank/a", "tank/b"))
    assert [cell.strip() for cell in row.strip("│").split("│")] == [
        "tank/a",
        "emily@elsewhere:b/a",
        "30 daily",
        "emily-1, 3 h ago",
        "2 h",
        f"{AT.astimezone():%Y-%m-%d %H:%M:%S}: no such host",
        "at the next look",
    ]
    assert "nothing arrived yet" in other
    assert f"{AT.astimezone():%Y-%m-%d %H:%M}" in other


def test_an_error_that_is_over_is_told_as_such() -> None:
    well = ReplicatedDataset(
        dataset="tank/a",
        target="b/a",
        age_s=60,
        common="emily-1",
        lag_s=0,
        last_error="[x]",
        last_error_at=AT,
    )
    assert "[x] (over)" in shown(well)


def test_a_desired_state_that_is_refused_is_told() -> None:
    told = list(zfs_view.status(StorageStatus(refused="pools.tank: no such key")))
    assert told == ["The desired state before this one is in force: pools.tank: no such key"]


def test_without_a_replication_there_is_no_table() -> None:
    assert "last common snapshot" not in shown()
