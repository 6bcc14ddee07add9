"""How commands of `emily memory` ask, over the bus, and what they share."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import anyio
import msgspec
import typer
from emily_contracts import Weights, uuid7
from emily_contracts.topic import Query

from emily import bus_ask, launch
from emily.bus_ask import made
from emily.errors import CommandError
from emily.launch import Progress
from emily.system import Layout

ASK_TIMEOUT_S = 35.0
DEFAULT_NAMESPACE = "mind"
"""Where she keeps what she lives through herself."""

Namespace = Annotated[str, typer.Option("--namespace", "-n", help="Whose memories.")]
Identity = Annotated[UUID, typer.Argument(metavar="ID", help="Of the memory, as the list shows it.")]
Reason = Annotated[str, typer.Option(help="Why, in your words; kept in its history.")]
Kinds = Annotated[list[str] | None, typer.Option("--kind", help="Of this kind only; repeatable.")]
Actor = Annotated[str | None, typer.Option(help="About or from whom only.")]
Session = Annotated[str | None, typer.Option(help="Of this session only.")]
Words = Annotated[
    list[str] | None, typer.Option("--context", metavar="KEY=WORD", help="With this word only; repeatable.")
]
Weighing = Annotated[
    list[str] | None,
    typer.Option("--weight", metavar="NAME=NUMBER", help="Of a component of the score; repeatable."),
]
Since = Annotated[str | None, typer.Option("--from", metavar="TIME", help="That happened then or later.")]
Before = Annotated[str | None, typer.Option("--before", metavar="TIME", help="That happened before then.")]
Limit = Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")]


def ask[Req: msgspec.Struct, Rep: msgspec.Struct](
    state_dir: Path, query: Query[Req, Rep], request: Req, *, timeout_s: float = ASK_TIMEOUT_S
) -> Rep:
    """What memory answers.

    Raises:
        NotUp: Emily is not up, or nobody serves memory.
        CommandError: It refused, or did not answer in time.
    """
    return anyio.run(partial(asked, running(state_dir), query, request, timeout_s=timeout_s))


def ask_to_the_end[Req: msgspec.Struct, Rep: msgspec.Struct](
    state_dir: Path, query: Query[Req, Rep], request: Req, counts: Sequence[str], progress: Progress
) -> Rep:
    """What memory answers, asked again as long as there is `more` to do.

    Args:
        state_dir: Of Emily.
        query: That may answer before the end.
        request: Asked each time.
        counts: Fields of the answers that are added up, first what is told as progress.
        progress: Is told how far it came.

    Raises:
        NotUp: Emily is not up, or nobody serves memory.
        CommandError: It refused, or did not answer in time; what it did by then stays done.
    """
    sums = dict.fromkeys(counts, 0)
    while True:
        done: Any = ask(state_dir, query, request)
        sums = {name: number + getattr(done, name) for name, number in sums.items()}
        if not done.more:
            answer: Rep = msgspec.structs.replace(done, **sums)
            return answer
        progress(", ".join(f"{name}: {number}" for name, number in sums.items()), 0, 0)


async def asked[Req: msgspec.Struct, Rep: msgspec.Struct](
    layout: Layout, query: Query[Req, Rep], request: Req, *, timeout_s: float = ASK_TIMEOUT_S
) -> Rep:
    """What the memory of a running Emily answers.

    Raises:
        NotUp: Nobody serves memory.
        CommandError: It refused, or did not answer in time.
    """
    return await bus_ask.asked(
        layout,
        query,
        request,
        namespace=f"emily/{layout.colour}",
        service="memory",
        remedy="look at it with: emily status",
        timeout_s=timeout_s,
    )


def running(state_dir: Path) -> Layout:
    """Of the Emily that is up.

    Raises:
        NotUp: She is not.
    """
    return launch.require_running(Layout(state_dir=state_dir.absolute())).layout


def said[S: msgspec.Struct](type: type[S], **fields: Any) -> S:
    """A request with an envelope, that a person makes now.

    Raises:
        CommandError: A field does not fit.
    """
    at = datetime.now(UTC)
    identity = uuid7(at)
    return made(type, id=identity, at=at, stimulus_id=identity, **fields)


def moment(text: str | None, option: str) -> datetime | None:
    """A time that a person typed; of this machine's zone unless it names one.

    Raises:
        CommandError: It is none.
    """
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
        return at if at.tzinfo is not None else at.astimezone()
    except (ValueError, OverflowError):
        raise CommandError(
            f"{option} {text}: is not a time", "such as 2026-01-31, 2026-01-31T12:30 or 2026-01-31T12:30Z"
        ) from None


def words(pairs: list[str] | None) -> dict[str, str]:
    """Words by key, as a person typed them.

    Raises:
        CommandError: One is not KEY=WORD.
    """
    found = {}
    for pair in pairs or ():
        key, equals, word = pair.partition("=")
        if not key or not equals:
            raise CommandError(f"--context {pair}: is not KEY=WORD", "such as --context room=hall")
        found[key] = word
    return found


def weights(pairs: list[str] | None) -> Weights | None:
    """Of the components, as a person typed some of them; the others are the usual ones.

    Raises:
        CommandError: There is no such component, or its weight is no number that fits.
    """
    if not pairs:
        return None
    given = {}
    for pair in pairs:
        name, _, number = pair.partition("=")
        if name not in Weights.__struct_fields__:
            raise CommandError(
                f"--weight {pair}: there is no {name or 'component'} in a score",
                f"choose from {', '.join(Weights.__struct_fields__)}, such as lexical=1",
            )
        try:
            given[name] = float(number)
        except ValueError:
            raise CommandError(f"--weight {pair}: is not NAME=NUMBER", "such as lexical=1") from None
    return made(Weights, **given)
