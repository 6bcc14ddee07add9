"""`emily memory reembed` and `consolidate`: how memory is kept in order, when a person asks."""

from __future__ import annotations

from typing import Annotated, Any

import anyio
import typer
from emily_bus import AskError, Bus, BusSettings, NoResponder
from emily_contracts.topic import AnyQuery
from emily_contracts.topics import CONSOLIDATE, DROP_RETIRED, REEMBED
from emily_contracts.upkeeping import (
    ConsolidateRequest,
    Consolidation,
    DropRetired,
    DropRetiredRequest,
    Reembedding,
    ReembedRequest,
)

from emily import launch
from emily.console import DEFAULT_STATE_DIR, AsJson, StateDir, out, print_json, progress_bar, reports_errors
from emily.errors import CommandError, NotUp
from emily.launch import Progress
from emily.system import Layout

POLL_S = 0.5
BEGIN_TIMEOUT_S = 120.0
ASK_TIMEOUT_S = 30.0
CONSOLIDATE_TIMEOUT_S = 3600.0


@reports_errors
def reembed(
    to: Annotated[
        str | None, typer.Option(help="Embedder to move to: minilm, e5, http or hashing.", metavar="SPACE")
    ] = None,
    drop_retired: Annotated[
        bool, typer.Option("--drop-retired", help="Then remove the vectors of former spaces.")
    ] = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """Move memory to another embedding space, or follow a move; the old space answers until it is over.

    Ctrl-C only stops watching: the move goes on.

    Example: emily memory reembed --to e5
    """
    layout = launch.require_running(Layout(state_dir=state_dir.absolute())).layout
    with progress_bar(quiet=as_json) as progress:
        moved = anyio.run(_moved, layout, to, progress)
    dropped = DropRetired(spaces=())
    if drop_retired:
        dropped = anyio.run(_ask, layout, DROP_RETIRED, DropRetiredRequest(), ASK_TIMEOUT_S)
    if as_json:
        print_json({"space": moved.space, "memories": moved.total, "dropped": dropped.spaces})
        return
    out.print(f"{moved.space} answers for {moved.total} memories.", highlight=False)
    for space in dropped.spaces:
        out.print(f"removed {space}", highlight=False)


@reports_errors
def consolidate(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
    namespace: Annotated[str | None, typer.Option(help="Of which; of all by default.")] = None,
    state_dir: StateDir = DEFAULT_STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """Merge near-duplicates and sum up old sessions; what is merged can be restored.

    Example: emily memory consolidate --dry-run
    """
    layout = launch.require_running(Layout(state_dir=state_dir.absolute())).layout
    request = ConsolidateRequest(namespace=namespace, dry_run=dry_run)
    done: Consolidation = anyio.run(_ask, layout, CONSOLIDATE, request, CONSOLIDATE_TIMEOUT_S)
    if as_json:
        print_json(done)
        return
    would = "would be " if dry_run else ""
    out.print(
        f"{done.merged} of {done.compared} compared memories {would}merged into another,"
        f" {done.summed_up} {would}summed up in {done.summaries} summaries.",
        highlight=False,
        soft_wrap=True,
    )
    if done.deaf:
        out.print(f"{done.deaf} sessions wait for the embedder; try again later.", highlight=False)


def register(app: typer.Typer) -> None:
    """Add both commands to the commands of memory."""
    app.command()(reembed)
    app.command()(consolidate)


async def _moved(layout: Layout, to: str | None, progress: Progress) -> Reembedding:
    """A move, once it is over."""
    far: Reembedding = await _ask(layout, REEMBED, ReembedRequest(to=to), BEGIN_TIMEOUT_S)
    while far.state == "building":
        progress(f"embedding for {far.space}: {far.done} of {far.total}", far.done, far.total)
        await anyio.sleep(POLL_S)
        far = await _ask(layout, REEMBED, ReembedRequest(), ASK_TIMEOUT_S)
    return far


async def _ask(layout: Layout, query: AnyQuery, request: Any, timeout_s: float) -> Any:
    """What memory answers.

    Raises:
        NotUp: Nobody serves memory.
        CommandError: It refused, or did not answer in time.
    """
    bus = BusSettings(endpoint=layout.bus_endpoint)
    async with Bus.open(bus, namespace=f"emily/{layout.colour}", name="upkeep") as colour:
        try:
            return await colour.ask(query, request, timeout=timeout_s)
        except NoResponder:
            raise NotUp("memory is not up", "look at it with: emily status") from None
        except AskError as refusal:
            raise CommandError(str(refusal), "look at the log of memory, or ask again") from None
