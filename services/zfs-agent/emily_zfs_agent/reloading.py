"""Takes up a desired state that was changed; while it is wrong, the one before stays in force."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import anyio
from emily_runtime.logs import get_logger

from emily_zfs_agent import desired
from emily_zfs_agent.board import Board
from emily_zfs_agent.errors import DesiredStateError
from emily_zfs_agent.metrics import Metrics

_log = get_logger(__name__)


class Reloading:
    """Of one file.

    Args:
        file: The desired state.
        board: Says what is in force.
        metrics: Count what was refused.
        met: Told whether what is in the file is in force.
    """

    def __init__(self, file: Path, board: Board, metrics: Metrics, met: Callable[[bool], None]) -> None:
        self._file = file
        self._board = board
        self._metrics = metrics
        self._met = met

    async def run(self, look_every_s: float) -> None:
        """Look again and again, and at once when SIGHUP comes, for ever."""
        with anyio.open_signal_receiver(signal.SIGHUP) as hangups:
            while True:
                self.look()
                with anyio.move_on_after(look_every_s):
                    await anext(hangups)

    def look(self) -> None:
        """Take up what is in the file, if it is right and another than before."""
        refused = ""
        try:
            wished = desired.read(self._file)
            if wished != self._board.desired:
                self._board.declare(wished)
                _log.info("desired state taken up", file=str(self._file))
        except DesiredStateError as failure:
            refused = str(failure)
        if refused and refused != self._board.refused:
            self._metrics.failures.labels("reload").inc()
            _log.error("desired state refused; the one before stays in force", reason=refused)
        self._board.refused = refused
        self._met(not refused)
