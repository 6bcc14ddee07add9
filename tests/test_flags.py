"""Flags in a whole Emily: there from the start, carried with each stimulus, and reported."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from emily import launch
from emily.system import Layout
from harness import fresh_layout, invoke, printed, up

CANARY = "enable_gflownet_v2"
RESET = "enable_alpha_phase_reset"
SUBJECTS = 12
DEADLINE_S = 30.0


@pytest.fixture(scope="module")
def flagged(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Layout]:
    """A system with a database, and so with flags."""
    layout = fresh_layout(tmp_path_factory.mktemp("flagged"), trained, memory=True)
    with up(layout):
        yield layout


def carried(layout: Layout, subject: str) -> Any:
    """The variants that a decision about a subject names."""
    draft = {
        "modality": "vision",
        "subject": subject,
        "signals": [{"channel": "fovea", "values": [3.0], "place": 27}],
        "deadline_ms": 10_000,
    }
    answer = httpx.post(f"{layout.http_url}/api/v1/stimuli", json=draft, timeout=15)
    assert answer.status_code == 200, answer.text
    return answer.json()["provenance"]["flags"]


def change(layout: Layout, *how: str) -> None:
    """Change a flag, and wait until the router goes by it."""
    printed(invoke(layout, "flags", "set", *how, "--json"))
    revision = printed(invoke(layout, "flags", "list", "--json"))["revision"]
    deadline = time.monotonic() + DEADLINE_S
    replica = layout.state_dir / "router" / "flags.json"
    while json.loads(replica.read_text())["revision"] < revision:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_flags_can_be_listed_right_after_the_start(flagged: Layout) -> None:
    listed = printed(invoke(flagged, "flags", "list", "--json"))
    assert {flag["key"] for flag in listed["flags"]} == {CANARY, RESET}
    assert "flag-service" in {part.name for part in launch.require_running(flagged).parts}


def test_each_subject_is_given_a_variant_and_the_report_knows_who(flagged: Layout) -> None:
    change(flagged, CANARY, "--rollout", "on=50")
    given = {f"subject-{number}": carried(flagged, f"subject-{number}") for number in range(SUBJECTS)}
    assert {each[CANARY] for each in given.values()} == {"on", "off"}
    assert {each[RESET] for each in given.values()} == {"on"}
    expected = {variant: sum(each[CANARY] == variant for each in given.values()) for variant in ("off", "on")}
    deadline = time.monotonic() + DEADLINE_S
    while True:
        report = printed(invoke(flagged, "experiment", "report", CANARY, "--json"))
        counted = {arm["variant"]: arm["subjects"] for arm in report["arms"]}
        if counted == expected:
            break
        assert time.monotonic() < deadline, (counted, expected)
        time.sleep(0.1)
    assert [effect["metric"] for effect in report["effects"]][:1] == ["latency_ms"]


def test_a_killed_flag_leaves_it_to_the_mind(flagged: Layout) -> None:
    change(flagged, CANARY, "--kill")
    assert carried(flagged, "subject-0") == {RESET: "on"}
    change(flagged, RESET, "--everyone", "--default", "off")
    assert carried(flagged, "subject-0") == {RESET: "off"}


def test_without_a_database_there_are_no_flags_and_she_thinks_as_ever(emily: Layout) -> None:
    assert carried(emily, "subject-0") == {}
    refused = invoke(emily, "flags", "list")
    assert refused.returncode == 4
    assert "--no-memory" in refused.stderr
