"""A repository gets another password, and whoever cuts that off finds one that opens it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from emily_backup_agent import rekeying
from emily_backup_agent.errors import BackupError, WrongPassword
from emily_backup_agent.plan import Plan
from emily_backup_agent.rekeying import rekey
from emily_backup_agent.repository import Repository
from emily_backup_agent.testing import OpenRoom
from emily_backup_agent.work import repository_of
from msgspec.structs import replace

pytestmark = pytest.mark.chaos
CALLS = 5
"""Of the repository, from the first that adds a key to the last that removes one."""


class CutOffError(Exception):
    """The machine went down."""


class Cut(Repository):
    """Ends with the call of a number, before or after it was done."""

    left = 0
    after = False

    def key(self) -> str:
        return self._counted(super().key)

    def add_key(self, password_file: Path) -> None:
        self._counted(lambda: super(Cut, self).add_key(password_file))

    def remove_key(self, key: str) -> None:
        self._counted(lambda: super(Cut, self).remove_key(key))

    def _counted[T](self, call: Callable[[], T]) -> T:
        Cut.left -= 1
        if Cut.left == 0 and not Cut.after:
            raise CutOffError
        done = call()
        if Cut.left == 0:
            raise CutOffError
        return done


def opening(plan: Plan, kind: type[Repository], program: Path, tmp_path: Path) -> rekeying.Opening:
    def opened(file: Path) -> Repository:
        other = replace(plan, repository=replace(plan.repository, password_file=file))
        made = repository_of(other, tmp_path / "agent", program, threading.Event())
        made.__class__ = kind
        return made

    return opened


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("call", range(1, CALLS))
def test_cut_off_anywhere_the_password_file_opens_it_and_the_next_call_goes_on(
    open_room: OpenRoom, plan: Plan, program: Path, tmp_path: Path, call: int, after: bool
) -> None:
    file, old = plan.repository.password_file, tmp_path / "old"
    old.write_text(file.read_text())
    Cut.left, Cut.after = call, after
    with pytest.raises(CutOffError):
        rekey(file, opening(plan, Cut, program, tmp_path))
    whole = opening(plan, Repository, program, tmp_path)
    assert whole(file).key()
    rekey(file, whole)
    assert whole(file).key()
    with pytest.raises(WrongPassword):
        whole(old).key()
    assert sorted(each.name for each in tmp_path.iterdir() if each.name.startswith("password")) == [
        "password"
    ]


def test_wrong_password_rotates_nothing(
    open_room: OpenRoom, plan: Plan, program: Path, tmp_path: Path
) -> None:
    plan.repository.password_file.write_text("another\n")
    with pytest.raises(BackupError, match="does not open it"):
        rekey(plan.repository.password_file, opening(plan, Repository, program, tmp_path))
    assert plan.repository.password_file.read_text() == "another\n"
