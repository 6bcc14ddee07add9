"""The W3C trace context of the task at hand."""

from __future__ import annotations

from contextvars import ContextVar

traceparent: ContextVar[str | None] = ContextVar("traceparent", default=None)
"""Set by a subscription's iteration and by handlers; sent on by publish and ask."""
