"""What a mind remembers, kept on disk while it lives and restored at its start."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import msgspec

from emily_runtime.checkpoint import encode_state, read_checkpoint, write_atomically
from emily_runtime.errors import CheckpointError
from emily_runtime.life import Life
from emily_runtime.logs import get_logger
from emily_runtime.metrics import CheckpointMetrics
from emily_runtime.mind import Mind

_log = get_logger(__name__)

type Newest = Callable[[], msgspec.Struct]


def checkpoint_path(state_dir: Path, namespace: str, name: str) -> Path:
    """Where a mind's checkpoint lies."""
    return state_dir / "checkpoints" / namespace / f"{name}.ckpt"


class Checkpointing:
    """The checkpoint of one mind.

    Attributes:
        kept: The state on disk; the initial one while there is none.
    """

    def __init__(self, mind: Mind[Any, Any], life: Life) -> None:
        self._mind = mind
        self._life = life
        self._path = checkpoint_path(life.settings.state_dir, life.settings.namespace, mind.name)
        self._interval_s = life.settings.checkpoint_interval_s
        self._writing = anyio.Lock()
        self.kept = self._restored()
        self._metrics = CheckpointMetrics(life.registry, is_cold=lambda: bool(life.cold_start))

    async def keep_up(self, newest: Newest) -> None:
        """Write the newest state for ever, so often that none on disk gets older than the interval.

        A write begins early by as long as the last one took. A disk that fails is waited for.
        """
        took = 0.0
        while True:
            await anyio.sleep(max(self._interval_s / 2, self._interval_s - took))
            started = time.perf_counter()
            await self.try_to_keep(newest)
            took = time.perf_counter() - started

    async def try_to_keep(self, newest: Newest) -> None:
        """Write the newest state; a disk that fails is logged, and left to the next time."""
        try:
            await self.keep(newest)
        except OSError as failure:
            _log.error("checkpoint can't be written; tries again", path=str(self._path), reason=str(failure))

    async def keep(self, newest: Newest) -> None:
        """Write the newest state, unless it is the one on disk.

        Raises:
            OSError: It can't be written.
        """
        async with self._writing:
            state = newest()
            if state is self.kept:
                self._metrics.current()
                return
            started = time.perf_counter()
            try:
                size = await anyio.to_thread.run_sync(self._write, state)
            except OSError:
                self._metrics.failures.inc()
                raise
            self.kept = state
            self._metrics.written(size, time.perf_counter() - started)

    def _restored(self) -> Any:
        mind = self._mind
        try:
            state = read_checkpoint(
                self._path,
                mind.state_type,
                name=mind.name,
                version=mind.state_version,
                migrations=mind.migrations,
            )
        except CheckpointError as failure:
            self._life.cold_start = str(failure)
            _log.error("checkpoint refused, starts from nothing", path=str(self._path), reason=str(failure))
            return mind.started_cold(mind.initial(), str(failure))
        if state is None:
            return mind.initial()
        age_s = round(max(0.0, time.time() - self._path.stat().st_mtime), 3)
        self._life.restored_age_s = age_s
        _log.info(
            "goes on from a checkpoint; what was lived through after it was written is lost",
            path=str(self._path),
            age_s=age_s,
        )
        return state

    def _write(self, state: msgspec.Struct) -> int:
        data = encode_state(state, name=self._mind.name, version=self._mind.state_version)
        write_atomically(self._path, data)
        return len(data)
