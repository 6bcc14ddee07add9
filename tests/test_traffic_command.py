"""A person directs traffic of a running system from the command line, and minds go along."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
import pytest
from emily.asking import announced
from emily.system import Layout
from emily_deployer.drivers.embedded import Embedded
from emily_runtime.stacks import CURRENT
from harness import fresh_layout, invoke, printed, up

STIMULUS = {
    "modality": "vision",
    "attended": "fovea",
    "signals": [{"channel": "fovea", "values": [3.0], "place": 27}],
    "deadline_ms": 5000,
}

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def one(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Layout]:
    """A running system of blue alone, which answers."""
    layout = fresh_layout(tmp_path_factory.mktemp("traffic"), trained)
    with up(layout):
        yield layout


@pytest.fixture
def two(one: Layout) -> Layout:
    """The same with green beside blue."""

    async def start() -> None:
        driver = Embedded(one.state_dir)
        await driver.start("green", CURRENT)
        await driver.ready("green", lambda _: None)

    anyio.run(start)
    return one


def decided(layout: Layout) -> str:
    """The status of the answer to one stimulus."""
    connection = HTTPConnection(urlsplit(announced(layout.state_dir, "router")).netloc, timeout=20)
    try:
        connection.request(
            "POST", "/api/v1/stimuli", json.dumps(STIMULUS), {"Content-Type": "application/json"}
        )
        return str(json.loads(connection.getresponse().read())["status"])
    finally:
        connection.close()


def roles(traffic: dict[str, Any]) -> dict[str, str]:
    return {each["name"]: each["role"] for each in traffic["colours"]}


def test_a_colour_or_a_token_that_there_is_not_changes_nothing(one: Layout, tmp_path: Path) -> None:
    before = printed(invoke(one, "traffic", "show", "--json"))["table"]
    unknown = invoke(one, "traffic", "set", "red")
    assert unknown.returncode == 1
    assert "'red' is no colour here" in unknown.stderr
    (tmp_path / "other.token").write_text("somebody sixteen-characters\n")
    stranger = invoke(one, "traffic", "set", "green", "--token-file", str(tmp_path / "other.token"))
    assert stranger.returncode == 1
    assert "the token is not known" in stranger.stderr
    assert printed(invoke(one, "traffic", "show", "--json"))["table"] == before


def test_minds_move_only_where_there_are_some(one: Layout) -> None:
    before = printed(invoke(one, "traffic", "show", "--json"))["table"]
    refused = invoke(one, "traffic", "set", "green", "--json")
    assert refused.returncode == 1
    assert "nothing was changed" in json.loads(refused.stdout)["error"]
    assert printed(invoke(one, "traffic", "show", "--json"))["table"] == before

    forced = printed(invoke(one, "traffic", "set", "green", "--without-state", "--json"))
    assert forced["table"]["active"] == "green"

    back = printed(invoke(one, "traffic", "set", "blue", "--without-state", "--json"))
    assert back["table"]["active"] == "blue"


def test_traffic_goes_to_green_and_back_with_what_was_learned(two: Layout) -> None:
    assert roles(printed(invoke(two, "traffic", "show", "--json"))) == {"blue": "active", "green": "idle"}
    assert decided(two) in {"decided", "reflex"}

    shadowed = printed(invoke(two, "traffic", "shadow", "green", "--json"))
    assert roles(shadowed) == {"blue": "active", "green": "shadow"}
    assert decided(two) in {"decided", "reflex"}

    tried = printed(invoke(two, "traffic", "set", "--canary", "green", "--weight", "25", "--json"))
    assert (tried["table"]["canary"], tried["table"]["weight"]) == ("green", 2500)
    assert tried["table"].get("shadow") is None

    switched = invoke(two, "traffic", "drain", "blue", "--reason", "maintenance")
    assert switched.returncode == 0, switched.stderr
    assert "green answers 100 %" in switched.stdout
    assert decided(two) in {"decided", "reflex"}

    back = printed(invoke(two, "traffic", "set", "blue", "--json"))
    assert roles(back) == {"blue": "active", "green": "idle"}
    assert back["table"]["version"] == shadowed["table"]["version"] + 3


def test_without_a_router_the_command_says_what_to_do(tmp_path: Path) -> None:
    refused = invoke(Layout(state_dir=tmp_path), "traffic", "show")
    assert refused.returncode == 4
    assert "emily up" in refused.stderr
