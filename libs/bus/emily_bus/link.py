"""The session's link to the router: opened with a deadline, followed, closed."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import anyio.to_thread
import zenoh

from emily_bus.diagnosis import diagnosis
from emily_bus.errors import BusUnavailable
from emily_bus.settings import BusSettings, session_config

_SETTLING_S = 5.0

_log = logging.getLogger("emily_bus")


class Link:
    """Whether the router is there. Zenoh reconnects by itself; this tells when it has.

    Attributes:
        up: The link stands; follows Zenoh's transport events at once.
    """

    def __init__(self, session: zenoh.Session) -> None:
        self.up = bool(session.info.routers_zid())
        self._loop = asyncio.get_running_loop()
        self._restored = asyncio.Event()
        self._listener = session.info.declare_transport_events_listener(self._changed)

    async def wait_up(self) -> None:
        """Return when the link stands."""
        while not self.up:
            await self._restored.wait()

    def _changed(self, event: zenoh.TransportEvent) -> None:
        self.up = event.kind == zenoh.SampleKind.PUT
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._settle)

    def _settle(self) -> None:
        if self.up:
            _log.warning("the link to the bus router stands again")
            self._restored.set()
        else:
            _log.warning("the link to the bus router is lost; trying again until it is back")
            self._restored.clear()


@asynccontextmanager
async def opened(settings: BusSettings, namespace: str) -> AsyncIterator[zenoh.Session]:
    """A connected Zenoh session for the length of the block.

    Raises:
        BusUnavailable: No session opened within `settings.open_timeout_s`; the message says why.
    """
    configured = await anyio.to_thread.run_sync(session_config, settings, namespace)
    attempt = _Attempt(zenoh.Config.from_json5(configured))
    try:
        with anyio.fail_after(settings.open_timeout_s):
            session = await anyio.to_thread.run_sync(attempt.open, abandon_on_cancel=True)
    except (zenoh.ZError, TimeoutError):
        raise BusUnavailable(await diagnosis(settings)) from None
    finally:
        attempt.settle()
    try:
        yield session
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(session.close)


async def settled(session: zenoh.Session) -> None:
    """Return when the router has heard everything that the session declared, or is away."""
    loop = asyncio.get_running_loop()
    answered = asyncio.Event()
    handler: zenoh.handlers.Callback[zenoh.Reply] = zenoh.handlers.Callback(
        lambda reply: None, lambda: loop.is_closed() or loop.call_soon_threadsafe(answered.set)
    )
    session.liveliness().get("nobody", handler, timeout=_SETTLING_S)
    await answered.wait()


class _Attempt:
    """Opens a session in a thread that may be abandoned: what opens too late is closed."""

    def __init__(self, config: zenoh.Config) -> None:
        self._config = config
        self._mutex = threading.Lock()
        self._abandoned = False
        self._session: zenoh.Session | None = None

    def open(self) -> zenoh.Session:
        session = zenoh.open(self._config)
        with self._mutex:
            if self._abandoned:
                session.close()  # type: ignore[no-untyped-call]
            self._session = session
        return session

    def settle(self) -> None:
        with self._mutex:
            self._abandoned = self._session is None
