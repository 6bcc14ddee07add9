"""`emily memory`: look at what she remembers, and why she recalls it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from emily_contracts import Recall, RecallRequest
from emily_contracts.curation import ListRequest, Page, ShowRequest, StatsRequest
from emily_contracts.topics import LIST_MEMORIES, MEMORY_HISTORY, MEMORY_STATS, RECALL, SHOW_MEMORY

from emily import memory_changes, memory_files, memory_migrate, memory_upkeep, memory_view
from emily.bus_ask import made
from emily.console import DEFAULT_STATE_DIR, AsJson, StateDir, reports_errors, tell
from emily.memory_ask import (
    DEFAULT_NAMESPACE,
    Actor,
    Before,
    Identity,
    Kinds,
    Limit,
    Namespace,
    Session,
    Since,
    Weighing,
    Words,
    ask,
    moment,
    weights,
    words,
)

app = typer.Typer(
    help="Look at memories, correct them, let them go.",
    no_args_is_help=True,
    epilog='Example: [bold]emily memory search "a seven"[/]',
)

Sought = Annotated[str, typer.Argument(metavar="TEXT", help="Words, or a meaning.")]
Known = Annotated[
    bool, typer.Option("--known", help="As it was on record then, without what was learned later.")
]


@app.command()
@reports_errors
def search(
    text: Sought,
    limit: Limit = 10,
    namespace: Namespace = DEFAULT_NAMESPACE,
    kind: Kinds = None,
    actor: Actor = None,
    session: Session = None,
    context: Words = None,
    since: Since = None,
    before: Before = None,
    weight: Weighing = None,
    state_dir: StateDir = DEFAULT_STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """Recall by meaning and words, best first.

    Example: emily memory search "what is a seven" --kind episode --limit 5 --weight recency=1
    """
    chosen = _chosen(kind, actor, session, context, since, before)
    found = _recalled(
        state_dir, namespace=namespace, text=text, limit=limit, weights=weights(weight), **chosen
    )
    shown = memory_view.listed(found.episodes, scores=True)
    tell(found, shown, *memory_view.recalled(found), as_json=as_json)


@app.command()
@reports_errors
def explain(
    text: Sought,
    limit: Limit = 10,
    namespace: Namespace = DEFAULT_NAMESPACE,
    state_dir: StateDir = DEFAULT_STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """Recall, and tell what each score is the weighted sum of.

    Example: emily memory explain "what is a seven"
    """
    found = _recalled(state_dir, namespace=namespace, text=text, limit=limit, explain=True)
    tell(found, memory_view.explained(found.episodes), *memory_view.recalled(found), as_json=as_json)


@app.command("as-of")
@reports_errors
def as_of(
    time: Annotated[str, typer.Argument(metavar="TIME", help="Such as 2026-01-31 or 2026-01-31T12:30Z.")],
    text: Annotated[str | None, typer.Argument(metavar="[TEXT]", help="Words, or a meaning.")] = None,
    known: Known = False,
    limit: Limit = 10,
    namespace: Namespace = DEFAULT_NAMESPACE,
    state_dir: StateDir = DEFAULT_STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """What held in the world at a time: recalled for a text, or the newest of it.

    Example: emily memory as-of 2026-01-31 "where is the key"
    """
    at = moment(time, "TIME")
    times = {"as_of": at, "known_at": at if known else None}
    found: Recall | Page
    if text is None:
        found = _listed(state_dir, namespace=namespace, limit=limit, **times)
        table = memory_view.listed(found.memories)
    else:
        found = _recalled(state_dir, namespace=namespace, text=text, limit=limit, **times)
        table = memory_view.listed(found.episodes, scores=True)
    tell(found, table, as_json=as_json)


@app.command("list")
@reports_errors
def list_memories(
    limit: Limit = 20,
    after: Annotated[str | None, typer.Option(help="`next` of the page before.")] = None,
    archived: Annotated[
        bool, typer.Option("--forgotten", help="What is forgotten and not yet purged.")
    ] = False,
    namespace: Namespace = DEFAULT_NAMESPACE,
    kind: Kinds = None,
    actor: Actor = None,
    session: Session = None,
    context: Words = None,
    since: Since = None,
    before: Before = None,
    state_dir: StateDir = DEFAULT_STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """List memories, newest first.

    Example: emily memory list --actor ann --from 2026-01-01
    """
    chosen = _chosen(kind, actor, session, context, since, before)
    page = _listed(state_dir, namespace=namespace, limit=limit, after=after, archived=archived, **chosen)
    more = () if page.next is None else (f"There are more: --after {page.next}",)
    tell(page, memory_view.listed(page.memories), *more, as_json=as_json)


@app.command()
@reports_errors
def show(
    memory_id: Identity,
    namespace: Namespace = DEFAULT_NAMESPACE,
    state_dir: StateDir = DEFAULT_STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """Show one memory with its record, whatever became of it.

    Example: emily memory show 019b76da-abe8-7000-8000-000000000001
    """
    request = made(ShowRequest, namespace=namespace, id=memory_id)
    memory = ask(state_dir, SHOW_MEMORY, request)
    tell(memory, memory_view.shown(memory), as_json=as_json)


@app.command()
@reports_errors
def history(
    memory_id: Identity,
    namespace: Namespace = DEFAULT_NAMESPACE,
    state_dir: StateDir = DEFAULT_STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """Show all versions of a memory, oldest first, and what was done to them.

    Example: emily memory history 019b76da-abe8-7000-8000-000000000001
    """
    request = made(ShowRequest, namespace=namespace, id=memory_id)
    versions = ask(state_dir, MEMORY_HISTORY, request)
    tell(versions, memory_view.told(versions), as_json=as_json)


@app.command()
@reports_errors
def stats(
    namespace: Annotated[
        str | None, typer.Option("--namespace", "-n", help="Of which; of all by default.")
    ] = None,
    state_dir: StateDir = DEFAULT_STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """Count what is remembered, and in which embedding spaces.

    Example: emily memory stats --json
    """
    request = made(StatsRequest, namespace=namespace)
    counted = ask(state_dir, MEMORY_STATS, request)
    tell(counted, memory_view.counted(counted), as_json=as_json)


memory_changes.register(app)
memory_files.register(app)
memory_upkeep.register(app)
memory_migrate.register(app)


def _chosen(
    kind: list[str] | None,
    actor: str | None,
    session: str | None,
    context: list[str] | None,
    since: str | None,
    before: str | None,
) -> dict[str, Any]:
    return {
        "kinds": kind or (),
        "actor": actor,
        "session": session,
        "context": words(context),
        "occurred_from": moment(since, "--from"),
        "occurred_before": moment(before, "--before"),
    }


def _recalled(state_dir: Path, **fields: Any) -> Recall:
    return ask(state_dir, RECALL, made(RecallRequest, **fields))


def _listed(state_dir: Path, **fields: Any) -> Page:
    return ask(state_dir, LIST_MEMORIES, made(ListRequest, **fields))
