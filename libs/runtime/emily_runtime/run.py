"""A service's whole life, from its settings to its exit code."""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any, NoReturn

import anyio
import anyio.abc
from emily_bus import Bus, BusUnavailable
from emily_contracts import Health, HealthRequest
from emily_contracts.topics import HEALTH

from emily_runtime.bus_password import BusPassword
from emily_runtime.checkpoint import write_atomically
from emily_runtime.errors import SettingsError
from emily_runtime.http import Server, listen, operations
from emily_runtime.life import Life
from emily_runtime.loading import load_settings
from emily_runtime.logs import configure_logs, get_logger
from emily_runtime.metrics import LifeCollector
from emily_runtime.mind import Mind
from emily_runtime.service import Service
from emily_runtime.settings import ServiceSettings, bus_settings
from emily_runtime.settings_table import usage
from emily_runtime.thinking import SUBSCRIPTIONS, Thinking
from emily_runtime.traces import tracer

DRAINED = 0
CRASHED = 1
WRONG_SETTINGS = 2
NO_BUS = 3
GARBAGE_THRESHOLD = 20_000

Kind = type[Mind[Any, Any]] | type[Service[Any]]

_log = get_logger(__name__)


def run(
    kind: Kind, arguments: Sequence[str] | None = None, environ: Mapping[str, str] | None = None
) -> NoReturn:
    """Live a service's whole life and exit.

    Exit codes: 0 drained or done, 1 crashed or cut off while draining, 2 wrong settings, 3 no bus at the
    start, or none any more since its password was rotated.
    """
    sys.exit(
        _run(
            kind, sys.argv[1:] if arguments is None else arguments, os.environ if environ is None else environ
        )
    )


def _run(kind: Kind, arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    if arguments:
        asked = set(arguments) <= {"--help", "-h"}
        print(usage(kind.settings_type, kind.name), file=sys.stdout if asked else sys.stderr)
        return DRAINED if asked else WRONG_SETTINGS
    try:
        settings: Any = load_settings(kind.settings_type, service=kind.name, environ=environ)
        configure_logs(
            service=kind.name,
            namespace=settings.namespace,
            level=settings.log_level,
            format=settings.log_format,
        )
        drained = anyio.run(_live, kind, settings, backend_options={"use_uvloop": True})
    except Exception as failure:
        return _verdict(failure)
    return DRAINED if drained else CRASHED


def _verdict(failure: Exception) -> int:
    while isinstance(failure, ExceptionGroup) and len(failure.exceptions) == 1:
        failure = failure.exceptions[0]
    if isinstance(failure, SettingsError):
        print(failure, file=sys.stderr)
        return WRONG_SETTINGS
    if isinstance(failure, BusUnavailable):
        _log.error("no bus", reason=str(failure))
        return NO_BUS
    _log.error("crashed", exc_info=failure)
    return CRASHED


async def _live(kind: Kind, settings: ServiceSettings) -> bool:
    """Everything between the settings and the exit; whether all that was held was finished."""
    version = _version(kind.name)
    async with AsyncExitStack() as stack:
        signals = stack.enter_context(anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT))
        spans = tracer(
            settings.otlp_endpoint, service=kind.name, namespace=settings.namespace, version=version
        )
        stack.callback(spans.close)
        being = kind(settings)
        _spare_pauses()
        bound = stack.enter_context(listen(settings.http_host, settings.http_port))
        access = bus_settings(settings)
        bus = await stack.enter_async_context(Bus.open(access, namespace=settings.namespace, name=kind.name))
        life = Life(
            name=kind.name, version=version, settings=settings, bus=bus, needs=_needs(kind), tracer=spans
        )
        life.registry.register(LifeCollector(life))
        background = await stack.enter_async_context(anyio.create_task_group())
        background.start_soon(_stop_on_signal, signals, life)
        background.start_soon(life.tasks.restarting, "health", life.announce_changes)
        locked_out = anyio.Event()
        if isinstance(access.password, BusPassword):
            background.start_soon(_stop_when_rotated, access.password, life, locked_out)
        await stack.enter_async_context(bus.serve(HEALTH, _health(life), service=kind.name))
        server = Server(operations(life, being.http(life) if isinstance(being, Service) else None))
        announcement = _announce(life, settings, bound.getsockname()[1])
        stack.callback(announcement.unlink, missing_ok=True)
        async with anyio.create_task_group() as serving:
            serving.start_soon(life.tasks.critical, "http", partial(server.serve_on, bound))
            async with bus.alive(kind.name):
                drained = await _until_drained(being, life)
                await life.announce_end()
            server.should_exit = True
        background.cancel_scope.cancel()
    _log.info("stopped", handled=life.handled, drained=drained)
    if locked_out.is_set():
        raise BusUnavailable("the password of the bus was rotated; a new session gets on with the new one")
    return drained


def _spare_pauses() -> None:
    """Let the collector pass over what was made at the start and come seldom: a message leaves no cycles."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_THRESHOLD)


async def _until_drained(being: Mind[Any, Any] | Service[Any], life: Life) -> bool:
    """Run the main work; once told to stop it has `drain_timeout_s` to finish, and is cut off then."""

    async def stop_in_time(scope: anyio.CancelScope) -> None:
        await life.stopping.wait()
        scope.deadline = anyio.current_time() + life.settings.drain_timeout_s

    main = Thinking(being, life).run if isinstance(being, Mind) else partial(being.main, life)
    with anyio.CancelScope() as deadline:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(stop_in_time, deadline)
            await life.tasks.critical("main", main)
            tasks.cancel_scope.cancel()
    if deadline.cancelled_caught:
        _log.error("drain is late and cut off", after_s=life.settings.drain_timeout_s)
    return not deadline.cancelled_caught


async def _stop_on_signal(signals: AsyncIterator[signal.Signals], life: Life) -> None:
    async for number in signals:
        _log.info("told to stop", signal=number.name)
        life.stopping.set()


async def _stop_when_rotated(password: BusPassword, life: Life, locked_out: anyio.Event) -> None:
    """Drain once only a new process gets back on the bus."""
    await password.rotated(life.bus)
    _log.warning("the bus is lost, and its password was rotated; ends, to start again with it")
    locked_out.set()
    life.stopping.set()


def _health(life: Life) -> Callable[[HealthRequest], Awaitable[Health]]:
    async def answer(_: HealthRequest) -> Health:
        return life.health()

    return answer


def _announce(life: Life, settings: ServiceSettings, port: int) -> Path:
    host = f"[{settings.http_host}]" if ":" in settings.http_host else settings.http_host
    address = f"http://{host}:{port}"
    path = settings.state_dir / "run" / settings.namespace / f"{life.name}.json"
    try:
        write_atomically(path, json.dumps({"pid": os.getpid(), "http": address}).encode())
    except OSError as failure:
        raise SettingsError(
            f"state_dir={settings.state_dir}: {failure.strerror}; choose a folder that can be written"
        ) from None
    _log.info("started", http=address, version=life.version)
    return path


def _needs(kind: Kind) -> tuple[str, ...]:
    return kind.needs if issubclass(kind, Service) else (SUBSCRIPTIONS,)


def _version(name: str) -> str:
    try:
        return metadata.version(f"emily-{name}")
    except metadata.PackageNotFoundError:
        return "unreleased"
