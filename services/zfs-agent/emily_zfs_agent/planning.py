"""`python -m emily_zfs_agent.planning plan|apply FILE`: what differs, as JSON, and bringing it about.

Apply is plan, then the commands of the plan, then plan again: what is left is what really differs.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import msgspec

from emily_zfs_agent import desired as desired_state
from emily_zfs_agent.commands import DEADLINE_S, Commands
from emily_zfs_agent.desired import Desired
from emily_zfs_agent.errors import DesiredStateError, ZfsError
from emily_zfs_agent.plan import Change, drift, look
from emily_zfs_agent.zfs import Zfs


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """A change that was not brought about, and why."""

    change: Change
    reason: str


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a plan or an application came to.

    Attributes:
        changes: What differed.
        failed: Of them, what ZFS refused.
        left: What differs still, looked at again.
    """

    zfs: str
    changes: tuple[Change, ...]
    failed: tuple[Failure, ...] = ()
    left: tuple[Change, ...] = ()


def plan(desired: Desired, zfs: Zfs) -> Outcome:
    """What differs; nothing is changed.

    Raises:
        ZfsError: It can't be told.
    """
    changes = drift(desired, look(desired, zfs))
    return Outcome(zfs=zfs.capabilities.version, changes=changes, left=changes)


def apply(desired: Desired, zfs: Zfs) -> Outcome:
    """Bring about what differs and can be changed without danger.

    Raises:
        ZfsError: It can't be told what differs.
    """
    before = plan(desired, zfs)
    failed = []
    for change in before.changes:
        if not change.command:
            continue
        try:
            zfs.carry_out(change.command)
        except ZfsError as failure:
            failed.append(Failure(change=change, reason=str(failure)))
    return msgspec.structs.replace(before, failed=tuple(failed), left=plan(desired, zfs).changes)


def main(arguments: list[str]) -> int:
    """Exit code 0 when it was told or done, 1 when not; then the reason is on stderr."""
    parser = argparse.ArgumentParser(prog="python -m emily_zfs_agent.planning", description=__doc__)
    parser.add_argument("command", choices=("plan", "apply"))
    parser.add_argument("file", type=Path, help="the desired state")
    parser.add_argument("--timeout", type=float, default=DEADLINE_S, help="seconds for each command of ZFS")
    given = parser.parse_args(arguments)
    work = {"plan": plan, "apply": apply}[given.command]
    try:
        outcome = work(desired_state.read(given.file), Zfs(Commands(given.timeout)))
    except (DesiredStateError, ZfsError) as failure:
        print(failure, file=sys.stderr)
        return 1
    sys.stdout.write(msgspec.json.encode(outcome).decode() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
