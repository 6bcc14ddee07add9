"""What is known stays known when another desired state comes into force, and nothing else appears."""

from __future__ import annotations

from datetime import UTC, datetime

from emily_zfs_agent.board import Board
from emily_zfs_agent.desired import parsed
from emily_zfs_agent.policy import Policy
from emily_zfs_agent.pools import PoolState
from emily_zfs_agent.reading import Listing
from emily_zfs_agent.replication import Progress

AT = datetime(2026, 11, 27, tzinfo=UTC)
BEFORE = """
[pools.tank]
[datasets."tank/a"]
snapshots = { daily = 7 }
replication = { target = "b/a" }
[datasets."tank/b"]
snapshots = { daily = 7 }
replication = { target = "b/b" }
"""
AFTER = """
[pools.tank]
[datasets."tank/a"]
snapshots = { daily = 7 }
replication = { target = "b/a", keep = { daily = 1 } }
[datasets."tank/b"]
snapshots = { daily = 7 }
replication = { target = "b/elsewhere" }
"""


def seen() -> Board:
    board = Board(parsed(BEFORE))
    board.saw_pool(PoolState(name="tank", health="ONLINE"))
    board.saw_datasets("tank/a", Policy(daily=7), Listing(("tank/a", "tank/a/below"), ()), {})
    for dataset in ("tank/a", "tank/b"):
        board.saw_replica(dataset, Progress(at=AT, due=False, common="emily-1"))
    return board


def test_what_is_still_wished_for_stays_as_it_was_seen() -> None:
    board = seen()
    board.declare(parsed(AFTER))
    assert [each.dataset for each in board.protected] == ["tank/a", "tank/a/below", "tank/b"]
    assert board.pool("tank").health == "ONLINE"
    same, other = board.replications
    assert (same.keep, same.progress.at) == ("1 daily", AT)
    assert (other.target, other.progress.at) == ("b/elsewhere", None)


def test_what_is_not_wished_for_any_more_is_gone_and_is_not_put_back() -> None:
    board = seen()
    board.declare(parsed("[pools.other]"))
    board.saw_pool(PoolState(name="tank", health="ONLINE"))
    board.could_not_see_pool("tank")
    board.saw_datasets("tank/a", Policy(daily=7), Listing(("tank/a",), ()), {})
    board.could_not_see("tank/a", "gone")
    board.saw_replica("tank/a", Progress(at=AT, due=False))
    board.could_not_replicate("tank/a", "gone", AT)
    assert (board.protected, board.replications) == ((), ())
    assert [each.name for each in board.pools] == ["other"]
