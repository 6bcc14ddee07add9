"""What `emily flags` does for a person, over HTTP, to a real flag-service."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import pytest
from emily.app import app
from emily.flags_ask import FlagService
from emily_bus.testing import router
from emily_contracts import Exposure, Outcome, uuid7
from emily_contracts.topics import EXPOSURE, INBOUND_OUTCOME
from emily_postgres.testing import database, server
from emily_runtime.testing import ServiceProcess
from typer.testing import CliRunner, Result

Command = Callable[..., Result]
SHIPPED = Path(__file__).parents[1] / "infra" / "flags"
CANARY = "enable_gflownet_v2"


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    """A flag-service with the flags that we ship."""
    with router() as endpoint, server() as server_url, database(server_url) as url:
        made = ServiceProcess(
            (sys.executable, "-m", "emily_flag_service"),
            name="flag-service",
            endpoint=endpoint,
            namespace="emily",
            state_dir=tmp_path_factory.mktemp("flags"),
        )
        try:
            made.start(database_url=url, flags_dir=str(SHIPPED))
            yield made
        finally:
            made.kill()


@pytest.fixture
def command(process: ServiceProcess) -> Command:
    """Runs `emily flags ...` for its state folder."""

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, ["flags", *arguments, "--state-dir", str(process.state_dir)])

    return run


def printed(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_flags_are_listed_for_a_person_and_a_script(command: Command) -> None:
    shown = command("list")
    assert shown.exit_code == 0
    assert CANARY in shown.stdout
    listed = printed(command("list", "--json"))
    assert {flag["key"] for flag in listed["flags"]} >= {CANARY, "enable_alpha_phase_reset"}
    assert printed(command("list", "--expired", "--json"))["flags"] == []


def test_a_share_is_changed_and_the_history_tells(command: Command) -> None:
    version = printed(command("show", CANARY, "--json"))["version"]
    changed = printed(command("set", CANARY, "--rollout", "on=12.5", "--reason", "fine so far", "--json"))
    assert changed["definition"]["targeting"] == {"fractional": [["on", 1250], ["off", 8750]]}
    assert changed["version"] == version + 1
    told = command("history", CANARY)
    assert told.exit_code == 0
    assert "fine so far" in told.stdout
    assert "by operator" in told.stdout
    newest = printed(command("history", CANARY, "--json", "--limit", "1"))["changes"]
    assert [each["version"] for each in newest] == [version + 1]
    assert "on 12.5 %, off 87.5 %" in command("show", CANARY).stdout
    whole = printed(command("set", CANARY, "--rollout", "on=25", "--json"))
    assert whole["definition"]["targeting"] == {"fractional": [["on", 25], ["off", 75]]}


def test_a_flag_is_killed_and_brought_back(command: Command) -> None:
    killed = printed(command("set", CANARY, "--kill", "--json"))
    assert not killed["enabled"]
    assert "killed" in command("show", CANARY).stdout
    assert printed(command("set", CANARY, "--on", "--json"))["enabled"]


@pytest.fixture
def overtake(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Lets somebody else change the flag, so many times, just before a command does."""

    def arrange(times: int) -> None:
        put = FlagService.put
        left = [times]

        def overtaken(self: FlagService, key: str, definition: dict[str, Any], **how: Any) -> Any:
            if left[0]:
                left[0] -= 1
                flag, version = self.one(key)
                metadata = flag["definition"]["metadata"] | {"ticket": f"number {version}"}
                theirs = flag["definition"] | {"metadata": metadata}
                put(self, key, theirs, expected=version, reason="somebody else", insist=True)
            return put(self, key, definition, **how)

        monkeypatch.setattr(FlagService, "put", overtaken)

    return arrange


def test_a_flag_is_killed_even_when_somebody_else_changes_it_in_the_same_moment(
    command: Command, overtake: Callable[[int], None]
) -> None:
    overtake(2)
    killed = printed(command("set", CANARY, "--kill", "--json"))
    assert not killed["enabled"]
    assert killed["definition"]["metadata"]["ticket"] == f"number {killed['version'] - 2}"
    changes = printed(command("history", CANARY, "--json", "--limit", "3"))["changes"]
    assert [each["reason"] for each in changes] == ["", "somebody else", "somebody else"]
    assert printed(command("set", CANARY, "--on", "--json"))["enabled"]


@pytest.mark.parametrize(
    ("times", "change"),
    [(1, ("--rollout", "on=50")), (1, ("--kill", "--everyone")), (3, ("--kill",))],
)
def test_nothing_else_overwrites_what_somebody_else_changed(
    command: Command, overtake: Callable[[int], None], times: int, change: tuple[str, ...]
) -> None:
    before = printed(command("show", CANARY, "--json"))
    overtake(times)
    late = command("set", CANARY, *change)
    assert late.exit_code == 1
    assert "emily flags show" in late.stderr
    after = printed(command("show", CANARY, "--json"))
    assert after["version"] == before["version"] + times
    assert after["definition"].get("targeting") == before["definition"].get("targeting")
    assert after["enabled"]


async def go_through(process: ServiceProcess, subjects: int) -> None:
    """Subjects of both variants are exposed and judged; those under the new one are right more often."""
    now = datetime.now(UTC)
    async with process.bus() as bus:
        for number in range(subjects):
            identity, variant = uuid7(now, number.to_bytes(10)), ("on", "off")[number % 2]
            subject = f"subject-{number}"
            exposure = Exposure(
                id=identity, at=now, stimulus_id=identity, flag=CANARY, variant=variant, key=subject
            )
            await bus.publish(EXPOSURE, exposure)
            for turn in range(6):
                outcome = Outcome(
                    id=uuid7(now),
                    at=now,
                    stimulus_id=identity,
                    decision_id=identity,
                    modality="vision",
                    subject=subject,
                    episode="e",
                    reward=1.0 if variant == "on" or turn < number % 4 else -1.0,
                )
                await bus.publish(INBOUND_OUTCOME, outcome)


def test_an_experiment_is_reported(command: Command, process: ServiceProcess) -> None:
    printed(command("set", CANARY, "--rollout", "on=50", "--json"))
    report = ("report", CANARY, "--state-dir", str(process.state_dir))
    empty = CliRunner().invoke(app, ["experiment", *report])
    assert empty.exit_code == 0, empty.output
    assert "No metric is known of two variants yet." in empty.stdout
    anyio.run(go_through, process, 40)
    deadline = time.monotonic() + 20
    while True:
        found = printed(CliRunner().invoke(app, ["experiment", *report, "--json"]))
        if sum(arm["outcomes"] for arm in found["arms"]) == 240:
            break
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    (accuracy,) = [effect for effect in found["effects"] if effect["metric"] == "accuracy"]
    assert (accuracy["variant"], accuracy["verdict"], found["control"]) == ("on", "better", "off")
    assert found["ratio"] == {"p": 1.0, "verdict": "fits"}
    shown = CliRunner().invoke(app, ["experiment", *report]).stdout
    assert "off (control)" in shown
    printed(command("set", CANARY, "--kill", "--json"))
    earlier = CliRunner().invoke(app, ["experiment", *report, "--version", str(found["version"]), "--json"])
    assert printed(earlier) == found
    missing = CliRunner().invoke(app, ["experiment", *report, "--version", "1000"])
    assert missing.exit_code == 1
    assert "in version 1000" in missing.stderr
    printed(command("set", CANARY, "--on", "--json"))
    assert "Subjects are shared out as the rule says (p = 1)." in shown


def test_a_rule_is_taken_away(command: Command) -> None:
    changed = printed(command("set", CANARY, "--everyone", "--default", "on", "--json"))
    assert "targeting" not in changed["definition"]
    assert changed["definition"]["defaultVariant"] == "on"


def test_a_flag_is_made_from_a_file(command: Command, tmp_path: Path) -> None:
    definition = {
        "state": "ENABLED",
        "variants": {"small": 1, "large": 9},
        "defaultVariant": "small",
        "metadata": {"owner": "tests", "expires": "2020-01-01"},
    }
    file = tmp_path / "flag.json"
    file.write_text(json.dumps({"flags": {"size": definition}}))
    assert printed(command("set", "size", "--file", str(file), "--version", "0", "--json"))["version"] == 1
    assert [flag["key"] for flag in printed(command("list", "--expired", "--json"))["flags"]] == ["size"]
    file.write_text(json.dumps(definition | {"defaultVariant": "large"}))
    assert printed(command("set", "size", "--file", str(file), "--json"))["version"] == 2
    late = command("set", "size", "--file", str(file), "--version", "1")
    assert late.exit_code == 1
    assert "it is version 2" in late.stderr
    assert "emily flags show" in late.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("set", CANARY), "nothing to change"),
        (("set", CANARY, "--rollout", "on=110"), "is not VARIANT=PERCENT"),
        (("set", CANARY, "--rollout", "on=nan"), "is not VARIANT=PERCENT"),
        (("set", CANARY, "--rollout", "on=60", "--rollout", "off=60"), "more than 100 %"),
        (("set", CANARY, "--rollout", "on=1", "--everyone"), "give one of them"),
        (("set", CANARY, "--default", "red"), f"flags.{CANARY}.defaultVariant: 'red' is no variant"),
        (("set", "nothing", "--kill"), "there is no flag 'nothing'"),
        (("show", "nothing"), "there is no flag 'nothing'"),
        (("history", "nothing"), "there is no flag 'nothing'"),
        (("set", "nothing", "--file", "/nowhere"), "/nowhere: No such file or directory"),
    ],
)
def test_what_can_not_be_done_is_said(command: Command, arguments: tuple[str, ...], words: str) -> None:
    result = command(*arguments)
    assert result.exit_code == 1
    assert words in " ".join(result.stderr.split())
    assert result.stdout == ""


def test_without_a_token_nothing_is_told(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "token"
    missing = command("list", "--token-file", str(file))
    assert missing.exit_code == 1
    assert "No such file" in missing.stderr
    file.write_text("no-token-that-is-known\n")
    wrong = command("list", "--token-file", str(file), "--json")
    assert wrong.exit_code == 1
    assert "the token is not known" in json.loads(wrong.stdout)["error"]


def test_without_a_flag_service_the_command_says_how_to_start_it(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["flags", "list", "--state-dir", str(tmp_path)])
    assert result.exit_code == 4
    assert "emily up" in result.stderr
