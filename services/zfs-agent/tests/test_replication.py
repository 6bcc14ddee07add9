"""What bzfs is told, and how far replication has come by what ZFS says."""

from __future__ import annotations

import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from bzfs_main.argparse_cli import argument_parser
from emily_zfs_agent.desired import parsed
from emily_zfs_agent.errors import DesiredStateError
from emily_zfs_agent.reading import Bookmark, Listing
from emily_zfs_agent.replication import (
    KEPT,
    SSH_CONFIG,
    SSH_SETTINGS,
    Progress,
    Replication,
    command,
    is_host,
    outlived,
    overwritable,
    progress,
)
from emily_zfs_agent.snapshot import Snapshot

WISH = """
[pools.tank]
[datasets."tank/a"]
snapshots = {{ daily = 7 }}
replication = {{ {} }}
"""


def at(number: int) -> datetime:
    return datetime.fromtimestamp(number, UTC)


def snapshot(dataset: str, number: int, policy: str = "tank/a") -> Snapshot:
    name = f"{dataset}@emily-{number}"
    return Snapshot(name=name, creation=at(number), createtxg=number, guid=str(number), policy=policy)


def bookmark(dataset: str, number: int, prefix: str = "emily-") -> Bookmark:
    return Bookmark(f"{dataset}#{prefix}{number}_1", at(number), number, str(number))


@pytest.mark.parametrize("host", ["", "emily@elsewhere"])
def test_bzfs_may_destroy_nothing(host: str) -> None:
    words = command("tank/a", Replication(target="b/a", host=host), recursive=True, logs=Path("/logs"))
    told = vars(argument_parser().parse_args(words[3:]))
    assert not [name for name, value in told.items() if value and name.startswith(("force", "delete"))]
    assert told["recursive"]
    assert words[3:5] == ("tank/a", "emily@elsewhere:b/a" if host else "b/a")


@pytest.mark.skipif(shutil.which("ssh") is None, reason="NOT tested: settings of ssh; there is no ssh")
def test_a_stream_goes_to_a_host_whose_key_is_known_alone(tmp_path: Path) -> None:
    file = tmp_path / SSH_CONFIG
    file.write_text(SSH_SETTINGS)
    words = command("tank/a", Replication(target="b/a", host="elsewhere"), recursive=True, logs=tmp_path)
    assert f"--ssh-dst-config-file={file}" in words
    asked = ["ssh", "-G", "-F", str(file), "elsewhere"]
    done = subprocess.run(
        asked, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20, check=True
    )
    assert "stricthostkeychecking true" in done.stdout.splitlines()


def test_replication_has_come_as_far_as_the_dataset_that_is_behind_most() -> None:
    seen = Listing(
        ("tank/a", "tank/a/b"), (snapshot("tank/a", 1), snapshot("tank/a", 2), snapshot("tank/a/b", 2))
    )
    assert (progress(seen, ()).at, progress(seen, ()).due) == (None, True)
    one = [bookmark("tank/a", 2)]
    assert (progress(seen, one).at, progress(seen, one).due) == (None, True)
    behind = [bookmark("tank/a", 2), bookmark("tank/a", 1), bookmark("tank/a/b", 1)]
    assert progress(seen, behind) == Progress(at=at(1), due=True, common="emily-1", lag=timedelta(seconds=1))
    done = [*behind, bookmark("tank/a/b", 2)]
    assert progress(seen, done) == Progress(at=at(2), due=False, common="emily-2", lag=timedelta())


def test_snapshots_and_bookmarks_of_others_do_not_count() -> None:
    seen = Listing(("tank/a",), (snapshot("tank/a", 1), snapshot("tank/a", 9, policy="")))
    assert not progress(seen, [bookmark("tank/a", 1)]).due
    assert progress(seen, [bookmark("tank/a", 9, prefix="zrepl_")]).due
    assert not progress(Listing(("tank/a",), ()), ()).due


def test_of_bookmarks_the_newest_are_kept_and_those_of_others_too() -> None:
    ours = [bookmark("tank/a", number) for number in range(KEPT + 2)]
    theirs = [bookmark("tank/a", number, prefix="zrepl_") for number in range(KEPT + 2)]
    assert outlived([*ours, *theirs]) == ("tank/a#emily-1_1", "tank/a#emily-0_1")


def test_a_target_without_snapshots_would_be_overwritten() -> None:
    written = "b/a\t-\nb/a@emily-1\t-\nb/a/new\t-\nb/a/cut\t1-abc\nb/a/theirs\t-\n"
    assert overwritable(written, ["b/a", "b/a/new", "b/a/cut", "b/a/none"]) == ("b/a/new",)


def test_no_host_is_an_option_of_ssh() -> None:
    assert all(map(is_host, ("backup", "emily@backup.example", "10.0.0.1")))
    assert not any(map(is_host, ("-oProxyCommand=x", "a b", "a;b", "a@-b", "")))


@pytest.mark.parametrize(
    ("replication", "words"),
    [
        ("", "names no target"),
        ('target = "b a"', "no name of a dataset"),
        ('target = "tank/a"', "is its own source"),
        ('target = "tank/a/b"', "above or below its source"),
        ('target = "b/a", host = "-oX"', "no host"),
        ('target = "b/a", hots = "x"', "did you mean host"),
        ('target = "b/a", keep = {}', "replication.keep: keeps nothing"),
        ('target = "b/a", keep = { dayly = 1 }', "did you mean daily"),
        ('target = "b/a", keep = { daily = 1, recursive = true }', "leave it out"),
    ],
)
def test_what_is_wrong_with_a_target_is_told(replication: str, words: str) -> None:
    with pytest.raises(DesiredStateError, match=words):
        parsed(WISH.format(replication))


def test_what_is_never_taken_is_not_replicated() -> None:
    text = WISH.format('target = "b/a"').replace("snapshots = { daily = 7 }", "")
    with pytest.raises(DesiredStateError, match="no snapshots of it are taken"):
        parsed(text)
