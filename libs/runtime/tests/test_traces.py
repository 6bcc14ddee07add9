"""Traces: one of them follows a stimulus through all services, to a collector that may be absent."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from emily_bus.trace import traceparent
from emily_contracts.topics import BROADCAST, STIMULUS
from emily_runtime import SettingsError
from emily_runtime.testing import ServiceProcess
from emily_runtime.traces import Silent, tracer
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

Specimen = Callable[[str], ServiceProcess]


class Collector(HTTPServer):
    """Receives spans over OTLP/HTTP."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Receiver)
        self.spans: dict[str, Any] = {}
        self.endpoint = f"http://127.0.0.1:{self.server_port}"


class _Receiver(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        assert self.path == "/v1/traces"
        request = ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["content-length"])))
        for resource in request.resource_spans:
            names = {item.key: item.value.string_value for item in resource.resource.attributes}
            for scope in resource.scope_spans:
                for span in scope.spans:
                    self.server.spans[names["service.name"]] = span
        self.send_response(200)
        self.end_headers()
        self.wfile.write(ExportTraceServiceResponse().SerializeToString())

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as receiving:
        thread = threading.Thread(target=receiving.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield receiving
        receiving.shutdown()
        thread.join()


def test_one_trace_follows_a_stimulus_through_two_services(
    specimen: Specimen, on_loop: Any, stimuli: Any, collector: Collector
) -> None:
    services = [specimen("counter"), specimen("relay")]
    for service in services:
        service.launch(otlp_endpoint=collector.endpoint)
    for service in services:
        service.wait_until(service.is_ready)

    async def live() -> str | None:
        async with services[0].bus() as bus, bus.subscribe(BROADCAST) as broadcasts:
            await bus.publish(STIMULUS, stimuli([7])[0])
            async for _ in broadcasts:
                return traceparent.get()
        return None

    arrived = on_loop(live)
    assert [service.stop() for service in services] == [0, 0]
    counter, relay = collector.spans["emily-counter"], collector.spans["emily-relay"]
    assert (counter.name, relay.name) == ("counter stimulus/{modality}", "relay percept/{modality}")
    assert counter.trace_id == relay.trace_id
    assert relay.parent_span_id == counter.span_id
    assert arrived is not None
    assert arrived.startswith(f"00-{relay.trace_id.hex()}-{relay.span_id.hex()}-")
    attributes = {item.key: item.value.string_value for item in counter.attributes}
    assert attributes == {"stimulus_id": str(stimuli([7])[0].id)}


def test_a_collector_that_hangs_delays_no_answer_and_no_drain(
    specimen: Specimen, on_loop: Any, stimuli: Any, percepts: Any
) -> None:
    counter = specimen("counter")
    with socket.create_server(("127.0.0.1", 0)) as hanging:
        counter.start(otlp_endpoint=f"http://127.0.0.1:{hanging.getsockname()[1]}/")

        async def live() -> None:
            async with counter.bus() as bus:
                assert len(await percepts(bus, stimuli(range(3)))) == 3

        on_loop(live)
        assert counter.stop() == 0


def test_without_an_endpoint_the_trace_context_is_passed_on_as_it_came() -> None:
    silent = tracer(None, service="reflex", namespace="emily/blue", version="1")
    assert isinstance(silent, Silent)
    token = traceparent.set("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    try:
        with silent.span("step", stimulus_id=1):
            assert traceparent.get() == "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    finally:
        traceparent.reset(token)
    silent.close()


def test_an_endpoint_without_opentelemetry_is_a_wrong_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(SettingsError, match=r"otlp_endpoint=http://x: .*; install emily-sovereign\[otel\]"):
        tracer("http://x", service="reflex", namespace="emily/blue", version="1")
