"""What `emily memory` does for a person, on the bus and over HTTP, to a real memory."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import anyio
import anyio.from_thread
import anyio.lowlevel
import pytest
from emily.app import app
from emily.bus import settings as bus_settings
from emily.memory import app as memory_commands
from emily.supervisor import SystemStatus, status_file
from emily.system import Layout, free_port, parts, to_json
from emily_bus import AskRefused, Bus
from emily_bus.testing import router
from emily_contracts import Episode, StoreRequest, uuid7
from emily_contracts.topic import AnyQuery
from emily_contracts.topics import RECALL, STORE
from emily_memory import queries
from emily_memory.api.app import create_app
from emily_memory.api.rooms import Rooms
from emily_memory.curation import erasing
from emily_memory.embedding.hashing import HashingEmbedder
from emily_memory.errors import MemoryRefused
from emily_memory.memory import Memory, remembering
from emily_memory.store.database import opened
from emily_memory.upkeep.embedders import Embedders
from emily_memory.upkeep.forgetting import Policy
from emily_postgres.testing import database, server
from emily_runtime.http import Server, listen
from typer.testing import CliRunner, Result

Command = Callable[..., Result]
AT = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def bus() -> Iterator[str]:
    with router() as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    with server() as url:
        yield url


@pytest.fixture
def layout(tmp_path: Path, bus: str, postgres: str) -> Iterator[Layout]:
    """A memory that serves the bus and HTTP as the system's own does, with three episodes."""
    made = Layout(
        state_dir=tmp_path, bus_port=int(bus.rpartition(":")[2]), http_port=free_port(), colour=_name()
    )
    with database(postgres) as url, _in_thread(made, url):
        status = SystemStatus(pid=os.getpid(), started_at=time.time(), layout=made, parts=())
        status_file(made).parent.mkdir(parents=True, exist_ok=True)
        status_file(made).write_bytes(to_json(status))
        yield made


def _name() -> str:
    return f"c{uuid4().hex[:8]}"


@contextmanager
def _in_thread(layout: Layout, url: str) -> Iterator[None]:
    ready = threading.Event()
    failed: list[BaseException] = []
    stop: list[Callable[[], None]] = []

    async def main() -> None:
        async with anyio.create_task_group() as tasks, _serving(layout, url):
            loop_stop = anyio.Event()
            token = anyio.lowlevel.current_token()
            stop.append(lambda: anyio.from_thread.run_sync(loop_stop.set, token=token))
            ready.set()
            await loop_stop.wait()
            tasks.cancel_scope.cancel()

    def run() -> None:
        try:
            anyio.run(main)
        except BaseException as failure:
            failed.append(failure)
        finally:
            ready.set()

    thread = threading.Thread(target=run)
    thread.start()
    assert ready.wait(30)
    assert not failed, failed
    try:
        yield
    finally:
        stop[0]()
        thread.join(30)
    assert not failed, failed


@asynccontextmanager
async def _serving(layout: Layout, url: str) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        opened_database = await stack.enter_async_context(opened(url, size=2))
        memory = await stack.enter_async_context(remembering(opened_database, HashingEmbedder()))
        settings = bus_settings(layout)
        colour = await stack.enter_async_context(
            Bus.open(settings, namespace=f"emily/{layout.colour}", name="memory")
        )
        served: dict[AnyQuery, Any] = {STORE: memory.store, RECALL: memory.recall}
        served |= queries.of_curation(memory)
        served |= queries.of_upkeep(memory, Embedders(lambda _: HashingEmbedder()), Policy())
        for query, answer in served.items():
            await stack.enter_async_context(colour.serve(query, _refusing(answer)))
        rooms = Rooms(opened_database, memory.store, memory.recall, memory.metrics)
        bound = stack.enter_context(closing(listen("127.0.0.1", 0)))
        api = create_app(lambda: rooms, version="1", allowed_hosts=("127.0.0.1",))
        http = Server(api)  # type: ignore[arg-type]
        tasks = await stack.enter_async_context(anyio.create_task_group())
        tasks.start_soon(http.serve_on, bound)
        (part,) = [part for part in parts(layout) if part.name == "memory"]
        layout.announcement(part).parent.mkdir(parents=True)
        address = f"http://127.0.0.1:{bound.getsockname()[1]}"
        layout.announcement(part).write_text(json.dumps({"pid": os.getpid(), "http": address}))
        await _remember(memory)
        yield
        http.should_exit = True


def _refusing(answer: Callable[[Any], Any]) -> Callable[[Any], Any]:
    async def answered(request: Any) -> Any:
        try:
            return await answer(request)
        except MemoryRefused as refusal:
            raise AskRefused(str(refusal)) from None

    return answered


async def _remember(memory: Memory) -> None:
    for number, (content, actor) in enumerate(
        [
            ("the key is in the hall", "ann"),
            ("the kettle whistles", None),
            ("[bold]a \x1b[31mred\nherring", "bob"),
        ]
    ):
        at = AT + timedelta(days=number)
        episode = Episode(
            id=uuid7(at), occurred_at=at, content=content, actor=actor, context={"day": str(number)}
        )
        request = StoreRequest(
            id=episode.id, at=at, stimulus_id=episode.id, namespace="mind", episode=episode
        )
        await memory.store(request)


@pytest.fixture
def emily(layout: Layout) -> Command:
    """Runs a command of `emily memory`."""

    def command(*arguments: str, typed: str | None = None) -> Result:
        where = ["--state-dir", str(layout.state_dir)]
        return CliRunner().invoke(app, ["memory", *arguments, *where], input=typed, env={"COLUMNS": "160"})

    return command


def printed(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def first(emily: Command) -> str:
    """Of the memory about the key."""
    (memory,) = printed(emily("list", "--actor", "ann", "--json"))["memories"]
    return str(UUID(memory["id"]))


def test_memories_are_listed_newest_first_by_pages_and_by_choice(emily: Command) -> None:
    page = printed(emily("list", "--limit", "2", "--json"))
    rest = printed(emily("list", "--after", page["next"], "--json"))
    assert [each["context"]["day"] for each in page["memories"] + rest["memories"]] == ["2", "1", "0"]
    chosen = printed(emily("list", "--from", "2026-01-02T00:00Z", "--before", "2026-01-03T00:00Z", "--json"))
    assert [each["content"] for each in chosen["memories"]] == ["the kettle whistles"]
    assert len(printed(emily("list", "--context", "day=2", "--json"))["memories"]) == 1


def test_a_table_shows_text_as_it_is_and_lets_none_steer_the_terminal(emily: Command) -> None:
    shown = emily("list").stdout
    assert "[bold]a �[31mred herring" in shown
    assert "\x1b[31m" not in shown
    assert "the kettle whistles" in shown
    assert "--after" in emily("list", "--limit", "1").stdout


def test_search_finds_and_explain_tells_why(emily: Command) -> None:
    found = printed(emily("search", "kettle", "--json"))
    assert found["episodes"][0]["content"] == "the kettle whistles"
    assert found["episodes"][0]["components"] is None
    explained = printed(emily("explain", "kettle", "--limit", "1", "--json"))
    assert explained["episodes"][0]["components"]["lexical"] == 1.0
    table = emily("explain", "kettle").stdout
    assert all(name in table for name in ("dense", "lexical", "affect", "recency", "importance", "use"))
    assert "path exact" in table


def test_a_search_may_weigh_the_components(emily: Command) -> None:
    newest = ("--weight", "dense=0", "--weight", "lexical=0", "--weight", "recency=1")
    found = printed(emily("search", "kettle", *newest, "--json"))["episodes"]
    assert [each["context"]["day"] for each in found] == ["2", "1", "0"]


def test_a_correction_keeps_the_history(emily: Command) -> None:
    identity = first(emily)
    edited = printed(
        emily(
            "edit",
            identity,
            "--content",
            "the key is in the car",
            "--clear",
            "actor",
            "--pin",
            "--reason",
            "saw",
            "--json",
        )
    )
    assert (edited["content"], edited["actor"], edited["pinned"]) == ("the key is in the car", None, True)
    told = printed(emily("history", edited["id"], "--json"))
    assert [each["content"] for each in told["versions"]] == [
        "the key is in the hall",
        "the key is in the car",
    ]
    shown = emily("history", identity).stdout
    assert "retracted" in shown
    assert "saw" in shown
    assert "superseded_by" in emily("show", identity).stdout


def test_what_holds_now_and_what_held_then(emily: Command) -> None:
    identity = first(emily)
    emily("supersede", identity, "the key is in the bag", "--from", "2026-02-01T00:00Z")
    then = printed(emily("as-of", "2026-01-15T00:00Z", "--json"))["memories"]
    assert "the key is in the hall" in [each["content"] for each in then]
    now = printed(emily("as-of", "2026-02-01T00:00Z", "where is the key", "--json"))["episodes"]
    contents = [each["content"] for each in now]
    assert "the key is in the bag" in contents
    assert "the key is in the hall" not in contents
    assert printed(emily("as-of", "2026-01-15T00:00Z", "--known", "--json"))["memories"] == []


def test_what_is_forgotten_can_be_restored(emily: Command) -> None:
    identity = first(emily)
    assert "forgotten" in emily("forget", identity).stdout
    assert [each["id"] for each in printed(emily("list", "--forgotten", "--json"))["memories"]] == [identity]
    assert printed(emily("restore", identity, "--json"))["archived_at"] is None
    assert len(printed(emily("list", "--json"))["memories"]) == 3


def test_an_erasure_shows_what_it_would_do_and_asks_first(emily: Command) -> None:
    refused = emily("erase", "ann", typed="n\n")
    assert refused.exit_code == 1
    assert "1 memories about ann, 0 derived from them and 1 vectors would be removed" in refused.stdout
    assert printed(emily("erase", "ann", "--json"))["dry_run"]
    assert len(printed(emily("list", "--json"))["memories"]) == 3
    done = emily("erase", "ann", typed="y\n")
    assert done.exit_code == 0, done.output
    assert "Left when looking again: 0." in done.stdout
    assert len(printed(emily("list", "--json"))["memories"]) == 2
    assert printed(emily("erase", "bob", "--yes", "--json"))["left"] == 0


def test_an_erasure_of_many_is_asked_for_to_the_end(emily: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "PATIENCE_S", 0)
    monkeypatch.setattr(erasing, "ROWS", 1)
    for memory in printed(emily("list", "--json"))["memories"]:
        emily("edit", memory["id"], "--actor", "ann")
    done = printed(emily("erase", "ann", "--yes", "--json"))
    assert (done["memories"], done["left"], done["more"]) == (6, 0, False)
    assert printed(emily("list", "--json"))["memories"] == []


def test_what_is_due_is_forgotten_when_asked_for(emily: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "PATIENCE_S", 0)
    emily("edit", first(emily), "--expires", "2026-01-02T00:00Z")
    dry = emily("tidy", "--dry-run").stdout
    assert "1 expired, 0 beyond the budget and 0 outdated summaries would be forgotten; 0 and 0" in dry
    assert printed(emily("tidy", "--namespace", "work", "--json"))["expired"] == 0
    assert printed(emily("tidy", "--json"))["expired"] == 1
    assert "0 expired" in emily("tidy").stdout
    assert len(printed(emily("list", "--forgotten", "--json"))["memories"]) == 1


@pytest.mark.parametrize("name", ["mind.jsonl", "mind.jsonl.zst"])
def test_a_namespace_goes_into_a_file_and_comes_back(emily: Command, tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    assert printed(emily("export", str(file), "--json"))["bytes"] == file.stat().st_size > 0
    assert not (tmp_path / f"{name}.part").exists()
    identity = first(emily)
    emily("erase", "ann", "--yes")
    assert printed(emily("import", str(file), "--json")) == {
        "memories": 3,
        "new": 1,
        "updated": 0,
        "embedded": 1,
    }
    assert first(emily) == identity
    assert "3 memories read: 0 new" in emily("import", str(file)).stdout


def test_a_torn_file_is_refused_with_its_line(emily: Command, tmp_path: Path) -> None:
    file = tmp_path / "mind.jsonl"
    emily("export", str(file))
    file.write_bytes(file.read_bytes()[:-40] + b"\n" + b"x" * 3_000_000)
    torn = emily("import", str(file))
    assert torn.exit_code == 1
    assert "line 4, json: " in torn.stderr
    assert "line 4" in json.loads(emily("import", str(file), "--json").stdout)["error"]


def test_stats_count_and_name_the_space(emily: Command) -> None:
    counted = printed(emily("stats", "--json"))
    assert counted["namespaces"][0]["memories"] == 3
    shown = emily("stats").stdout
    assert counted["spaces"][0]["key"] in shown
    assert "schema version" in shown


BAD: list[tuple[tuple[str, ...], int, str]] = [
    (("show", "no-id"), 2, "Invalid value for 'ID'"),
    (("show", str(uuid4())), 1, "there is no memory"),
    (("search", "x", "--limit", "-1"), 2, "--limit"),
    (("search", "x", "--namespace", "two words"), 1, "namespace"),
    (("search", "x", "--weight", "smell=1"), 1, "choose from dense, lexical, affect, recency"),
    (("search", "x", "--weight", "dense"), 1, "--weight dense: is not NAME=NUMBER"),
    (("search", "x", "--weight", "dense=much"), 1, "--weight dense=much: is not NAME=NUMBER"),
    (("search", "x", "--weight", "dense=-1"), 1, "dense: -1.0 is below 0"),
    (("search", "x", "--weight", "dense=nan"), 1, "nan is not a finite number"),
    (("list", "--after", "elsewhere"), 1, "after: "),
    (("list", "--context", "room"), 1, "KEY=WORD"),
    (("as-of", "yesterday"), 1, "is not a time"),
    (("edit", str(uuid4())), 1, "nothing to change"),
    (("edit", str(uuid4()), "--importance", "2"), 1, "importance"),
    (("edit", str(uuid4()), "--clear", "content"), 1, "can't be unknown"),
    (("erase", "two words", "--yes"), 1, "actor"),
    (("tidy", "--namespace", "two words"), 1, "namespace"),
    (("import", "/nowhere/mind.jsonl"), 1, "No such file"),
    (("export", "/nowhere/mind.jsonl"), 1, "No such file"),
]


@pytest.mark.parametrize(("arguments", "code", "message"), BAD)
def test_bad_input_is_told_with_an_exit_code(
    emily: Command, arguments: tuple[str, ...], code: int, message: str
) -> None:
    refused = emily(*arguments)
    assert refused.exit_code == code
    assert message in refused.stderr.replace("\n", " ")


@pytest.mark.parametrize(
    "command", [("list",), ("search", "x"), ("export", "x.jsonl"), ("erase", "ann", "--yes")]
)
def test_what_needs_emily_says_so_when_she_is_not_up(tmp_path: Path, command: tuple[str, ...]) -> None:
    refused = CliRunner().invoke(app, ["memory", *command, "--state-dir", str(tmp_path)])
    assert refused.exit_code == 4
    assert "emily up" in refused.stderr


def test_each_command_helps_with_an_example() -> None:
    for command in memory_commands.registered_commands:
        assert command.callback is not None
        assert "Example: emily memory " in (command.callback.__doc__ or "")
