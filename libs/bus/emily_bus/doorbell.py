"""Wakes a task on the loop from Zenoh's threads, with less delay than `call_soon_threadsafe`.

That one makes a handle, copies a context and sends on a socket, and an `asyncio.Event` resumes its waiter one
turn of the loop later. Here one byte in a pipe resumes it in the turn in which the loop hears it.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Generator
from contextvars import Context
from typing import Any, Self


class Doorbell:
    """A pipe that one task waits on and any thread rings.

    It stands in for a future (`asyncio.isfuture`) whose callback runs at once instead of in the next turn.
    """

    _asyncio_future_blocking = False

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ear, self._button = os.pipe()
        os.set_blocking(self._ear, False)
        os.set_blocking(self._button, False)
        self._resume: tuple[Callable[[Any], None], Context] | None = None
        self._closed = False
        self._mutex = threading.Lock()
        self._loop.add_reader(self._ear, self._hear)

    def ring(self) -> None:
        """Wake the waiting task; never blocks, and does nothing after the close."""
        with self._mutex:
            if not self._closed:
                os.write(self._button, b"!")

    def __await__(self) -> Generator[Self, None, None]:
        """Suspend the task until the next ring."""
        self._asyncio_future_blocking = True
        yield self

    def close(self) -> None:
        """Give the pipe back and wake the waiting task a last time."""
        with self._mutex:
            if self._closed:
                return
            self._closed = True
            self._loop.remove_reader(self._ear)
            os.close(self._ear)
            os.close(self._button)
        self._loop.call_soon(self._answer)

    def _hear(self) -> None:
        # Reading lets the ringing thread have the interpreter, so only after the task had its turn; and one
        # byte, since more may be a ring that the task has still to hear.
        self._answer()
        if not self._closed:
            os.read(self._ear, 1)

    def _answer(self) -> None:
        if self._resume is not None:
            (resume, context), self._resume = self._resume, None
            context.run(resume, self)

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """The loop it belongs to."""
        return self._loop

    def done(self) -> bool:
        """Whether no task waits."""
        return self._resume is None

    def add_done_callback(self, resume: Callable[[Any], None], *, context: Context) -> None:
        """Called by the task that waits."""
        self._resume = (resume, context)

    def cancel(self, msg: object = None) -> bool:
        """Called by the task when it is cancelled: it resumes to find that out."""
        self._loop.call_soon(self._answer)
        return False

    def result(self) -> None:
        """Called by the task when it resumes."""
