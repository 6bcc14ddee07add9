"""Memory in the loop: what was judged is expected, and a recorded stream replays with it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from emily import launch
from emily.recording import read
from emily.system import Layout, parts
from harness import Run, fresh_layout, invoke, printed, up

READY_S = 60.0
LOOK = ("perceive", "digits", "--baseline", "0", "--only", "3,8", "--json", "--episodes")


@pytest.fixture(scope="module")
def remembering(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Layout]:
    """A system with memory."""
    layout = fresh_layout(tmp_path_factory.mktemp("remembering"), trained, memory=True)
    (memory,) = [part for part in parts(layout) if part.name == "memory"]
    with up(layout):
        deadline = time.monotonic() + READY_S
        while not launch.readiness(layout, memory)[0]:
            assert time.monotonic() < deadline, "memory is not ready"
            time.sleep(0.05)
        yield layout


@pytest.mark.soak
@pytest.mark.timeout(240)
def test_a_stream_that_memory_had_a_part_in_replays_bit_for_bit(
    remembering: Layout, run: Run, tmp_path: Path
) -> None:
    recording = tmp_path / "looks.emily"
    printed(run(remembering, *LOOK, "40", "--record", str(recording)))
    _, records = read(recording)
    recalled = [each.decision.recalled for each in records if each.decision and each.decision.recalled]
    assert len(recalled) >= 5
    assert {memory.truth for memories in recalled for memory in memories} == {"3", "8"}
    report = printed(run(remembering, "replay", str(recording), "--json"))
    assert report["difference"] is None
    assert report["compared"] == report["decisions"]


@pytest.mark.soak
@pytest.mark.timeout(240)
def test_a_one_sided_world_takes_fewer_looks_with_recall_than_without(remembering: Layout, run: Run) -> None:
    (expecting,) = printed(run(remembering, *LOOK, "60"))["rows"]
    (unexpecting,) = printed(run(remembering, *LOOK, "60", "--ablate", "recall"))["rows"]
    assert expecting["mean_looks"] < unexpecting["mean_looks"]


def test_only_digits_can_be_shown(emily: Layout) -> None:
    wrong = invoke(emily, "perceive", "digits", "--only", "3,x")
    assert wrong.returncode == 1
    assert "--only 3,x: digits with commas are needed" in wrong.stderr
