"""What a person sees while Emily feels the machine."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import StringIO

from emily.host_view import HostView
from emily_contracts import Act, Decision, Signal, Status, Stimulus, uuid7
from rich.console import Console

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)


def live_through(view: HostView, number: int, act: str, reason: str) -> None:
    at = BEGINNING + timedelta(seconds=number)
    identity = uuid7(at)
    readings = (("load", float(number)), ("memory", 0.5), ("disk", 0.3))
    view.hear(
        Stimulus(
            id=identity,
            at=at,
            stimulus_id=identity,
            modality="interoception",
            signals=tuple(Signal(channel=channel, values=(value,)) for channel, value in readings),
        )
    )
    view.hear(
        Decision(
            id=identity,
            at=at,
            stimulus_id=identity,
            modality="interoception",
            subject="vm",
            episode="host",
            status=Status.DECIDED,
            act=Act(kind=act),
            reason=reason,
        )
    )


def shown(view: HostView) -> list[str]:
    console = Console(file=StringIO(), width=80)
    with console.capture() as capture:
        console.print(view.render())
    return capture.get().splitlines()


def test_the_newest_moment_is_on_top_where_a_small_terminal_does_not_cut_it_off() -> None:
    view = HostView()
    for number in range(30):
        live_through(view, number, "observe", "calm: observe.")
    loads = [line.split("│")[1].strip() for line in shown(view) if line.startswith("│ ") and "." in line[:7]]
    assert loads == [f"{number:.2f}" for number in range(29, 9, -1)]


def test_an_act_that_its_reason_names_is_told_once() -> None:
    view = HostView()
    live_through(view, 0, "throttle", "The host seems strained (50%): throttle.")
    live_through(view, 1, "alert", "tier 1's answer stands in")
    told = [moment.told for moment in view.moments]
    assert told == ["The host seems strained (50%): throttle.", "alert: tier 1's answer stands in"]


def test_the_table_fits_a_terminal_of_80_columns_and_no_heading_is_cut_off() -> None:
    view = HostView()
    live_through(view, 0, "throttle", "The host seems strained (50%): throttle.")
    lines = shown(view)
    assert "norepinephrine" in lines[2]
    assert all(line.endswith("│") for line in lines if line.startswith("│"))
    assert max(map(len, lines)) <= 80
