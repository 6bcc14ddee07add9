"""Wheels of a package and of those of the workspace that it needs: `wheels.py ROOT PACKAGE OUT`."""

from __future__ import annotations

import os
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

from hatchling.build import build_wheel


def main(root: Path, package: str, out: Path) -> None:
    """Build them all in one process: most of the time goes into starting one."""
    out.mkdir(parents=True, exist_ok=True)
    known = {project(folder)["name"]: folder for folder in folders(root)}
    for folder in needed(project(root / package)["name"], known):
        os.chdir(folder)
        build_wheel(str(out))


def folders(root: Path) -> list[Path]:
    """Of the packages that are there."""
    return sorted(file.parent for file in root.glob("**/pyproject.toml"))


def project(folder: Path) -> dict[str, Any]:
    """What a package says of itself."""
    table: dict[str, Any] = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    return table


def needed(name: str, known: dict[str, Path]) -> list[Path]:
    """Folders of a package and of all that it needs, directly or not."""
    found: dict[str, Path] = {}
    waiting = [name]
    while waiting:
        each = waiting.pop()
        if each in known and each not in found:
            found[each] = known[each]
            needs = project(known[each]).get("dependencies", ())
            waiting += [re.split(r"[^\w.-]", need)[0] for need in needs]
    return list(found.values())


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
