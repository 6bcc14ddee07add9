"""Runs `zfs` and `zpool`, here or by ssh: no standard input, a deadline, one language and one time zone."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence

from emily_zfs_agent.errors import CommandFailed, CommandTimedOut, ZfsMissing

DEADLINE_S = 20.0
KILL_GRACE_S = 1.0
SYSTEM_PATH = "/usr/local/sbin:/usr/sbin:/sbin"
"""Where the programs are on systems whose users do not have them on their path."""
SHOWN = 2000
SSH = ("ssh", "-xT", "-oBatchMode=yes", "-oStrictHostKeyChecking=yes")
_PACKAGES = {"ssh": "openssh-client"}


class Commands:
    """The two programs of a machine.

    Args:
        deadline_s: Of each command.
        host: The machine, as ssh takes it; this one without it.
    """

    def __init__(self, deadline_s: float = DEADLINE_S, *, host: str = "") -> None:
        self._deadline_s = deadline_s
        self._host = host
        self._path = os.environ.get("PATH", os.defpath) + os.pathsep + SYSTEM_PATH
        of_ssh = os.environ if host else {}
        self._environment = {**of_ssh, "PATH": self._path, "LC_ALL": "C", "TZ": "UTC"}
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
        command = (program, *arguments)
        started, *words = (*SSH, self._host, shlex.join(command)) if self._host else command
        path = shutil.which(started, path=self._path)
        if path is None:
            package = _PACKAGES.get(started, "zfsutils-linux")
            raise ZfsMissing(f"{started}: not on this machine; install {package}")
        self._refuse_while_stuck(command)
        process = subprocess.Popen(  # noqa: S603 - a list of arguments, each checked before
            (path, *words),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self._environment,
            encoding="utf-8",
            errors="replace",
        )
        try:
            written, said = process.communicate(timeout=self._deadline_s)
        except subprocess.TimeoutExpired:
            self._end(process)
            raise CommandTimedOut(
                f"{' '.join(command)}: not done in {self._deadline_s:g} s; look at: zpool status"
            ) from None
        if process.returncode != 0:
            where = (f"{self._host}:",) if self._host else ()
            raise CommandFailed((*where, *command), process.returncode, " ".join(said[:SHOWN].split()))
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
