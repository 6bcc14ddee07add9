"""One trace follows a stimulus through every service, and each stimulus has its own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import anyio
import pytest
from harness import fresh_layout, up
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from otlp import receiving
from stimuli import client, look

SERVICES = ("reflex", "workspace", "inference", "router")


def followed(bodies: Iterable[bytes]) -> dict[bytes, tuple[set[str], set[str]]]:
    """By trace, the services that it went through and the stimuli that it names."""
    traces: dict[bytes, tuple[set[str], set[str]]] = defaultdict(lambda: (set(), set()))
    for body in bodies:
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            names = {a.key: a.value.string_value for a in resource.resource.attributes}
            for span in (span for scope in resource.scope_spans for span in scope.spans):
                services, stimuli = traces[span.trace_id]
                services.add(names["service.name"])
                stimuli |= {a.value.string_value for a in span.attributes if a.key == "stimulus_id"}
    return traces


@pytest.mark.timeout(120)
def test_one_trace_follows_a_stimulus_through_all_services(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = fresh_layout(tmp_path, trained)
    sent = [look(place, subject="traced") for place in range(3)]

    async def main() -> None:
        async with client(layout) as speaker:
            for stimulus in sent:
                await speaker.ask(stimulus, timeout=15)

    with receiving() as receiver:
        for service in SERVICES:
            monkeypatch.setenv(f"EMILY_{service.upper()}_OTLP_ENDPOINT", receiver.endpoint)
        with up(layout):
            anyio.run(main)
    told = [trace for trace in followed(receiver.bodies).values() if trace[1]]
    assert all(len(stimuli) == 1 for _, stimuli in told)
    by_stimulus = {stimulus: services for services, stimuli in told for stimulus in stimuli}
    for stimulus in sent:
        assert by_stimulus[str(stimulus.id)] == {f"emily-{service}" for service in SERVICES}
