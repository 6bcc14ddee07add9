"""Structured logs: JSON lines for machines, colours on a terminal."""

from __future__ import annotations

import logging
import sys
from typing import Any, Literal

import structlog
from emily_bus.trace import traceparent

Format = Literal["auto", "json", "console"]


def configure_logs(*, service: str, namespace: str, level: str, format: Format) -> None:
    """Send everything that is logged, by structlog or by the standard library, to stderr in one form."""
    json = format == "json" or (format == "auto" and not sys.stderr.isatty())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _trace,
    ]
    renderer: Any = structlog.processors.JSONRenderer() if json else structlog.dev.ConsoleRenderer()
    final = [structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer]
    if json:
        final.insert(1, structlog.processors.format_exc_info)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=final))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.getLogger("uvicorn").setLevel("WARNING")
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service, namespace=namespace)


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger that takes an event and its fields."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


def _trace(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    parent = traceparent.get()
    if parent is not None:
        event["trace_id"] = parent.split("-")[1] if parent.count("-") == 3 else parent
    return event
