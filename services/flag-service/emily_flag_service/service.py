"""The flag-service: opens its database, loads the flags of files, and serves until it is stopped."""

from __future__ import annotations

from contextlib import AsyncExitStack
from functools import partial

import anyio
import anyio.to_thread
import psycopg
from emily_bus import Bus, BusCongested
from emily_contracts.flags import FlagSnapshot, FlagsRequest
from emily_contracts.topic import Overflow
from emily_contracts.topics import CURRENT_FLAGS, EXPOSURE, FLAGS, INBOUND_OUTCOME, OUTBOUND_DECISION
from emily_flags import InvalidFlag, load_folder
from emily_postgres import reached, url_of
from emily_runtime import DatabaseAddress, Life, Service, SettingsError
from emily_runtime.logs import get_logger
from emily_runtime.tokens import tokens_of
from litestar import Litestar
from psycopg_pool import PoolTimeout

from emily_flag_service.api.app import create_app
from emily_flag_service.book import Book
from emily_flag_service.errors import Closed
from emily_flag_service.experiment import keeping
from emily_flag_service.experiment.observing import Observer
from emily_flag_service.metrics import Metrics
from emily_flag_service.settings import FlagServiceSettings
from emily_flag_service.store.store import Store, opened

FROM_FILES = "file"
HEARD = 4096
"""Decisions and outcomes that may wait to be counted; nobody who sends them waits."""

_log = get_logger(__name__)


class FlagService(Service[FlagServiceSettings]):
    """Keeps flags, lets people change them, and pushes them to every replica."""

    name = "flag-service"
    settings_type = FlagServiceSettings
    needs = ("database", "flags")

    def __init__(self, settings: FlagServiceSettings) -> None:
        super().__init__(settings)
        self._book: Book | None = None
        self._tokens = tokens_of(settings, "flags.token", by=self.name)

    def http(self, life: Life) -> Litestar:
        """OFREP, and the API of changes."""
        return create_app(
            self._open_book,
            tokens=self._tokens,
            allowed_hosts=self.settings.allowed_hosts,
            version=life.version,
        )

    async def main(self, life: Life) -> None:
        """Serves until it is stopped; what was answered by then is kept and said."""
        settings = self.settings
        address = DatabaseAddress(settings)
        url = await address() or url_of(settings.state_dir / "postgres")
        async with AsyncExitStack() as stack:
            if not await reached(url, life.stopping, waits=_say_waiting):
                return
            store = await stack.enter_async_context(opened(url, renewed=address))
            life.ready("database")
            await _load_files(store, settings)
            metrics = Metrics(life.registry)
            book = Book(store, partial(_publish, life.bus), metrics=metrics, heartbeat_s=settings.heartbeat_s)
            await book.refresh()

            async def now(_: FlagsRequest) -> FlagSnapshot:
                life.handled += 1
                return book.snapshot()

            await stack.enter_async_context(life.bus.serve(CURRENT_FLAGS, now))
            background = await stack.enter_async_context(anyio.create_task_group())
            background.start_soon(life.tasks.restarting, "heartbeat", partial(_beat, book, settings, life))
            observer = Observer(lambda: book.versions, await store.trials.current())
            heard = await stack.enter_async_context(
                life.bus.subscribe(
                    EXPOSURE, OUTBOUND_DECISION, INBOUND_OUTCOME, overflow=Overflow.DROP_OLDEST, buffer=HEARD
                )
            )
            background.start_soon(keeping.listen, observer, life.observe(heard))
            keep_up = partial(keeping.keep_up, observer, store.trials, metrics)
            background.start_soon(life.tasks.restarting, "experiments", keep_up)
            self._book = book
            life.ready("flags")
            await life.stopping.wait()
            self._book = None
            background.cancel_scope.cancel()
            await keeping.keep(observer, store.trials)

    def _open_book(self) -> Book:
        if self._book is None:
            raise Closed("the flag-service is starting or stopping; ask again in a moment")
        return self._book


async def _beat(book: Book, settings: FlagServiceSettings, life: Life) -> None:
    """Say the flags again and again, and take over what another process changed in the database."""
    while True:
        await anyio.sleep(settings.heartbeat_s)
        try:
            await book.refresh()
            life.ready("database")
        except (psycopg.OperationalError, PoolTimeout) as failure:
            life.ready("database", False)
            _log.warning("the database is away; flags are served as they were", reason=type(failure).__name__)
        await book.say()


async def _publish(bus: Bus, snapshot: FlagSnapshot) -> None:
    try:
        await bus.publish(FLAGS, snapshot)
    except BusCongested as congestion:
        _log.warning("not pushed; the next heartbeat will be", reason=str(congestion))


async def _load_files(store: Store, settings: FlagServiceSettings) -> None:
    if settings.flags_dir is None:
        return
    try:
        loaded, kept = await store.take_over(load_folder(settings.flags_dir), author=FROM_FILES)
    except InvalidFlag as wrong:
        raise SettingsError(f"flags_dir={settings.flags_dir}: {wrong}") from None
    if loaded:
        _log.info("flags loaded", keys=loaded)
    if kept:
        _log.warning("people changed these flags since a file brought them; the file is not taken", keys=kept)


def _say_waiting() -> None:
    _log.warning("waits for the database; start it, or check its URL")
