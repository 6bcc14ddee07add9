"""`emily memory export` and `import`: a namespace as a file, over HTTP."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Annotated, Any
from urllib.parse import urlencode, urlsplit

import typer

from emily.console import DEFAULT_STATE_DIR, AsJson, StateDir, progress_bar, reports_errors, tell
from emily.errors import CommandError, NotUp
from emily.memory_ask import DEFAULT_NAMESPACE, Namespace, running
from emily.system import Layout, parts

CHUNK = 2**18
TIMEOUT_S = 120.0
COMPRESSED = ".zst"


@reports_errors
def export(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help=f"To write; compressed when it ends {COMPRESSED}.")
    ],
    namespace: Namespace = DEFAULT_NAMESPACE,
    state_dir: StateDir = DEFAULT_STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """Write a namespace to a file, in every version, with its vectors; import reads it.

    Example: emily memory export mind.jsonl.zst
    """
    query = {"namespace": namespace, "compression": "zstd" if file.suffix == COMPRESSED else "none"}
    written = 0
    with (
        _asked(running(state_dir), "GET", f"/export?{urlencode(query)}") as answer,
        _replacing(file) as target,
        progress_bar(quiet=as_json) as progress,
    ):
        while chunk := answer.read1(CHUNK):
            target.write(chunk)
            written += len(chunk)
            progress(f"exported {written / 1e6:.0f} MB", 0, 0)
    tell({"file": str(file), "bytes": written}, f"{file}: {written / 1e6:.1f} MB", as_json=as_json)


@reports_errors
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="That export wrote, compressed or not.")],
    namespace: Annotated[
        str | None,
        typer.Option("--namespace", "-n", help="Where the memories go; by default where they come from."),
    ] = None,
    state_dir: StateDir = DEFAULT_STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """Take in the memories of a file; what is known already adds nothing.

    Example: emily memory import mind.jsonl.zst
    """
    try:
        source = file.open("rb")
    except OSError as failure:
        raise CommandError(f"{file}: {failure.strerror}", "name a file that export wrote") from None
    query = "" if namespace is None else f"?{urlencode({'namespace': namespace})}"
    with source, progress_bar(quiet=as_json) as progress:
        size = os.fstat(source.fileno()).st_size

        def chunks() -> Iterator[bytes]:
            while chunk := source.read(CHUNK):
                progress("importing", source.tell(), size)
                yield chunk

        with _asked(running(state_dir), "POST", f"/import{query}", chunks(), size) as answer:
            done: dict[str, int] = json.loads(answer.read())
    tell(
        done,
        f"{done['memories']} memories read: {done['new']} new, {done['updated']} corrected or superseded;"
        f" {done['embedded']} came with their vectors, the other new ones wait for theirs.",
        as_json=as_json,
    )


def register(app: typer.Typer) -> None:
    """Add both commands to those of memory."""
    app.command()(export)
    app.command("import")(import_)


def _address(layout: Layout) -> str:
    """Where memory serves HTTP, as it announced.

    Raises:
        NotUp: It has not.
    """
    for part in parts(layout):
        if part.name == "memory":
            with contextlib.suppress(OSError, ValueError, KeyError):
                return str(json.loads(layout.announcement(part).read_text())["http"])
    raise NotUp("memory is not up", "look at it with: emily status")


@contextlib.contextmanager
def _asked(
    layout: Layout, method: str, path: str, body: Iterator[bytes] | None = None, size: int | None = None
) -> Iterator[http.client.HTTPResponse]:
    """The answer to a request, when it is a good one.

    Raises:
        NotUp: Nobody listens.
        CommandError: It was refused, or broken off.
    """
    connection = http.client.HTTPConnection(urlsplit(_address(layout)).netloc, timeout=TIMEOUT_S)
    headers = {} if size is None else {"Content-Length": str(size)}
    try:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.request(method, f"/api/v1/memories{path}", body, headers)
        answer = connection.getresponse()
        if answer.status != 200:
            raise CommandError(_problem(answer))
        yield answer
    except ConnectionRefusedError:
        raise NotUp("memory is not up", "look at it with: emily status") from None
    except (OSError, http.client.HTTPException) as failure:
        raise CommandError(
            f"broken off: {type(failure).__name__} {failure}", "look at the log of memory, and try again"
        ) from None
    finally:
        connection.close()


def _problem(answer: http.client.HTTPResponse) -> str:
    body = answer.read()
    try:
        return str(json.loads(body)["detail"])
    except (ValueError, KeyError, TypeError):
        return f"HTTP {answer.status} {answer.reason}"


@contextlib.contextmanager
def _replacing(file: Path) -> Iterator[IO[Any]]:
    """A file that takes its name only when it is whole."""
    part = file.with_name(f"{file.name}.part")
    try:
        with part.open("wb") as target:
            part.chmod(0o600)
            yield target
            target.flush()
            os.fsync(target.fileno())
        part.replace(file)
    except OSError as failure:
        if failure.filename is None:
            raise
        raise CommandError(f"{failure.filename}: {failure.strerror}", "choose another file") from None
    finally:
        part.unlink(missing_ok=True)
