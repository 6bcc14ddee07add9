"""What the tests of the whole system share besides fixtures."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from emily import launch
from emily.app import app
from emily.supervisor import SystemStatus
from emily.system import Layout, free_port
from typer.testing import CliRunner

Run = Callable[..., subprocess.CompletedProcess[str]]


def quiet(title: str, done: int, total: int) -> None:
    """Progress that nobody sees."""


def fresh_layout(state_dir: Path, trained: Path, **changes: Any) -> Layout:
    """A layout on free ports that shares the trained models; no memory, deploys and backups unless told."""
    layout = Layout(
        state_dir=state_dir,
        bus_port=free_port(),
        http_port=free_port(),
        **({"memory": False, "delivery": False, "backups": False} | changes),
    )
    layout.models.symlink_to(trained)
    return layout


@contextlib.contextmanager
def up(layout: Layout) -> Iterator[SystemStatus]:
    """A system for the length of the block.

    Its processes are not measured for coverage, which takes a tenth of their start: each service's own tests
    measure it, and the tests of `emily up` the supervisor.
    """
    with pytest.MonkeyPatch.context() as patched:
        for name in ("COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG"):
            patched.delenv(name, raising=False)
        status = launch.up(layout, quiet)
    try:
        yield status
    finally:
        launch.down(layout)


def invoke(layout: Layout, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command of `emily` in this process, which spares what a start of Python takes."""
    runner = CliRunner(env={"COLUMNS": "160"})
    result = runner.invoke(app, [*arguments, "--state-dir", str(layout.state_dir)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return subprocess.CompletedProcess(arguments, result.exit_code, result.stdout, result.stderr)


def printed(finished: subprocess.CompletedProcess[str]) -> Any:
    """The JSON that a command printed; its exit code must be 0."""
    assert finished.returncode == 0, finished.stderr
    return json.loads(finished.stdout)
