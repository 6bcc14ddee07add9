"""What `emily traffic` asks of a router, and what it tells a person who gets no for an answer."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from emily.app import app
from emily.errors import CommandError
from emily.traffic_ask import NOBODY, basis_points, wanted, without
from emily.traffic_view import told
from emily_contracts.routing import RoutingTable
from typer.testing import CliRunner, Result

TOKEN = "t" * 20
CANARY = RoutingTable(version=4, active="blue", canary="green", weight=500)
SHADOW = RoutingTable(version=4, active="blue", shadow="green")
ALONE = RoutingTable(version=4, active="blue")

Command = Callable[..., Result]


class Stub(ThreadingHTTPServer):
    """Answers as a router does, by a table of its own.

    Attributes:
        table: That holds.
        owed: What blue owes at each look, the last number for ever.
        refusal: Of every change, in words.
        interloper: Changes the table before the next order comes.
        orders: Bodies of what was ordered.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.table: dict[str, Any] = {"version": 4, "active": "blue", "canary": None, "weight": 0}
        self.owed = [0]
        self.refusal = ""
        self.interloper = False
        self.orders: list[dict[str, Any]] = []

    def traffic(self) -> dict[str, Any]:
        """What a look shows."""
        owed = self.owed.pop(0) if len(self.owed) > 1 else self.owed[0]
        green = {"name": "green", "role": "idle", "absent": ["reflex"], "compared": 200, "agreed": 199}
        return {
            "table": self.table,
            "colours": [{"name": "blue", "role": "active", "in_flight": owed}, green],
        }


class _Answers(BaseHTTPRequestHandler):
    server: Stub

    def do_GET(self) -> None:
        self._answer(200, self.server.traffic())

    def do_PUT(self) -> None:
        order = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.orders.append(order)
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            self._answer(401, {"detail": "Authorization: the token is not known"})
            return
        if self.server.interloper:
            self.server.table = {"version": 5, "active": "green"}
        if order["version"] != self.server.table["version"]:
            self._answer(409, {"detail": f"version {self.server.table['version']} holds by now"})
        elif self.server.refusal:
            self._answer(409, {"detail": self.server.refusal})
        else:
            fields = ("active", "canary", "weight", "shadow")
            self.server.table = {"version": order["version"] + 1} | {each: order[each] for each in fields}
            self._answer(200, self.server.traffic())

    def _answer(self, status: int, said: dict[str, Any]) -> None:
        body = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *_: Any) -> None:
        """Nobody reads it."""


@pytest.fixture
def stub() -> Iterator[Stub]:
    with Stub() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def command(stub: Stub, tmp_path: Path) -> Command:
    """Runs `emily traffic ...` against the stub, with its token."""
    (tmp_path / "traffic.token").write_text(f"operator {TOKEN}\n")
    url = f"http://127.0.0.1:{stub.server_address[1]}"

    def run(*arguments: str) -> Result:
        options = ("--state-dir", str(tmp_path), "--url", url)
        return CliRunner().invoke(app, ["traffic", *arguments, *options], env={"COLUMNS": "120"})

    return run


def test_traffic_is_shown_without_a_token(command: Command, tmp_path: Path) -> None:
    (tmp_path / "traffic.token").unlink()
    shown = command("show")
    assert shown.exit_code == 0, shown.output
    assert "version 4: blue answers 100 %" in shown.stdout
    assert "99.5 % of 200" in shown.stdout
    assert "reflex" in shown.stdout
    assert json.loads(command("show", "--json").stdout)["table"]["active"] == "blue"


def test_what_is_not_said_stays_as_it_is(command: Command, stub: Stub) -> None:
    assert command("set", "--canary", "green", "--weight", "2.5%", "--reason", "try").exit_code == 0
    assert stub.orders[-1] == {
        "version": 4,
        "active": "blue",
        "canary": "green",
        "weight": 250,
        "shadow": None,
        "handover": "state",
        "reason": "try",
    }
    assert command("set", "--weight", "50").exit_code == 0
    assert (stub.table["canary"], stub.table["weight"]) == ("green", 5000)
    assert command("set", "green", "--without-state").exit_code == 0
    assert stub.orders[-1]["handover"] == "none"
    assert (stub.table["active"], stub.table["canary"], stub.table["weight"]) == ("green", None, 0)


def test_a_change_that_changes_nothing_is_not_ordered(command: Command, stub: Stub) -> None:
    assert command("set", "blue").exit_code == 0
    assert stub.orders == []


def test_who_was_slower_is_told_what_holds(command: Command, stub: Stub) -> None:
    stub.interloper = True
    refused = command("shadow", "green", "--json")
    assert refused.exit_code == 1
    assert json.loads(refused.stdout)["error"] == "version 5 holds by now: green answers 100 %"
    assert len(stub.orders) == 1


def test_minds_that_could_not_move_are_told_in_the_words_of_the_router(command: Command, stub: Stub) -> None:
    stub.refusal = "green: reflex does not answer; nothing was changed"
    refused = command("set", "green")
    assert refused.exit_code == 1
    assert stub.refusal in refused.stderr


def test_a_token_that_is_not_known_is_refused(command: Command, tmp_path: Path) -> None:
    (tmp_path / "traffic.token").write_text("other\n")
    refused = command("set", "green")
    assert refused.exit_code == 1
    assert "--token-file" in refused.stderr


def test_drain_waits_until_nothing_is_owed(command: Command, stub: Stub) -> None:
    stub.owed = [3, 3, 2, 1, 0]
    drained = command("drain", "blue", "--to", "green")
    assert drained.exit_code == 0, drained.output
    assert stub.table["active"] == "green"
    assert "blue owes 1 answers" in drained.stderr
    assert "owes no answer" in drained.stdout


def test_drain_that_takes_too_long_says_what_is_owed(command: Command, stub: Stub) -> None:
    stub.owed = [2]
    late = command("drain", "blue", "--to", "green", "--timeout", "0.2s")
    assert late.exit_code == 6
    assert "still owes 2 answers" in late.stderr


def test_an_unknown_colour_is_not_drained(command: Command, stub: Stub) -> None:
    refused = command("drain", "red")
    assert refused.exit_code == 1
    assert "known are blue, green" in refused.stderr
    assert stub.orders == []


@pytest.mark.parametrize(
    ("held", "said", "then"),
    [
        (CANARY, {"active": "green"}, "green answers 100 %"),
        (CANARY, {"canary": NOBODY}, "blue answers 100 %"),
        (CANARY, {"weight": 10_000}, "blue answers 0 %, green 100 %"),
        (CANARY, {"canary": NOBODY, "shadow": "green"}, "blue answers 100 %, green thinks about copies"),
        (SHADOW, {"canary": "green", "weight": 100}, "blue answers 99 %, green 1 %"),
        (SHADOW, {"active": "green"}, "green answers 100 %"),
        (SHADOW, {"shadow": NOBODY}, "blue answers 100 %"),
        (SHADOW, {"active": "green", "shadow": "blue"}, "green answers 100 %, blue thinks about copies"),
    ],
)
def test_a_colour_that_gets_a_role_gives_up_its_old_one(
    held: RoutingTable, said: dict[str, Any], then: str
) -> None:
    assert told(wanted(held, **said)) == then


@pytest.mark.parametrize(
    ("held", "said", "names"),
    [
        (ALONE, {"weight": 100}, "--weight: there is no canary"),
        (ALONE, {"canary": "green"}, "--canary green: how many"),
        (ALONE, {"canary": "blue", "weight": 1}, "canary: 'blue' is the active colour"),
        (CANARY, {"shadow": "green"}, "shadow: 'green' is the canary"),
    ],
)
def test_what_contradicts_itself_is_named(held: RoutingTable, said: dict[str, Any], names: str) -> None:
    with pytest.raises(CommandError, match=names):
        wanted(held, **said)


@pytest.mark.parametrize(
    ("held", "colour", "to", "then"),
    [
        (CANARY, "green", None, "blue answers 100 %"),
        (CANARY, "blue", None, "green answers 100 %"),
        (SHADOW, "green", None, "blue answers 100 %"),
        (SHADOW, "blue", "green", "green answers 100 %"),
        (ALONE, "green", None, "blue answers 100 %"),
    ],
)
def test_a_colour_that_is_drained_has_no_role(
    held: RoutingTable, colour: str, to: str | None, then: str
) -> None:
    assert told(without(held, colour, to)) == then


@pytest.mark.parametrize(
    ("held", "colour", "to", "names"),
    [
        (ALONE, "blue", None, "blue answers everybody"),
        (ALONE, "blue", "blue", "blue answers everybody"),
        (CANARY, "green", "blue", "green is canary, not active"),
    ],
)
def test_nobody_is_left_without_a_colour(held: RoutingTable, colour: str, to: str | None, names: str) -> None:
    with pytest.raises(CommandError, match=names):
        without(held, colour, to)


@pytest.mark.parametrize(
    ("said", "points"), [("0", 0), ("5", 500), ("0.01%", 1), ("12.5", 1250), ("100", 10_000)]
)
def test_a_share_is_in_percent(said: str, points: int) -> None:
    assert basis_points(said) == points


@pytest.mark.parametrize("said", ["-1", "101", "many", "", "nan", "inf"])
def test_what_is_no_share_is_refused(said: str) -> None:
    with pytest.raises(CommandError, match="is no percentage"):
        basis_points(said)
