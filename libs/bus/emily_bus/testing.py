"""A real router, and a message to count with, for tests and benchmarks."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Any

import anyio
from emily_contracts import Message, uuid7

from emily_bus.session import Bus
from emily_bus.subscription import Subscription

START_TIMEOUT_S = 10.0
TAKE_TIMEOUT_S = 10.0

type OpenBus = Callable[..., AbstractAsyncContextManager[Bus]]
"""Opens a session; what a fixture gives to tests."""


class Numbered(Message, frozen=True, kw_only=True):
    """A message whose order and content are easy to check."""

    lane: str
    number: int
    text: str = ""


def numbered(number: int, *, lane: str = "a", text: str = "") -> Numbered:
    """The message of that number; its id follows from it."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    identity = uuid7(at, number.to_bytes(10))
    return Numbered(id=identity, at=at, stimulus_id=identity, lane=lane, number=number, text=text)


def free_endpoint(kind: str = "tcp") -> str:
    """An endpoint on loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"{kind}/127.0.0.1:{probe.getsockname()[1]}"


def start_router(endpoint: str, options: Sequence[str] = ()) -> subprocess.Popen[bytes]:
    """A router process that listens.

    Raises:
        TimeoutError: It did not listen within 10 s.
        RuntimeError: It ended at once.
    """
    process = subprocess.Popen(  # noqa: S603
        (sys.executable, "-m", "emily_bus.router", "--listen", endpoint, *options),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    host, _, port = endpoint.partition("/")[2].rpartition(":")
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the router ended with {process.returncode}; is {endpoint} taken?")
        with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=0.2):
            return process
        time.sleep(0.01)
    process.kill()
    raise TimeoutError(f"no router on {endpoint} within {START_TIMEOUT_S:g} s")


def ended_router(*options: str) -> subprocess.CompletedProcess[str]:
    """What a router said that ends at once, such as for a wrong option."""
    return subprocess.run(  # noqa: S603
        (sys.executable, "-m", "emily_bus.router", *options),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=2 * START_TIMEOUT_S,
        check=False,
    )


@contextlib.contextmanager
def router(options: Sequence[str] = (), kind: str = "tcp") -> Iterator[str]:
    """A router of its own for the length of the block; gives its endpoint."""
    endpoint = free_endpoint(kind)
    process = start_router(endpoint, options)
    try:
        yield endpoint
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


async def take(events: Subscription, count: int) -> list[Any]:
    """The next messages of a subscription.

    Raises:
        TimeoutError: They did not come within 10 s.
    """
    messages: list[Any] = []
    with anyio.fail_after(TAKE_TIMEOUT_S):
        async for message in events:
            messages.append(message)
            if len(messages) == count:
                break
    return messages
