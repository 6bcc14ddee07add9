"""Structured logs: JSON lines for machines, colours on a terminal."""

from __future__ import annotations

import logging
import sys
from typing import Any, Literal

import structlog
from emily_bus.trace import traceparent
from structlog.typing import EventDict

Format = Literal["auto", "json", "console"]


def configure_logs(*, service: str, namespace: str, level: str, format: Format) -> None:
    """Send everything that is logged, by structlog or by the standard library, to stderr in one form.

    Each line says which service in which namespace it is from, on any thread, and which trace it belongs to.
    """
    json = format == "json" or (format == "auto" and not sys.stderr.isatty())

    def say_where(_: Any, __: str, event: EventDict) -> EventDict:
        return {"service": service, "namespace": namespace, **event, **_trace()}

    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        say_where,
    ]
    renderers: list[Any] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if json
        else [structlog.dev.ConsoleRenderer()]
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.getLogger("uvicorn").setLevel("WARNING")
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger that takes an event and its fields."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


def _trace() -> dict[str, str]:
    parent = traceparent.get()
    if parent is None or parent.count("-") != 3:
        return {}
    return {"trace_id": parent.split("-")[1]}
