"""`emily replay`: run a recorded stream again and report the first difference."""

from __future__ import annotations

import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import anyio
import msgspec
import typer
from emily_bus import AskRefused, Bus, Subscription
from emily_contracts import Decision, Episode, Overflow, Recall, RecallRequest
from emily_contracts.topics import DECISION, OUTCOME, RECALL, STIMULUS
from emily_runtime.stacks import Stack, write_stacks

from emily import launch
from emily.bus import settings as bus_settings
from emily.console import DEFAULT_STATE_DIR, AsJson, StateDir, out, print_json, progress_bar, reports_errors
from emily.errors import CommandError, PartialAnswer
from emily.launch import Progress
from emily.recording import BUFFER, Header, Record, checkpoint, read
from emily.system import Layout, free_port

STALLED_S = 10.0
PATIENCE = {"EMILY_INFERENCE_RECALL_TIMEOUT_S": "5"}
"""What memory answered then is waited for, however busy this machine is."""
POLL_S = 0.001


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """The first decision that came out otherwise."""

    position: int
    stimulus_id: UUID
    field: str
    recorded: str
    replayed: str


class ReplayReport(msgspec.Struct, frozen=True, kw_only=True):
    """What `emily replay --json` prints."""

    decisions: int
    compared: int
    difference: Difference | None


@reports_errors
def replay(
    file: Annotated[Path, typer.Argument(help="A recording of: emily perceive digits --record FILE")],
    state_dir: StateDir = DEFAULT_STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """Run a recorded stream through a fresh system and compare every decision, bit for bit.

    Exit 6 on a difference.

    Example: emily replay looks.emily
    """
    header, records = read(file)
    with (
        tempfile.TemporaryDirectory(prefix="emily-replay-") as folder,
        progress_bar(quiet=as_json) as progress,
    ):
        launch.prepare(Layout(state_dir=state_dir.absolute(), seed=header.seed), progress)
        layout = Layout(
            state_dir=Path(folder),
            bus_port=free_port(),
            http_port=free_port(),
            seed=header.seed,
            ablate=header.ablate,
            memory=False,
            delivery=False,
        )
        layout.models.symlink_to(Layout(state_dir=state_dir.absolute()).models)
        _remember(layout, header)
        write_stacks(layout.state_dir, (Stack(colour=layout.colour, settings=PATIENCE),))
        with launch.temporarily(layout, progress):
            replayed = anyio.run(_again, layout, records, progress)
    report = _compare(records, replayed)
    if as_json:
        print_json(report)
    elif report.difference is None:
        out.print(f"{report.compared} decisions came out the same, bit for bit.")
    if report.difference is not None:
        first = report.difference
        raise PartialAnswer(
            f"decision {first.position} (stimulus {first.stimulus_id}) differs in {first.field}:\n"
            f"  recorded {first.recorded}\n  replayed {first.replayed}",
            "compare code_version and model_hash of the two; they name what changed",
        )


def _remember(layout: Layout, header: Header) -> None:
    for service, data in header.checkpoints.items():
        path = checkpoint(layout, service)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.write_bytes(data)


async def _again(layout: Layout, records: list[Record], progress: Progress) -> dict[UUID, Decision]:
    expected = {record.decision.stimulus_id for record in records if record.decision is not None}
    replayed: dict[UUID, Decision] = {}
    bus = bus_settings(layout)
    async with (
        Bus.open(bus, namespace=f"emily/{layout.colour}", name="replay") as colour,
        colour.subscribe(DECISION, overflow=Overflow.DROP_OLDEST, buffer=BUFFER) as decisions,
        colour.serve(RECALL, _Remembrance(records).answer),
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(_collect, decisions, replayed)
        for record in records:
            await _send(colour, record)
            if record.stimulus is not None and record.stimulus.id in expected:
                await _until_decided(record.stimulus.id, replayed)
                progress("replaying", len(replayed), len(expected))
        tasks.cancel_scope.cancel()
    return replayed


class _Remembrance:
    """Memory as it answered when the stream was recorded."""

    def __init__(self, records: list[Record]) -> None:
        self._recalled = {
            record.decision.stimulus_id: record.decision
            for record in records
            if record.decision is not None and record.decision.recalled is not None
        }

    async def answer(self, request: RecallRequest) -> Recall:
        """What came to mind then, in its order."""
        decision = None if request.stimulus_id is None else self._recalled.get(request.stimulus_id)
        if decision is None:
            raise AskRefused("stimulus_id: nothing that was recalled for it is on record")
        episodes = tuple(
            Episode(
                id=each.id,
                occurred_at=decision.at + place * timedelta(microseconds=1),
                content="",
                context={"truth": each.truth},
            )
            for place, each in enumerate(decision.recalled or ())
        )
        return Recall(episodes=episodes, path="replay")


async def _send(colour: Bus, record: Record) -> None:
    if record.stimulus is not None:
        await colour.publish(STIMULUS, record.stimulus)
    if record.outcome is not None:
        await colour.publish(OUTCOME, record.outcome)


async def _collect(decisions: Subscription, replayed: dict[UUID, Decision]) -> None:
    async for decision in decisions:
        replayed[decision.stimulus_id] = decision


async def _until_decided(stimulus: UUID, replayed: dict[UUID, Decision]) -> None:
    """One after the other: a mind recalls only while nothing waits."""
    with anyio.move_on_after(STALLED_S):
        while stimulus not in replayed:  # noqa: ASYNC110 - one reader fills it
            await anyio.sleep(POLL_S)
        return
    raise CommandError(
        f"no decision for {STALLED_S:g} s after {len(replayed)}", "look whether the recording is whole"
    )


def _compare(records: list[Record], replayed: dict[UUID, Decision]) -> ReplayReport:
    recorded = [record.decision for record in records if record.decision is not None]
    compared = 0
    for position, decision in enumerate(recorded):
        again = replayed.get(decision.stimulus_id)
        if again is None:
            continue
        compared += 1
        for field in decision.__struct_fields__:
            before, after = getattr(decision, field), getattr(again, field)
            if before != after:
                difference = Difference(
                    position=position,
                    stimulus_id=decision.stimulus_id,
                    field=field,
                    recorded=_text(before),
                    replayed=_text(after),
                )
                return ReplayReport(decisions=len(recorded), compared=compared, difference=difference)
    if compared < len(recorded):
        raise CommandError(f"{len(recorded) - compared} decisions were not replayed", "record again")
    return ReplayReport(decisions=len(recorded), compared=compared, difference=None)


def _text(value: Any) -> str:
    return msgspec.json.encode(value).decode()
