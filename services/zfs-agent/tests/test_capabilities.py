"""What the installed ZFS can do is found out, not assumed."""

import pytest
from emily_zfs_agent.capabilities import Capabilities, found
from emily_zfs_agent.commands import Commands
from emily_zfs_agent.errors import Unreadable, ZfsError
from emily_zfs_agent.testing import Recorded, unavailable

FUSE = "This system is currently running ZFS pool version {}.\n"


def test_openzfs_loses_nothing(recorded: Recorded) -> None:
    assert found(Commands()) == Capabilities(version="2.3.9-1")
    assert found(Commands()).lost() == ()


@pytest.mark.parametrize(("version", "holds"), [(23, True), (17, False)])
def test_an_old_zfs_says_what_is_lost(recorded: Recorded, version: int, holds: bool) -> None:
    recorded.answers("zfs version", words="unrecognized command 'version'", code=2)
    recorded.answers("zpool upgrade -v", FUSE.format(version))
    told = found(Commands())
    assert (told.version, told.holds) == (f"pool version {version}", holds)
    assert len(told.lost()) == 3 + (not holds)


def test_an_openzfs_before_it_told_its_version(recorded: Recorded) -> None:
    recorded.answers("zfs version", words="unrecognized command 'version'", code=2)
    recorded.answers("zpool upgrade -v", "This system supports ZFS pool feature flags.\n")
    assert found(Commands()).lost() == ("sizes and errors of pools are rounded",)


def test_what_is_no_zfs_is_not_trusted(recorded: Recorded) -> None:
    recorded.answers("zfs version", words="?", code=2)
    recorded.answers("zpool upgrade -v", "hello")
    with pytest.raises(Unreadable, match="names no version"):
        found(Commands())


def test_the_zfs_of_this_machine_is_recognised() -> None:
    if reason := unavailable():
        pytest.skip(reason)
    try:
        assert found(Commands()).version != "unknown"
    except ZfsError as failure:
        pytest.fail(str(failure))
