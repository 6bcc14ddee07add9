"""What tests of backups share."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from emily_backup_agent.errors import ResticUnusable
from emily_backup_agent.restic import find
from emily_backup_agent.work import Room

OWN = Path(__file__).parents[3] / ".tools" / "bin" / "restic"
"""That a checkout fetches."""
JOB = "emily"

type OpenRoom = Callable[..., AbstractContextManager[Room]]


def quiet(step: str, done: int, total: int) -> None:
    """Progress that nobody sees."""


@pytest.fixture(scope="session")
def program() -> Path:
    """restic; where there is none, the test is skipped, and with EMILY_RESTIC=required it fails."""
    try:
        return find(OWN if OWN.exists() else None)
    except ResticUnusable as failure:
        if os.environ.get("EMILY_RESTIC") == "required":
            raise
        pytest.skip(f"NOT tested: backups; {failure}")
