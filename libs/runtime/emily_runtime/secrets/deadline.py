"""A deadline for calls that know none."""

from __future__ import annotations

import threading
from collections.abc import Callable


def within[T](deadline_s: float, work: Callable[[], T], *, name: str) -> T:
    """What the work gives or raises, if it does in time; else its thread is left behind and ends by itself.

    Looking up a host name, a handshake and a trickle of bytes all find ways around the time-out of a socket.

    Raises:
        TimeoutError: It was not done in time.
    """
    results: list[T] = []
    failures: list[Exception] = []

    def run() -> None:
        try:
            results.append(work())
        except Exception as failure:
            failures.append(failure)

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    thread.join(deadline_s)
    if failures:
        raise failures[0]
    if not results:
        raise TimeoutError(f"{name}: not done within {deadline_s:g} s")
    return results[0]
