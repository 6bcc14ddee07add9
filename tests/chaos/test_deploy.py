"""A version takes over under traffic, or goes back by itself; no stimulus is lost or answered twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from deploying import QUICK, deploy, settled_on
from emily import launch
from emily.asking import announced
from emily.errors import NotUp
from emily.system import Layout, parts
from emily_runtime.stacks import CURRENT
from harness import Run, fresh_layout, printed, up
from releases import WRONG, changed

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(180)]


@pytest.fixture
def system(trained: Path, tmp_path: Path) -> Iterator[Layout]:
    """A running system with a deployer."""
    layout = fresh_layout(tmp_path, trained, delivery=True)
    with up(layout):
        deployer = next(part for part in parts(layout) if part.name == "deployer")
        launch.wait_until_ready(layout, deployer)
        yield layout


def test_a_good_release_takes_over(system: Layout, run: Run) -> None:
    plan = printed(run(system, "deploy", CURRENT, "--plan", "--json"))
    assert (plan["old"], plan["new"]) == ("blue", "green")

    good = deploy(system, run, CURRENT, *QUICK)
    assert (good.code, good.deploy["state"]) == (0, "succeeded")
    assert set(good.statuses) <= {"decided", "reflex"}, good.reasons
    settled_on(system, "green", CURRENT)

    listed = printed(run(system, "releases", "list", "--json"))
    assert [each["state"] for each in listed["deploys"]] == ["succeeded"]
    assert listed["running"] == {"green": CURRENT}
    acts = printed(run(system, "releases", "show", good.deploy["id"], "--json"))["acts"]
    assert {act["who"] for act in acts} == {"operator", "deployer"}
    late = run(system, "rollback")
    assert late.returncode == 1
    assert "the rollback window of the last one is over" in late.stderr


@pytest.mark.soak
def test_a_wrong_release_never_answers(system: Layout, run: Run, tmp_path: Path) -> None:
    wrong = deploy(system, run, changed(tmp_path, "wrong", WRONG), *QUICK)
    assert (wrong.code, wrong.deploy["state"]) == (6, "rolled back")
    assert "green decides as blue in" in wrong.deploy["words"]
    assert set(wrong.statuses) <= {"decided", "reflex"}, wrong.reasons
    settled_on(system, "blue", CURRENT)


def test_without_a_deployer_the_command_says_what_to_do(tmp_path: Path, run: Run) -> None:
    with pytest.raises(NotUp, match="the deployer is not up here"):
        announced(tmp_path, "deployer")
    (tmp_path / "deploys.token").write_text("somebody sixteen-characters\n")
    refused = run(Layout(state_dir=tmp_path), "releases", "list", "--json")
    assert refused.returncode == 4
