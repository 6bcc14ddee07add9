"""A whole embedded Emily, started once and shared by the tests that do not hurt her."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from emily import launch
from emily.system import Layout
from harness import Run, fresh_layout, quiet, up

COMMAND_TIMEOUT_S = 120


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of trained models."""
    layout = Layout(state_dir=tmp_path_factory.mktemp("trained"))
    launch.prepare(layout, quiet)
    return layout.models


@pytest.fixture(scope="session")
def loopback() -> Any:
    """The digits world and the three tiers in one process, as the benchmarks have them."""
    return _benchmark("loopback")


@pytest.fixture(scope="session")
def two_colours() -> Any:
    """Minds in two colours behind a router, as the benchmarks have them."""
    return _benchmark("two_colours")


@pytest.fixture(scope="session")
def models(loopback: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Models for tiers in one process."""
    return loopback.train(0, tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="session")
def emily(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Layout]:
    """A running system."""
    layout = fresh_layout(tmp_path_factory.mktemp("emily"), trained)
    with up(layout):
        yield layout


@pytest.fixture
def victim(trained: Path, tmp_path: Path) -> Iterator[Layout]:
    """A running system of the test's own, to be hurt."""
    layout = fresh_layout(tmp_path, trained)
    with up(layout):
        yield layout


@pytest.fixture(scope="session")
def run() -> Run:
    """Runs a command of `emily` in the state folder of a layout."""

    def command(layout: Layout, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "emily", *arguments, "--state-dir", str(layout.state_dir)],
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
            env=os.environ | {"COLUMNS": "160"},
        )

    return command


def _benchmark(name: str) -> Any:
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(str(Path(__file__).parents[1] / "benchmarks"))
        return importlib.import_module(name)
