"""`emily memory edit`, `supersede`, `forget`, `restore` and `erase`: memories in people's hands."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from emily_contracts.curation import (
    EditRequest,
    EraseRequest,
    ForgetRequest,
    Memory,
    SupersedeRequest,
)
from emily_contracts.topics import EDIT_MEMORY, ERASE_ACTOR, FORGET_MEMORY, SUPERSEDE_MEMORY

from emily import memory_view
from emily.console import DEFAULT_STATE_DIR, AsJson, StateDir, progress_bar, reports_errors, tell
from emily.errors import CommandError, PartialAnswer
from emily.memory_ask import (
    DEFAULT_NAMESPACE,
    Identity,
    Namespace,
    Reason,
    ask,
    ask_to_the_end,
    moment,
    said,
    words,
)

UNSET: dict[str, Any] = {
    "actor": None,
    "valence": None,
    "arousal": None,
    "dominance": None,
    "expires_at": None,
    "context": {},
}
"""What `--clear` makes of a field."""
ERASED = ("memories", "derived", "vectors")
"""What an erasure counts."""


@reports_errors
def edit(
    memory_id: Identity,
    content: Annotated[str | None, typer.Option(help="What is true.")] = None,
    kind: Annotated[str | None, typer.Option(help="What it is.")] = None,
    actor: Annotated[str | None, typer.Option(help="About or from whom.")] = None,
    importance: Annotated[float | None, typer.Option(help="0 to 1.")] = None,
    valence: Annotated[float | None, typer.Option(help="-1 to 1.")] = None,
    arousal: Annotated[float | None, typer.Option(help="0 to 1.")] = None,
    dominance: Annotated[float | None, typer.Option(help="-1 to 1.")] = None,
    context: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=WORD", help="All words that it has from now on; repeatable."),
    ] = None,
    pin: Annotated[
        bool | None, typer.Option("--pin/--no-pin", help="Never to be forgotten by itself.")
    ] = None,
    expires: Annotated[str | None, typer.Option(metavar="TIME", help="When it may be forgotten.")] = None,
    clear: Annotated[
        list[str] | None, typer.Option(metavar="FIELD", help=f"Unknown from now on: {', '.join(UNSET)}.")
    ] = None,
    reason: Reason = "",
    namespace: Namespace = DEFAULT_NAMESPACE,
    state_dir: StateDir = DEFAULT_STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """Correct a memory that was wrong; the old version stays in its history.

    Example: emily memory edit 019b76da-abe8-7000-8000-000000000001 --content "the key is in the hall"
    """
    given: dict[str, Any] = {
        "content": content,
        "kind": kind,
        "actor": actor,
        "importance": importance,
        "valence": valence,
        "arousal": arousal,
        "dominance": dominance,
        "context": words(context) if context else None,
        "pinned": pin,
        "expires_at": moment(expires, "--expires"),
    }
    fields = {name: value for name, value in given.items() if value is not None}
    for name in clear or ():
        if name not in UNSET:
            raise CommandError(f"--clear {name}: can't be unknown", f"choose from {', '.join(UNSET)}")
        fields[name] = UNSET[name]
    request = said(EditRequest, namespace=namespace, memory_id=memory_id, reason=reason, **fields)
    _tell(ask(state_dir, EDIT_MEMORY, request), "corrected", as_json)


@reports_errors
def supersede(
    memory_id: Identity,
    content: Annotated[str, typer.Argument(metavar="CONTENT", help="What holds from now on.")],
    since: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="Since when it holds; now by default.")
    ] = None,
    reason: Reason = "",
    namespace: Namespace = DEFAULT_NAMESPACE,
    state_dir: StateDir = DEFAULT_STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """Say what holds from now on; the old memory held until then.

    Example: emily memory supersede 019b76da-abe8-7000-8000-000000000001 "the key is in the car"
    """
    request = said(
        SupersedeRequest,
        namespace=namespace,
        memory_id=memory_id,
        content=content,
        valid_from=moment(since, "--from"),
        reason=reason,
    )
    _tell(ask(state_dir, SUPERSEDE_MEMORY, request), "superseded", as_json)


@reports_errors
def forget(
    memory_id: Identity,
    reason: Reason = "",
    namespace: Namespace = DEFAULT_NAMESPACE,
    state_dir: StateDir = DEFAULT_STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """Forget a memory; until it is purged, restore brings it back.

    Example: emily memory forget 019b76da-abe8-7000-8000-000000000001 --reason "not hers to keep"
    """
    request = said(ForgetRequest, namespace=namespace, memory_id=memory_id, reason=reason)
    _tell(ask(state_dir, FORGET_MEMORY, request), "forgotten", as_json)


@reports_errors
def restore(
    memory_id: Identity,
    reason: Reason = "",
    namespace: Namespace = DEFAULT_NAMESPACE,
    state_dir: StateDir = DEFAULT_STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """Bring back what was forgotten and is not yet purged.

    Example: emily memory restore 019b76da-abe8-7000-8000-000000000001
    """
    request = said(ForgetRequest, namespace=namespace, memory_id=memory_id, restore=True, reason=reason)
    _tell(ask(state_dir, FORGET_MEMORY, request), "restored", as_json)


@reports_errors
def erase(
    actor: Annotated[str, typer.Argument(metavar="ACTOR", help="Whom to erase.")],
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask; --json only counts without it.")] = False,
    namespace: Namespace = DEFAULT_NAMESPACE,
    state_dir: StateDir = DEFAULT_STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """Remove everything about an actor for good, with all that was derived from it, and look again.

    Counts first and asks. What was removed before a Ctrl-C stays removed; ask again for the rest. Exit 6 when
    something is left.

    Example: emily memory erase ann
    """
    dry = ask(state_dir, ERASE_ACTOR, said(EraseRequest, namespace=namespace, actor=actor))
    if not (as_json and yes):
        tell(dry, memory_view.erased(dry, actor), as_json=as_json)
    if (as_json and not yes) or (not as_json and not dry.memories):
        return
    if not yes:
        typer.confirm("This can't be undone. Remove it for good?", abort=True, err=True)
    request = said(EraseRequest, namespace=namespace, actor=actor, dry_run=False)
    with progress_bar(quiet=as_json) as progress:
        done = ask_to_the_end(state_dir, ERASE_ACTOR, request, ERASED, progress)
    tell(done, memory_view.erased(done, actor), as_json=as_json)
    if done.left:
        raise PartialAnswer(f"{done.left} are left of {actor}", "run the command again")


def register(app: typer.Typer) -> None:
    """Add these commands to those of memory."""
    for command in (edit, supersede, forget, restore, erase):
        app.command()(command)


def _tell(memory: Memory, did: str, as_json: bool) -> None:
    tell(memory, memory_view.shown(memory), f"{did}: {memory.id}", as_json=as_json)
