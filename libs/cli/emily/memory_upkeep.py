"""`emily memory reembed`, `consolidate` and `tidy`: how memory is kept in order, when a person asks."""

from __future__ import annotations

from typing import Annotated

import anyio
import typer
from emily_contracts.topics import CONSOLIDATE, DROP_RETIRED, REEMBED, TIDY
from emily_contracts.upkeeping import (
    ConsolidateRequest,
    DropRetired,
    DropRetiredRequest,
    Reembedding,
    ReembedRequest,
    TidyRequest,
)

from emily import memory_view
from emily.bus_ask import made
from emily.console import DEFAULT_STATE_DIR, AsJson, StateDir, progress_bar, reports_errors, tell
from emily.launch import Progress
from emily.memory_ask import ask, ask_to_the_end, asked, running
from emily.system import Layout

POLL_S = 0.5
BEGIN_TIMEOUT_S = 120.0
TIDIED = ("expired", "displaced", "outdated", "purged", "versions")
"""What a tidying counts."""

DryRun = Annotated[bool, typer.Option("--dry-run", help="Only count.")]
OfAny = Annotated[str | None, typer.Option("--namespace", "-n", help="Of which; of all by default.")]


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
    layout = running(state_dir)
    with progress_bar(quiet=as_json) as progress:
        moved = anyio.run(_moved, layout, to, progress)
    dropped = DropRetired(spaces=())
    if drop_retired:
        dropped = ask(state_dir, DROP_RETIRED, DropRetiredRequest())
    tell(
        {"space": moved.space, "memories": moved.total, "dropped": dropped.spaces},
        f"{moved.space} answers for {moved.total} memories.",
        *(f"removed {space}" for space in dropped.spaces),
        as_json=as_json,
    )


@reports_errors
def consolidate(
    dry_run: DryRun = False,
    namespace: OfAny = None,
    state_dir: StateDir = DEFAULT_STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """Merge near-duplicates and sum up old sessions; what is merged can be restored.

    Example: emily memory consolidate --dry-run
    """
    request = made(ConsolidateRequest, namespace=namespace, dry_run=dry_run)
    done = ask(state_dir, CONSOLIDATE, request)
    tell(done, *memory_view.consolidated(done, dry_run=dry_run), as_json=as_json)


@reports_errors
def tidy(
    dry_run: DryRun = False,
    namespace: OfAny = None,
    state_dir: StateDir = DEFAULT_STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """Forget what is due, and purge what was forgotten long ago.

    Memory does so by itself, within a minute. What was done before a Ctrl-C stays done.

    Example: emily memory tidy --dry-run
    """
    request = made(TidyRequest, namespace=namespace, dry_run=dry_run)
    with progress_bar(quiet=as_json) as progress:
        done = ask_to_the_end(state_dir, TIDY, request, TIDIED, progress)
    tell(done, memory_view.tidied(done), as_json=as_json)


def register(app: typer.Typer) -> None:
    """Add these commands to those of memory."""
    for command in (reembed, consolidate, tidy):
        app.command()(command)


async def _moved(layout: Layout, to: str | None, progress: Progress) -> Reembedding:
    """A move, once it is over."""
    far = await asked(layout, REEMBED, ReembedRequest(to=to), timeout_s=BEGIN_TIMEOUT_S)
    while far.state == "building":
        progress(f"embedding for {far.space}: {far.done} of {far.total}", far.done, far.total)
        await anyio.sleep(POLL_S)
        far = await asked(layout, REEMBED, ReembedRequest())
    return far
