"""Runs `zfs` and `zpool`: no shell, no standard input, a deadline, one language and one time zone."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence

from emily_zfs_agent.errors import CommandFailed, CommandTimedOut, ZfsMissing

DEADLINE_S = 20.0
KILL_GRACE_S = 1.0
SYSTEM_PATH = "/usr/local/sbin:/usr/sbin:/sbin"
"""Where the programs are on systems whose users do not have them on their path."""
SHOWN = 2000


class Commands:
    """The two programs of this machine.

    Args:
        deadline_s: Of each command.
    """

    def __init__(self, deadline_s: float = DEADLINE_S) -> None:
        self._deadline_s = deadline_s
        self._path = os.environ.get("PATH", os.defpath) + os.pathsep + SYSTEM_PATH
        self._stuck: subprocess.Popen[str] | None = None

    def zfs(self, *arguments: str) -> str:
        """What `zfs` wrote.

        Raises:
            ZfsMissing: There is no such program.
            CommandFailed: It ended with an error.
            CommandTimedOut: It did not end in time, or one before it still has not.
        """
        return self._run("zfs", arguments)

    def zpool(self, *arguments: str) -> str:
        """What `zpool` wrote; see `zfs`."""
        return self._run("zpool", arguments)

    def _run(self, program: str, arguments: Sequence[str]) -> str:
        path = shutil.which(program, path=self._path)
        if path is None:
            raise ZfsMissing(f"{program}: not on this machine; install zfsutils-linux")
        command = (program, *arguments)
        self._refuse_while_stuck(command)
        process = subprocess.Popen(  # noqa: S603 - a list of arguments, each checked before
            (path, *arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={"PATH": self._path, "LC_ALL": "C", "TZ": "UTC"},
            encoding="utf-8",
            errors="replace",
        )
        try:
            written, words = process.communicate(timeout=self._deadline_s)
        except subprocess.TimeoutExpired:
            self._end(process)
            raise CommandTimedOut(
                f"{' '.join(command)}: not done in {self._deadline_s:g} s; look at: zpool status"
            ) from None
        if process.returncode != 0:
            raise CommandFailed(command, process.returncode, " ".join(words[:SHOWN].split()))
        return written

    def _end(self, process: subprocess.Popen[str]) -> None:
        """Kill it; one that hangs in the kernel is not waited for, but remembered."""
        process.kill()
        try:
            process.communicate(timeout=KILL_GRACE_S)
        except subprocess.TimeoutExpired:
            self._stuck = process

    def _refuse_while_stuck(self, command: Sequence[str]) -> None:
        if self._stuck is None:
            return
        if self._stuck.poll() is None:
            raise CommandTimedOut(
                f"{' '.join(command)}: not started, since process {self._stuck.pid} still hangs in the "
                "kernel; look at: zpool status"
            )
        for pipe in (self._stuck.stdout, self._stuck.stderr):
            if pipe is not None:
                pipe.close()
        self._stuck = None
