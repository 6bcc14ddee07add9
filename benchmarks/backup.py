"""Backups and drills against restic by hand, on the same data: 1 GB in 20,000 files, one repository each.

By hand is what a careful person types: backup, check of a part, forget --prune; then restore and a comparison
of every byte. Rounds alternate, so that drift of the machine hits both.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import threading
import time
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import numpy as np
import report
from emily.system import restic_program
from emily_backup_agent.backup import Run
from emily_backup_agent.drill import Rehearsal
from emily_backup_agent.plan import Job, Plan, Repository
from emily_backup_agent.restic import find
from emily_backup_agent.work import opened

FILES = 20_000
MEAN_BYTES = 52_000
ROUNDS = 3
THROUGHPUT_BOUND = 0.95
DRILL_BOUND = 1.5
KEEP = ("--keep-daily=7", "--keep-weekly=4", "--keep-monthly=12", "--keep-yearly=3")


def fill(folder: Path) -> int:
    """Files of random bytes, which neither compress nor repeat; their size in bytes."""
    rng = np.random.default_rng(0)
    sizes = rng.exponential(MEAN_BYTES, FILES).astype(int)
    for number, size in enumerate(sizes):
        path = folder / f"{number % 200}" / f"{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(rng.bytes(int(size)))
        os.utime(path, (1e9, 1e9))
    return int(sizes.sum())


def by_hand(program: Path, source: Path, scratch: Path, password: Path) -> dict[str, float]:
    """Seconds of each step."""
    environment = os.environ | {
        "RESTIC_REPOSITORY": str(scratch / "hand"),
        "RESTIC_PASSWORD_FILE": str(password),
        "RESTIC_CACHE_DIR": str(scratch / "hand-cache"),
    }

    def restic(*words: str) -> float:
        start = time.perf_counter()
        subprocess.run(
            [str(program), "--json", *words],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            check=True,
        )
        return time.perf_counter() - start

    restic("init")
    took = {"backup": restic("backup", "--host", "bench", str(source))}
    took["care"] = restic("check", "--read-data-subset=1/24") + restic("forget", *KEEP, "--prune")
    took["restore"] = restic("restore", "latest", "--target", str(scratch / "restored"))
    start = time.perf_counter()
    copy = scratch / "restored" / source.relative_to("/")
    subprocess.run(["diff", "-r", str(source), str(copy)], stdin=subprocess.DEVNULL, check=True)
    took["compare"] = time.perf_counter() - start
    return took


def ours(program: Path, source: Path, scratch: Path, password: Path) -> dict[str, float]:
    """Seconds of each step, as it was told; `run` and `drill` from begin to end."""
    repository = Repository(location=str(scratch / "ours"), password_file=password)
    plan = Plan(host="bench", repository=repository, jobs={"bench": Job(paths=(source,))})
    with opened(
        plan,
        scratch / "agent",
        program=program,
        database_url=None,
        stopping=threading.Event(),
        clock=lambda: datetime.now(UTC),
        makes=True,
    ) as room:
        room.repository.open(make=True)
        began: list[tuple[str, float]] = []

        def tell(step: str, done: int, total: int) -> None:
            if not began or began[-1][0] != step:
                began.append((step, time.perf_counter()))

        attempt = Run(room, "bench", tell, digests=False).run()
        began.append(("", time.perf_counter()))
        took = {step: end - start for (step, start), (_, end) in pairwise(began)}
        took["run"] = began[-1][1] - began[0][1]
        start = time.perf_counter()
        drill = Rehearsal(room, "bench", attempt, lambda *_: None).run()
        took["drill"] = time.perf_counter() - start
    assert (drill.compared, drill.files) == (FILES, FILES + 1)
    return took


def main() -> None:
    """Measure and write `results/backup.json`."""
    program = find(restic_program())
    hand: list[dict[str, float]] = []
    emily: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory(prefix="emily-backup-") as folder:
        source, password = Path(folder) / "source", Path(folder) / "password"
        size = fill(source)
        password.write_text("of a benchmark\n")
        for number in range(ROUNDS):
            for side, measure in ((hand, by_hand), (emily, ours)):
                scratch = Path(folder) / f"{number}-{measure.__name__}"
                scratch.mkdir()
                side.append(measure(program, source, scratch, password))
                print(measure.__name__, {step: round(took, 2) for step, took in side[-1].items()}, flush=True)
                shutil.rmtree(scratch)
    backup = [mine["files"] for mine in emily]
    throughput = [theirs["backup"] / mine for theirs, mine in zip(hand, backup, strict=True)]
    whole = [
        (theirs["backup"] + theirs["care"]) / mine["run"] for theirs, mine in zip(hand, emily, strict=True)
    ]
    drill = [
        mine["drill"] / (theirs["restore"] + theirs["compare"])
        for theirs, mine in zip(hand, emily, strict=True)
    ]
    report.write(
        "backup",
        figures={
            "files": FILES,
            "bytes": size,
            "rounds": ROUNDS,
            "by_hand_s": hand,
            "emily_s": emily,
            "mb_per_s": {
                "by_hand": round(size / 1e6 / float(np.median([theirs["backup"] for theirs in hand])), 1),
                "emily": round(size / 1e6 / float(np.median(backup)), 1),
            },
            "throughput_ratio": _spread(throughput),
            "whole_run_ratio": _spread(whole),
            "drill_ratio": _spread(drill),
        },
        bars=[
            report.bar(
                "throughput of a first backup, agent / restic",
                float(np.median(throughput)),
                ">=",
                THROUGHPUT_BOUND,
            ),
            report.bar(
                "drill of 1 GB / restore and compare by hand", float(np.median(drill)), "<=", DRILL_BOUND
            ),
        ],
        versions={"restic": subprocess.check_output([str(program), "version"], text=True).split()[1]},
    )


def _spread(ratios: list[float]) -> dict[str, float]:
    return {"median": float(np.median(ratios)), "low": min(ratios), "high": max(ratios)}


if __name__ == "__main__":
    main()
