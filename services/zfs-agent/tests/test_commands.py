"""A command gets no shell, no input and a deadline, and its errors are told in its own words."""

from __future__ import annotations

import subprocess
import time

import pytest
from emily_zfs_agent import commands
from emily_zfs_agent.commands import Commands
from emily_zfs_agent.errors import CommandFailed, CommandTimedOut, ZfsMissing
from emily_zfs_agent.testing import Recorded


def test_arguments_are_no_shell_words(recorded: Recorded) -> None:
    recorded.answers("zfs get $(touch gone); *", "there")
    assert Commands().zfs("get", "$(touch gone); *") == "there"


def test_a_command_has_no_input_one_language_and_one_time_zone(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    recorded.runs("zfs list", "cat; echo $LC_ALL $TZ")
    assert Commands().zfs("list") == "C UTC\n"


def test_a_command_for_another_machine_goes_through_ssh_which_must_know_it(recorded: Recorded) -> None:
    ssh = recorded.bin / "ssh"
    ssh.write_text("#!/bin/sh\nprintf '%s\\n' \"$@\"")
    ssh.chmod(0o755)
    said = Commands(host="emily@elsewhere").zfs("set", "a:b=on request", "b/a@1; ls").splitlines()
    *options, host, words = said
    assert {"-oBatchMode=yes", "-oStrictHostKeyChecking=yes"} <= set(options)
    assert (host, words) == ("emily@elsewhere", "zfs set 'a:b=on request' 'b/a@1; ls'")
    ssh.write_text("#!/bin/sh\necho 'Host key verification failed.' >&2; exit 255")
    with pytest.raises(CommandFailed, match="emily@elsewhere: zfs list: Host key verification failed"):
        Commands(host="emily@elsewhere").zfs("list")


def test_an_error_names_the_command_and_holds_the_words_of_zfs(recorded: Recorded) -> None:
    recorded.answers("zfs destroy tank/a@b", words="cannot destroy 'tank/a@b': dataset is busy\n", code=1)
    with pytest.raises(CommandFailed) as failed:
        Commands().zfs("destroy", "tank/a@b")
    assert str(failed.value) == "zfs destroy tank/a@b: cannot destroy 'tank/a@b': dataset is busy (exit 1)"


def test_a_command_that_hangs_is_killed(recorded: Recorded) -> None:
    recorded.runs("zpool status", "exec sleep 30")
    began = time.monotonic()
    with pytest.raises(CommandTimedOut, match=r"zpool status: not done in 0.2 s"):
        Commands(0.2).zpool("status")
    assert time.monotonic() - began < 5


def test_none_is_started_while_one_hangs_in_the_kernel(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded.runs("zfs list", "exec sleep 3")
    recorded.answers("zfs get", "well again")
    monkeypatch.setattr(commands, "KILL_GRACE_S", 0.1)
    ours = Commands(1)
    with monkeypatch.context() as kernel:
        kernel.setattr(subprocess.Popen, "kill", lambda _: None)
        with pytest.raises(CommandTimedOut, match="not done"):
            ours.zfs("list")
    with pytest.raises(CommandTimedOut, match="zfs get: not started, since process"):
        ours.zfs("get")
    while not (told := tried(ours)):
        time.sleep(0.05)
    assert told == "well again"


def tried(ours: Commands) -> str:
    """What it wrote; nothing while it is not started."""
    try:
        return ours.zfs("get")
    except CommandTimedOut:
        return ""


def test_a_machine_without_zfs_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(commands, "SYSTEM_PATH", "/nowhere")
    with pytest.raises(ZfsMissing, match="zfs: not on this machine; install"):
        Commands().zfs("list")
