"""A real dataset goes back to a snapshot and keeps everything, wherever the way is cut off."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from emily_zfs_agent.commands import Commands
from emily_zfs_agent.errors import CommandFailed, CommandTimedOut, NotVerified, Refused
from emily_zfs_agent.rollback import Rollback
from emily_zfs_agent.zfs import Zfs

CHANGES = ("clone", "set", "inherit", "mount", "unmount", "rename", "promote")
OF_A_WHOLE_RUN = 12


class CutOff(Commands):
    """Ends like a killed process before one of the commands that change something."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self._left = at

    def zfs(self, *arguments: str) -> str:
        self._left -= arguments[0] in CHANGES
        if self._left <= 0:
            raise CommandTimedOut(f"{arguments}: cut off")
        return super().zfs(*arguments)


@pytest.fixture
def zfs(openzfs: Zfs) -> Zfs:
    return openzfs


@pytest.fixture
def live(zfs: Zfs, whole_pool: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A dataset that is mounted at `at`, was old at its snapshot `emily-s` and is new now."""
    name = f"{whole_pool}/{request.node.name.replace('[', '-').replace(']', '')}"
    make = Commands().zfs
    make("create", "-o", f"mountpoint={tmp_path / 'at'}", "-o", "recordsize=16K", "-o", "x:owner=me", name)
    file = tmp_path / "at" / "file"
    file.write_text("old")
    zfs.take(f"{name}@emily-s", policy="on request", recursive=False)
    file.write_text("new")
    zfs.take(f"{name}@newer", policy="on request", recursive=False)
    return name


@pytest.fixture
def content(tmp_path: Path) -> Callable[[], str]:
    return (tmp_path / "at" / "file").read_text


def there(zfs: Zfs, live: str) -> set[str]:
    """What is behind the name of the dataset, of all that begin like it."""
    found = zfs.datasets(live.partition("/")[0]) or frozenset()
    return {each.removeprefix(live) for each in found if each.startswith(live)}


def test_a_dataset_is_what_it_was_and_what_it_became_is_kept(
    zfs: Zfs, live: str, content: Callable[[], str], tmp_path: Path
) -> None:
    done = Rollback(zfs, f"{live}@emily-s").run()
    assert (content(), done.kept) == ("old", f"{live}.before-emily-s")
    facts = zfs.properties([live, done.kept])
    assert [facts[live][key].value for key in ("recordsize", "x:owner", "canmount")] == ["16384", "me", "on"]
    assert "origin" not in facts[live]
    assert [each.short for each in zfs.listing(live).snapshots if each.own] == ["emily-s"]
    assert [each.short for each in zfs.listing(done.kept).snapshots] == ["newer"]
    assert facts[done.kept]["canmount"].value == "noauto"
    zfs.set(done.kept, "mountpoint", str(tmp_path / "kept"))
    zfs.mount(done.kept)
    assert (tmp_path / "kept" / "file").read_text() == "new"


def test_the_way_back_keeps_what_was_written_since(
    zfs: Zfs, live: str, content: Callable[[], str], tmp_path: Path
) -> None:
    Rollback(zfs, f"{live}@emily-s").run()
    (tmp_path / "at" / "file").write_text("since")
    done = Rollback(zfs, f"{live}@emily-s").undo()
    assert (content(), done.kept) == ("new", f"{live}.undone-emily-s")
    assert [each.short for each in zfs.listing(live).snapshots] == ["emily-s", "newer"]
    zfs.set(done.kept, "mountpoint", str(tmp_path / "kept"))
    zfs.mount(done.kept)
    assert (tmp_path / "kept" / "file").read_text() == "since"
    assert Rollback(zfs, f"{live}@emily-s").undo().steps == ()


@pytest.mark.parametrize("at", range(1, OF_A_WHOLE_RUN + 1))
@pytest.mark.parametrize("then", ["on", "back"])
def test_what_was_cut_off_goes_on_or_back(
    zfs: Zfs, live: str, content: Callable[[], str], at: int, then: str
) -> None:
    with pytest.raises(CommandTimedOut):
        Rollback(Zfs(CutOff(at)), f"{live}@emily-s").run()
    if then == "on":
        Rollback(zfs, f"{live}@emily-s").run()
        assert (content(), there(zfs, live)) == ("old", {"", ".before-emily-s"})
        return
    if at == 1:
        with pytest.raises(Refused, match="no rollback to it was begun"):
            Rollback(zfs, f"{live}@emily-s").undo()
    else:
        Rollback(zfs, f"{live}@emily-s").undo()
    assert content() == "new"
    assert [each.short for each in zfs.listing(live).snapshots] == ["emily-s", "newer"]
    assert zfs.properties([live])[live]["canmount"].value == "on"


def test_a_whole_run_is_as_long_as_the_cuts_assume(zfs: Zfs, live: str) -> None:
    Rollback(Zfs(CutOff(OF_A_WHOLE_RUN + 1)), f"{live}@emily-s").run()


@pytest.mark.parametrize("at", range(1, 8))
def test_a_way_back_that_was_cut_off_goes_on(
    zfs: Zfs, live: str, content: Callable[[], str], at: int
) -> None:
    Rollback(zfs, f"{live}@emily-s").run()
    with pytest.raises(CommandTimedOut):
        Rollback(Zfs(CutOff(at)), f"{live}@emily-s").undo()
    Rollback(zfs, f"{live}@emily-s").undo()
    assert content() == "new"
    assert [each.short for each in zfs.listing(live).snapshots] == ["emily-s", "newer"]


def test_asked_for_twice_is_done_once(zfs: Zfs, live: str, content: Callable[[], str]) -> None:
    Rollback(zfs, f"{live}@emily-s").run()
    assert Rollback(zfs, f"{live}@emily-s").run().steps == ()
    assert content() == "old"


def test_a_clone_that_is_not_as_it_should_be_does_not_become_live(
    zfs: Zfs, live: str, content: Callable[[], str]
) -> None:
    def refuse(folder: Path) -> None:
        raise NotVerified((folder / "file").read_text())

    with pytest.raises(NotVerified, match="old"):
        Rollback(zfs, f"{live}@emily-s").run(refuse)
    assert (content(), there(zfs, live)) == ("new", {"", ".rollback-emily-s"})
    assert Rollback(zfs, f"{live}@emily-s").run().kept
    assert content() == "old"


def test_a_dataset_that_is_used_stays_as_it_is(zfs: Zfs, live: str, tmp_path: Path) -> None:
    with (tmp_path / "at" / "file").open() as used:
        with pytest.raises(CommandFailed, match="busy"):
            Rollback(zfs, f"{live}@emily-s").run()
        assert used.read() == "new"
    assert there(zfs, live) == {"", ".rollback-emily-s"}


def test_what_can_not_be_rolled_back_is_left_alone(zfs: Zfs, live: str) -> None:
    def refusal(snapshot: str) -> str:
        with pytest.raises(Refused) as refused:
            Rollback(zfs, snapshot).run()
        return str(refused.value)

    make = Commands().zfs
    assert "there is none" in refusal(f"{live}@none")
    assert "is no name" in refusal(live)
    make("create", "-V", "1M", f"{live}-volume")
    make("snapshot", f"{live}-volume@s")
    assert "only filesystems" in refusal(f"{live}-volume@s")
    make("create", f"{live}/below")
    assert f"has {live}/below below it" in refusal(f"{live}@emily-s")
    make("destroy", f"{live}/below")
    make("create", f"{live}.before-emily-s")
    assert "is there since an earlier time" in refusal(f"{live}@emily-s")
    make("rename", f"{live}.before-emily-s", f"{live}.rollback-emily-s")
    assert "is no clone of" in refusal(f"{live}@emily-s")
    assert there(zfs, live) == {"", "-volume", ".rollback-emily-s"}


def test_the_command_tells_what_it_did_or_why_not(live: str) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "emily_zfs_agent.rollback", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )

    done = json.loads(run(f"{live}@emily-s").stdout)
    assert done["kept"] == f"{live}.before-emily-s"
    assert f"promoted {live}" in done["steps"]
    assert json.loads(run(f"{live}@emily-s", "--undo").stdout)["kept"] == f"{live}.undone-emily-s"
    refused = run(f"{live}@none")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "there is none" in refused.stderr
