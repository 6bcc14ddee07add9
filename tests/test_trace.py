"""One trace follows a stimulus through every service, and each stimulus has its own."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import anyio
import pytest
from harness import fresh_layout, up
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from stimuli import client, look

SERVICES = ("reflex", "workspace", "inference", "router")


class Receiver(ThreadingHTTPServer):
    """Takes spans over OTLP/HTTP and keeps the services of each trace, by stimulus."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.services: dict[bytes, set[str]] = defaultdict(set)
        self.stimuli: dict[bytes, set[str]] = defaultdict(set)


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            names = {a.key: a.value.string_value for a in resource.resource.attributes}
            for scope in resource.scope_spans:
                for span in scope.spans:
                    self.server.services[span.trace_id].add(names["service.name"])
                    for attribute in span.attributes:
                        if attribute.key == "stimulus_id":
                            self.server.stimuli[span.trace_id].add(attribute.value.string_value)
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A running receiver."""
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.timeout(120)
def test_one_trace_follows_a_stimulus_through_all_services(
    trained: Path, tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = f"http://127.0.0.1:{receiver.server_port}"
    for service in SERVICES:
        monkeypatch.setenv(f"EMILY_{service.upper()}_OTLP_ENDPOINT", endpoint)
    layout = fresh_layout(tmp_path, trained)
    sent = [look(place, subject="traced") for place in range(3)]

    async def main() -> None:
        async with client(layout) as speaker:
            for stimulus in sent:
                await speaker.ask(stimulus, timeout=15)

    with up(layout):
        anyio.run(main)
    followed = {
        stimulus: receiver.services[trace]
        for trace, stimuli in receiver.stimuli.items()
        for stimulus in stimuli
    }
    assert all(len(stimuli) == 1 for stimuli in receiver.stimuli.values())
    for stimulus in sent:
        assert followed[str(stimulus.id)] == {f"emily-{service}" for service in SERVICES}
