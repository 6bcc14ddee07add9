"""What the tests of the whole system share besides fixtures."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from emily.system import Layout, free_port

Run = Callable[..., subprocess.CompletedProcess[str]]


def quiet(title: str, done: int, total: int) -> None:
    """Progress that nobody sees."""


def fresh_layout(state_dir: Path, trained: Path, **changes: Any) -> Layout:
    """A layout on free ports that shares the trained models; it remembers and deploys nothing unless told."""
    layout = Layout(
        state_dir=state_dir,
        bus_port=free_port(),
        http_port=free_port(),
        **({"memory": False, "delivery": False} | changes),
    )
    layout.models.symlink_to(trained)
    return layout


def printed(finished: subprocess.CompletedProcess[str]) -> Any:
    """The JSON that a command printed; its exit code must be 0."""
    assert finished.returncode == 0, finished.stderr
    return json.loads(finished.stdout)
