"""Runs every test but chaos, soaks and containers, and holds coverage to its bounds; `make test` calls it.

Arguments are passed on to pytest.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
TIMEOUT_S = 1200
LIBRARIES_BOUND = 90.0
OVERALL_BOUND = 80.0
LIBRARIES = ("contracts/", "libs/bus/", "libs/runtime/", "libs/instinct/", "libs/cognition/", "libs/cli/")


def main() -> int:
    """Exit code of pytest, or 1 when a bound is missed."""
    environment = os.environ | {
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "COVERAGE_PROCESS_START": str(ROOT / "pyproject.toml"),
    }
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-m",
        "not chaos and not soak and not containers",
        "--cov",
        "--cov-report=",
        "--durations=5",
        "-q",
        "-n",
        "4",
        "--dist",
        "loadfile",
        "--no-loadscope-reorder",
    ]
    tests = subprocess.run(
        [*command, *sys.argv[1:]],
        check=False,
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        timeout=TIMEOUT_S,
    )
    report = ROOT / ".coverage.json"
    subprocess.run(
        [sys.executable, "-m", "coverage", "json", "-q", "-o", str(report)],
        cwd=ROOT,
        check=True,
        stdin=subprocess.DEVNULL,
        timeout=120,
    )
    covered = _covered(json.loads(report.read_text()))
    judged = _judge(covered)
    return tests.returncode or judged


def _covered(report: dict[str, dict[str, dict[str, dict[str, int]]]]) -> dict[str, tuple[int, int]]:
    """Covered and all lines by package folder."""
    totals: dict[str, tuple[int, int]] = {}
    for name, file in report["files"].items():
        path = Path(name)
        relative = path.relative_to(ROOT) if path.is_absolute() else path
        package = "/".join(relative.parts[: 1 if relative.parts[0] == "contracts" else 2]) + "/"
        summary = file["summary"]
        hit = summary["covered_lines"]
        every = summary["num_statements"]
        before = totals.get(package, (0, 0))
        totals[package] = (before[0] + hit, before[1] + every)
    return totals


def _judge(totals: dict[str, tuple[int, int]]) -> int:
    print("\ncoverage of lines")
    for package, (hit, every) in sorted(totals.items()):
        print(f"  {package:<22} {100 * hit / max(1, every):6.1f} %")
    libraries = _share({name: value for name, value in totals.items() if name in LIBRARIES})
    overall = _share(totals)
    print(f"  {'libs and contracts':<22} {libraries:6.1f} %   (bound {LIBRARIES_BOUND:.0f} %)")
    print(f"  {'overall':<22} {overall:6.1f} %   (bound {OVERALL_BOUND:.0f} %)")
    return int(libraries < LIBRARIES_BOUND or overall < OVERALL_BOUND)


def _share(totals: dict[str, tuple[int, int]]) -> float:
    return 100 * sum(hit for hit, _ in totals.values()) / max(1, sum(every for _, every in totals.values()))


if __name__ == "__main__":
    sys.exit(main())
