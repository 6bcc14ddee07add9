"""Keeps what is observed, once a second; a kill loses no more than that."""

from __future__ import annotations

import time

import anyio
import psycopg
from emily_bus import Subscription
from emily_runtime.logs import get_logger
from psycopg_pool import PoolTimeout

from emily_flag_service.experiment.observing import Observer
from emily_flag_service.metrics import Metrics
from emily_flag_service.store.trials import Trials

EVERY_S = 1.0

_log = get_logger(__name__)


async def listen(observer: Observer, events: Subscription) -> None:
    """Takes in what is heard, for ever."""
    async for event in events:
        observer.hear(event, now=time.time())


async def keep(observer: Observer, trials: Trials) -> None:
    """Writes what has come together; while the database is away, it waits here."""
    sums = observer.taken()
    try:
        await trials.add(sums)
    except (psycopg.OperationalError, PoolTimeout) as failure:
        observer.put_back(sums)
        _log.warning("the database is away; trials wait", reason=type(failure).__name__, waiting=len(sums))


async def keep_up(observer: Observer, trials: Trials, metrics: Metrics) -> None:
    """For ever."""
    while True:
        await anyio.sleep(EVERY_S)
        await keep(observer, trials)
        metrics.uncounted.set(observer.lost)
