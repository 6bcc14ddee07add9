"""How commands speak: Rich for a person, JSON for a script, one shape of error for both."""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from emily_runtime.errors import TrailBroken
from rich.console import Console, RenderableType
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from emily.errors import CommandError
from emily.launch import Progress as Told

out = Console()
err = Console(stderr=True)

StateDir = Annotated[
    Path, typer.Option("--state-dir", envvar="EMILY_HOME", help="Where Emily keeps what she remembers.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a script.")]

DEFAULT_STATE_DIR = Path(".emily")


def reports_errors[**P](command: Callable[P, None]) -> Callable[P, None]:
    """A command that turns a `CommandError` into a message on stderr and its exit code.

    An audit trail that was changed is told too, whatever command comes upon it.
    """

    @functools.wraps(command)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except (CommandError, TrailBroken) as raised:
            failure = raised if isinstance(raised, CommandError) else CommandError(str(raised))
            if kwargs.get("as_json"):
                print_json({"error": failure.message, "remedy": failure.remedy})
            err.print(f"[bold red]error:[/] {escape(failure.message)}", highlight=False, soft_wrap=True)
            if failure.remedy:
                err.print(f"[bold]what to do:[/] {escape(failure.remedy)}", highlight=False, soft_wrap=True)
            raise typer.Exit(failure.code) from None

    return guarded


def print_json(value: Any) -> None:
    """One JSON document on one line of stdout."""
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
    sys.stdout.flush()


def tell(answer: Any, *shown: RenderableType, as_json: bool) -> None:
    """A command's answer: itself for a script, else what a person is shown of it, sentences unbroken."""
    if as_json:
        print_json(answer)
        return
    for each in shown:
        if isinstance(each, str):
            out.print(each, highlight=False, markup=False, soft_wrap=True)
        else:
            out.print(each)


@contextlib.contextmanager
def progress_bar(*, quiet: bool = False) -> Iterator[Told]:
    """A bar on stderr that follows (title, done, total); lines where there is no terminal."""
    if quiet or not err.is_terminal:
        last = ""

        def say(title: str, done: int, total: int) -> None:
            nonlocal last
            if not quiet and title != last:
                err.print(f"[{done}/{total}] {title}", markup=False, highlight=False)
                last = title

        yield say
        return
    columns = (
        SpinnerColumn(),
        BarColumn(bar_width=24),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task("starting")

        def follow(title: str, done: int, total: int) -> None:
            bar.update(task, description=title, completed=done, total=total)

        yield follow
