"""What `emily deploy`, `rollback` and `releases` do for a person, over HTTP, to a real deployer."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from emily.app import app
from emily.deploy_ask import Deployer, seconds, shares
from emily.deploy_view import listed, planned
from emily.errors import CommandError
from emily_bus.testing import router
from emily_runtime.stacks import CURRENT
from emily_runtime.testing import ServiceProcess
from releases import release
from rich.console import Console
from typer.testing import CliRunner, Result

Command = Callable[..., Result]


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    """A deployer whose router is away: what it orders is planned and goes no further."""
    with router() as endpoint:
        made = ServiceProcess(
            (sys.executable, "-m", "emily_deployer"),
            name="deployer",
            endpoint=endpoint,
            namespace="emily",
            state_dir=tmp_path_factory.mktemp("deploys"),
        )
        try:
            made.start()
            yield made
        finally:
            made.kill()


@pytest.fixture
def command(process: ServiceProcess) -> Command:
    """Runs a command for its state folder."""

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(
            app, [*arguments, "--state-dir", str(process.state_dir)], env={"COLUMNS": "160"}
        )

    return run


def printed(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_a_deploy_that_goes_back_ends_with_6_and_says_why(command: Command) -> None:
    over = command("deploy", CURRENT, "--reason", "a test", "--steps", "", "--window", "0", "--json")
    assert over.exit_code == 6
    told = json.loads(over.stdout.splitlines()[0])
    assert (told["state"], told["by"], told["reason"]) == ("rolled back", "operator", "a test")
    assert (told["order"]["steps"], told["order"]["window_s"]) == ([], 0)
    assert "plan: the router does not tell its table" in over.stderr

    again = command("deploy", CURRENT)
    assert again.exit_code == 6
    assert "current: rolled back; plan: the router does not tell its table" in again.stdout
    shown = command("releases", "show")
    assert "ordered" in shown.stdout
    assert "rolled back, plan:" in shown.stdout
    acts = printed(command("releases", "show", told["id"], "--json"))["acts"]
    assert [act["what"] for act in acts][:3] == ["ordered", "begun", "done"]
    newest = printed(command("releases", "list", "--limit", "1", "--json"))
    assert [each["version"] for each in newest["deploys"]] == [CURRENT]
    assert newest["running"] == {"blue": CURRENT}
    assert "blue runs current" in command("releases", "list").stdout


def test_one_that_is_not_waited_for_is_begun(command: Command, process: ServiceProcess) -> None:
    begun = printed(command("deploy", CURRENT, "--detach", "--json"))
    deployer = Deployer(process.state_dir, url=None, token_file=None)
    steps: list[str] = []
    over = deployer.follow(begun["id"], lambda title, done, total: steps.append(title))
    assert over["state"] == "rolled back"


def test_two_versions_are_compared(command: Command, tmp_path: Path) -> None:
    other = release(tmp_path, "other", "[settings]", "EMILY_INFERENCE_SEED = 7")
    found = printed(command("releases", "diff", CURRENT, other, "--json"))
    assert found["changed"]["EMILY_INFERENCE_SEED"] == [None, "7"]
    assert "python" in found["same"]
    assert "EMILY_INFERENCE_SEED" in command("releases", "diff", CURRENT, other).stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("deploy", "v9"), "'v9' is neither 'current', a tag, a release file"),
        (("deploy", CURRENT, "--plan"), "the router does not tell its table"),
        (("deploy", CURRENT, "--steps", "50,5"), "do not rise"),
        (("deploy", CURRENT, "--steps", "many"), "is no list of percentages"),
        (("deploy", CURRENT, "--window", "soon"), "'soon' is no length of time"),
        (("rollback",), "no deploy is under way"),
        (("releases", "pause"), "no deploy is under way"),
        (("releases", "resume"), "no deploy is under way"),
        (("releases", "promote"), "no deploy is under way"),
        (("releases", "abort"), "no deploy is under way"),
        (("releases", "show", "00000000-0000-0000-0000-000000000000"), "there is no deploy"),
        (("releases", "list", "--url", "http://127.0.0.1:1"), "does not answer"),
        (("releases", "list", "--token-file", "/nowhere"), "/nowhere: No such file"),
    ],
)
def test_what_can_not_be_done_is_said(command: Command, arguments: tuple[str, ...], words: str) -> None:
    result = command(*arguments)
    assert result.exit_code in {1, 4}
    assert words in " ".join(result.stderr.split())
    assert result.stdout == ""


def test_a_wrong_token_is_refused(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "token"
    for content, words in (("no-token-that-is-known", "not known"), ("", "it is empty")):
        file.write_text(content)
        wrong = command("releases", "list", "--token-file", str(file))
        assert wrong.exit_code == 1
        assert words in wrong.stderr


def test_lengths_of_time_and_shares_are_read() -> None:
    assert [seconds(text) for text in ("90", "90s", "1.5m", "1h")] == [90, 90, 90, 3600]
    assert shares("1, 5%,25") == [1, 5, 25]
    assert shares("") == []
    with pytest.raises(CommandError):
        seconds("")


def test_a_person_sees_steps_and_states() -> None:
    plan = {"old": "blue", "old_version": "v1", "new": "green", "release": "v2", "steps": ["first", "then"]}
    assert planned(plan) == ["blue (v1) answers; green is to run v2:", "  1. first", "  2. then"]
    row = {
        "began_at": "2026-01-01T00:00:00Z",
        "version": "v2",
        "by": "ann",
        "state": "paused",
        "step": "canary",
    }
    shown = io.StringIO()
    Console(width=160, file=shown).print(listed([row | {"words": "waits", "id": "1"}]))
    assert "paused" in shown.getvalue()
