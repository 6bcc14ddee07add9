"""One trace follows a stimulus through all services; off unless an OTLP endpoint is set."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any, Protocol

from emily_bus.trace import traceparent

from emily_runtime.errors import SettingsError

EXPORT_TIMEOUT_S = 2
TRACES_PATH = "/v1/traces"


class Tracer(Protocol):
    """Makes a span around a block; what is published inside carries its context."""

    def span(self, name: str, **attributes: object) -> contextlib.AbstractContextManager[None]:
        """A span whose parent is the trace context of the task."""

    def close(self) -> None:
        """Export what is left, for at most two seconds."""


class Silent:
    """Makes no spans and passes the trace context on as it came."""

    def span(self, name: str, **attributes: object) -> contextlib.AbstractContextManager[None]:
        """Nothing."""
        return _NOTHING

    def close(self) -> None:
        """Nothing."""


_NOTHING = contextlib.nullcontext()


class Exporting:
    """Spans exported over OTLP/HTTP in batches, to `/v1/traces` of the endpoint."""

    def __init__(self, endpoint: str, *, service: str, namespace: str, version: str) -> None:
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
            from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
            from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
            from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
            from opentelemetry.trace import SpanKind  # noqa: PLC0415
            from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415
        except ImportError as failure:
            raise SettingsError(
                f"otlp_endpoint={endpoint}: {failure}; install emily-sovereign[otel]"
            ) from None
        resource = Resource.create(
            {"service.name": f"emily-{service}", "service.namespace": namespace, "service.version": version}
        )
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        exporter = OTLPSpanExporter(endpoint=endpoint.rstrip("/") + TRACES_PATH, timeout=EXPORT_TIMEOUT_S)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("emily_runtime")
        self._propagator = TraceContextTextMapPropagator()
        self._kind = SpanKind.CONSUMER

    @contextlib.contextmanager
    def span(self, name: str, **attributes: object) -> Iterator[None]:
        """A span whose parent is the trace context of the task."""
        parent = traceparent.get()
        context = self._propagator.extract({"traceparent": parent} if parent else {})
        described = {key: str(value) for key, value in attributes.items()}
        with self._tracer.start_as_current_span(name, context, kind=self._kind, attributes=described):
            carrier: dict[str, Any] = {}
            self._propagator.inject(carrier)
            token = traceparent.set(carrier.get("traceparent"))
            try:
                yield
            finally:
                traceparent.reset(token)

    def close(self) -> None:
        """Export what is left, for at most two seconds: a collector that hangs delays no drain."""
        exporting = threading.Thread(target=self._provider.shutdown, daemon=True)
        exporting.start()
        exporting.join(EXPORT_TIMEOUT_S)


def tracer(endpoint: str | None, *, service: str, namespace: str, version: str) -> Tracer:
    """A tracer for the endpoint; a silent one when there is none.

    Raises:
        SettingsError: An endpoint is set, but OpenTelemetry is not installed.
    """
    if endpoint is None:
        return Silent()
    return Exporting(endpoint, service=service, namespace=namespace, version=version)
