"""What the commands of memory's upkeep do to an Emily that remembers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import pytest
import typer
from emily import memory_upkeep
from emily.bus import settings as bus_settings
from emily.system import Layout
from emily_bus import Bus, NoResponder
from emily_contracts import Episode, StoreRequest, uuid7
from emily_contracts.topics import STORE
from harness import fresh_layout, up
from typer.testing import CliRunner, Result

Command = Callable[..., Result]


@pytest.fixture(scope="module")
def rememberer(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Layout]:
    """A running system with memory."""
    layout = fresh_layout(tmp_path_factory.mktemp("remembers"), trained, memory=True)
    with up(layout):
        anyio.run(_remember, layout, ["the park is open", "the park is open", "the kettle whistles"])
        yield layout


@pytest.fixture
def memory() -> Command:
    """Runs a command of upkeep."""
    app = typer.Typer()
    memory_upkeep.register(app)

    def command(layout: Layout, *arguments: str) -> Result:
        return CliRunner().invoke(app, [*arguments, "--state-dir", str(layout.state_dir)])

    return command


async def _remember(layout: Layout, texts: list[str]) -> None:
    bus = bus_settings(layout)
    async with Bus.open(bus, namespace=f"emily/{layout.colour}", name="test") as colour:
        for text in texts:
            at = datetime.now(UTC)
            episode = Episode(id=uuid7(at), occurred_at=at, content=text)
            request = StoreRequest(
                id=episode.id, at=at, stimulus_id=episode.id, namespace="home", episode=episode
            )
            with anyio.fail_after(30):
                while not await _stored(colour, request):
                    await anyio.sleep(0.1)


async def _stored(colour: Bus, request: StoreRequest) -> bool:
    try:
        await colour.ask(STORE, request, timeout=5)
    except NoResponder:
        return False
    return True


def printed(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_a_consolidation_does_what_its_dry_run_says_and_nothing_twice(
    rememberer: Layout, memory: Command
) -> None:
    dry = memory(rememberer, "consolidate", "--dry-run")
    assert "1 of 3 compared memories would be merged into another" in dry.stdout
    assert printed(memory(rememberer, "consolidate", "--json"))["merged"] == 1
    assert printed(memory(rememberer, "consolidate", "--json"))["merged"] == 0


def test_memory_is_moved_to_another_space_and_the_former_is_removed(
    rememberer: Layout, memory: Command
) -> None:
    before = printed(memory(rememberer, "reembed", "--json"))
    moved = printed(memory(rememberer, "reembed", "--to", "hashing", "--drop-retired", "--json"))
    assert moved["space"].startswith("hashing")
    assert moved["dropped"] == [before["space"]]


def test_an_embedder_that_is_none_is_refused_by_name(rememberer: Layout, memory: Command) -> None:
    refused = memory(rememberer, "reembed", "--to", "oracle", "--json")
    assert refused.exit_code == 1
    assert "oracle" in json.loads(refused.stdout)["error"]


def test_without_memory_it_is_said_to_be_not_up(emily: Layout, memory: Command) -> None:
    refused = memory(emily, "reembed", "--json")
    assert refused.exit_code == 4
    assert "memory is not up" in json.loads(refused.stdout)["error"]
