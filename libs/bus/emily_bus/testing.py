"""A real router for tests and benchmarks."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence

START_TIMEOUT_S = 10.0


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
