"""Versions for the tests of deploys: the code that is here, made better or worse."""

from __future__ import annotations

from pathlib import Path

PATCH = """
import os, sys, time

if "emily_inference" in sys.orig_argv:
    from emily_contracts import Act, Decision
    from emily_inference.service import Inference
    from msgspec.structs import replace

    step, seen = Inference.step, 0

    def changed(self, state, event):
        global seen
        seen += 1
        state, emissions = step(self, state, event)
        {change}
        return state, emissions

    Inference.step = changed
"""
SLOW = "time.sleep(0.05)"
WRONG = """emissions = tuple(
            each._replace(message=replace(each.message, act=Act(kind="report", label="wrong")))
            if isinstance(each.message, Decision) else each for each in emissions)"""
CRASHING = "os._exit(9) if seen > 10 else None"
NEVER_READY = 'import sys, time\nif "emily_inference" in sys.orig_argv:\n    time.sleep(3600)\n'


def release(folder: Path, name: str, *lines: str) -> str:
    """A release file with these lines."""
    file = folder / f"{name}.toml"
    file.write_text("\n".join((f'name = "{name}"', *lines)) + "\n")
    return str(file)


def changed(folder: Path, name: str, change: str) -> str:
    """A release whose inference does something else after each step."""
    return with_code(folder, name, PATCH.replace("{change}", change))


def with_code(folder: Path, name: str, code: str) -> str:
    """A release whose processes run this first."""
    source = folder / f"{name}-source"
    for each in ("contracts", "libs", "services"):
        (source / each).mkdir(parents=True)
    (source / "contracts" / "sitecustomize.py").write_text(code)
    return release(folder, name, f'source = "{source}"')
