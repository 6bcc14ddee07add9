"""One shape for every benchmark's result, so that `make bench` can print them as one table."""

from __future__ import annotations

import json
import operator
import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
COMPARE = {"<=": operator.le, "<": operator.lt, ">=": operator.ge, ">": operator.gt, "==": operator.eq}


def machine() -> dict[str, Any]:
    """Processor, cores, kernel and Python of the machine that measured."""
    cpuinfo = Path("/proc/cpuinfo")
    names = (
        [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        if cpuinfo.exists()
        else []
    )
    return {
        "processor": names[0] if names else platform.processor(),
        "cores": os.cpu_count(),
        "system": platform.system(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "blas_threads": os.environ.get("OMP_NUM_THREADS", "unset"),
    }


def versions(*packages: str) -> dict[str, str]:
    """Installed versions of the named distributions."""
    return {package: metadata.version(package) for package in packages}


def bar(name: str, value: float, op: str, bound: float) -> dict[str, Any]:
    """A bar the issue names: whether `value op bound` holds."""
    return {"name": name, "value": value, "op": op, "bound": bound, "ok": bool(COMPARE[op](value, bound))}


def write(
    name: str, *, figures: dict[str, Any], bars: list[dict[str, Any]], versions: dict[str, str]
) -> Path:
    """Write `results/<name>.json` and print its bars."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    document = {"name": name, "machine": machine(), "versions": versions, "figures": figures, "bars": bars}
    path.write_text(json.dumps(document, indent=1) + "\n")
    for entry in bars:
        mark = "met" if entry["ok"] else "NOT MET"
        print(f"{entry['name']:<70} {entry['value']:>12.4g} {entry['op']} {entry['bound']:<10g} {mark}")
    return path
