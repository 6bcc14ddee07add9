"""The whole loop: what goes in comes out as one decision, seen by every face of the system."""

from __future__ import annotations

import json
from pathlib import Path

import anyio
import httpx
import pytest
from emily.bus import settings as bus_settings
from emily.system import Layout
from emily_bus import Bus
from emily_contracts import HealthRequest, Status
from emily_contracts.topics import HEALTH
from emily_router.window import LEAST as ALWAYS_LET_IN
from harness import Run, invoke, printed
from stimuli import client, look

DRAFT = {
    "modality": "vision",
    "signals": [{"channel": "fovea", "values": [3.0], "place": 27}],
    "attended": "fovea",
}


def test_every_stimulus_gets_exactly_one_decision_with_its_provenance(emily: Layout) -> None:
    async def main() -> None:
        async with client(emily) as speaker:
            sent = [
                look(place, subject=f"one-each-{place % 7}", deadline_ms=10_000)
                for place in range(ALWAYS_LET_IN)
            ]
            for stimulus in sent:
                await speaker.send(stimulus)
            await speaker.until_answered(20)
            await anyio.sleep(0.3)
            for stimulus in sent:
                (decision,) = speaker.answers[stimulus.id]
                assert decision.status in (Status.DECIDED, Status.REFLEX), decision.reason
                assert decision.subject == stimulus.subject
                if decision.status is Status.DECIDED:
                    assert decision.provenance is not None
                    assert len(decision.provenance.model_hash) == 16
                    assert sum(decision.posterior["digit"]) == pytest.approx(1)

    anyio.run(main)


def test_a_stimulus_that_comes_twice_is_thought_about_once(emily: Layout) -> None:
    async def main() -> None:
        async with client(emily) as speaker:
            stimulus = look(subject="twice")
            first = await speaker.ask(stimulus)
            await speaker.send(stimulus)
            with anyio.fail_after(5):
                while len(speaker.answers[stimulus.id]) < 2:
                    await anyio.sleep(0.01)
            assert speaker.answers[stimulus.id][1] == first

    anyio.run(main)


def test_looks_add_up_to_a_report_and_beliefs_begin_anew_with_an_episode(emily: Layout) -> None:
    async def main() -> None:
        async with client(emily) as speaker:
            first = await speaker.ask(look(27, 16.0, subject="adds-up", episode="a"))
            second = await speaker.ask(look(35, 16.0, subject="adds-up", episode="a"))
            assert second.posterior["digit"] != first.posterior["digit"]
            again = await speaker.ask(look(27, 16.0, subject="adds-up", episode="b"))
            assert again.posterior["digit"] == pytest.approx(first.posterior["digit"], abs=0.05)

    anyio.run(main)


def test_http_answers_with_the_decision_and_the_same_key_with_the_same_answer(emily: Layout) -> None:
    with httpx.Client(base_url=emily.http_url, timeout=10) as http:
        first = http.post("/api/v1/stimuli", json=DRAFT, headers={"Idempotency-Key": "loop-1"})
        again = http.post("/api/v1/stimuli", json=DRAFT, headers={"Idempotency-Key": "loop-1"})
        assert first.status_code == 200
        assert first.json()["act"]["kind"] in ("look", "report")
        assert again.json() == first.json()


def test_http_reaches_the_alpha_gate_and_the_hypotheses(emily: Layout) -> None:
    with httpx.Client(base_url=emily.http_url, timeout=20) as http:
        gated = http.post("/api/v1/attention", json={"drives": [0.1, 0.9, 0.5]}).json()
        assert gated["emitted"] == [1, 2, 0]
        sample = http.post("/api/v1/gflownet/generate", json={"count": 200}).json()
        assert sum(hypothesis["drawn"] for hypothesis in sample["hypotheses"]) == 200
        assert sample["unique"] == len(sample["hypotheses"])
        assert http.get("/health").status_code == 200
        assert http.get("/docs").status_code == 200
        assert "/api/v1/stimuli" in http.get("/docs/openapi.json").text


@pytest.mark.parametrize("name", ["reflex", "workspace", "inference"])
def test_every_tier_says_how_it_is(emily: Layout, name: str) -> None:
    async def main() -> None:
        settings = bus_settings(emily)
        async with Bus.open(settings, namespace="emily/blue", name="test") as bus:
            health = await bus.ask(HEALTH, HealthRequest(service=name), timeout=5)
            assert (health.service, health.ready, health.unmet) == (name, True, ())

    anyio.run(main)


@pytest.mark.timeout(240)
def test_emily_recognises_unseen_digits_by_looking(emily: Layout, run: Run) -> None:
    report = printed(run(emily, "perceive", "digits", "--episodes", "60", "--baseline", "20", "--json"))
    rows = {row["strategy"]: row for row in report["rows"]}
    assert rows["active"]["accuracy"] >= 0.85
    assert rows["active"]["mean_looks"] < 14
    assert rows["active"]["failed"] == 0
    assert rows["random"]["mean_looks"] > rows["active"]["mean_looks"]
    assert rows["whole"]["accuracy"] >= 0.85


def test_emily_feels_the_host_and_decides(emily: Layout, run: Run) -> None:
    report = printed(run(emily, "perceive", "host", "--ticks", "4", "--interval", "0.1", "--json"))
    assert len(report["moments"]) == 4
    assert {"load", "memory", "disk"} <= set(report["moments"][0]["readings"])
    assert all(moment["act"] in ("observe", "throttle", "alert") for moment in report["moments"])


@pytest.mark.timeout(240)
def test_a_recorded_stream_replays_bit_for_bit_and_a_change_is_found(
    emily: Layout, run: Run, tmp_path: Path
) -> None:
    recording = tmp_path / "looks.emily"
    printed(
        run(
            emily,
            "perceive",
            "digits",
            "--episodes",
            "8",
            "--baseline",
            "0",
            "--record",
            str(recording),
            "--json",
        )
    )
    same = printed(run(emily, "replay", str(recording), "--json"))
    assert same["difference"] is None
    assert same["compared"] == same["decisions"] > 8
    before, _, after = recording.read_bytes().rpartition(b"\xa4kind\xa4look")
    changed = before + b"\xa4kind\xa4loop" + after
    recording.write_bytes(changed)
    different = run(emily, "replay", str(recording), "--json")
    assert different.returncode == 6
    assert json.loads(different.stdout.splitlines()[0])["difference"]["field"] == "act"
    recording.write_bytes(changed[:-3])
    torn = run(emily, "replay", str(recording))
    assert torn.returncode == 1
    assert "not a whole recording" in torn.stderr


@pytest.mark.timeout(240)
def test_a_tier_can_be_taken_out(emily: Layout, run: Run) -> None:
    report = printed(
        run(
            emily,
            "perceive",
            "digits",
            "--episodes",
            "5",
            "--baseline",
            "0",
            "--ablate",
            "workspace",
            "--json",
        )
    )
    assert report["ablated"] == ["workspace"]
    assert report["rows"][0]["episodes"] == 5
    wrong = invoke(emily, "perceive", "digits", "--ablate", "soul")
    assert wrong.returncode == 1
    assert "choose from alpha, allostasis, workspace, hypotheses, recall" in wrong.stderr
