"""A killed run is told as killed, the next one is complete, and what was complete stays so."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from emily_backup_agent.backup import Run
from emily_backup_agent.plan import Plan
from emily_backup_agent.standing import standing
from emily_backup_agent.testing import JOB, OpenRoom, quiet
from msgspec.structs import replace

pytestmark = pytest.mark.chaos

RUN = """
import os, pathlib, signal, sys, threading
from datetime import UTC, datetime
import msgspec
from emily_backup_agent.backup import Run
from emily_backup_agent.plan import Plan
from emily_backup_agent.work import opened

plan, folder, program, url, step, after_s = sys.argv[1:]
plan = msgspec.json.decode(plan, type=Plan, dec_hook=lambda kind, value: kind(value))

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def tell(now, done, total):
    if now == step and float(after_s):
        threading.Timer(float(after_s), die).start()
    elif now == step:
        die()

room = opened(plan, pathlib.Path(folder), program=pathlib.Path(program), database_url=url,
              stopping=threading.Event(), clock=lambda: datetime.now(UTC), makes=False)
with room as room:
    Run(room, "emily", tell, digests=False).run()
"""


@pytest.mark.parametrize(
    ("step", "after_s"),
    [
        ("database", 0.2),
        ("files", 0.3),
        ("verify", 0.0),
        ("verify", 0.3),
        ("check", 0.3),
        ("forget", 0.7),
    ],
)
def test_killed_run_counts_for_nothing_and_is_made_up_for(
    open_room: OpenRoom, plan: Plan, program: Path, filled: str, tmp_path: Path, step: str, after_s: float
) -> None:
    plan = replace(plan, jobs={JOB: replace(plan.jobs[JOB], database=True)})
    with open_room(plan, database_url=filled) as room:
        first = Run(room, JOB, quiet, digests=False).run()
    said = plan_as_json(plan)
    killed = subprocess.run(
        [sys.executable, "-c", RUN, said, str(tmp_path / "agent"), str(program), filled, step, str(after_s)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=50,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    with open_room(plan, database_url=filled) as room:
        record = room.book.of(JOB)
        assert record.success == first
        stands = standing(JOB, plan.jobs[JOB], record, room.clock(), None)
        assert (stands.state, record.failures) == ("failing", 1)
        assert "killed at the step" in stands.detail
        second = Run(room, JOB, quiet, digests=False).run()
        there = room.repository.snapshots(JOB)
    assert {first.snapshot, second.snapshot} <= {each.id for each in there if each.complete}
    for run in {each.run for each in there}:
        kinds = sorted(each.kind for each in there if each.run == run and each.complete)
        assert kinds in ([], ["database", "files"])


def plan_as_json(plan: Plan) -> str:
    return msgspec.json.encode(plan, enc_hook=str).decode()
