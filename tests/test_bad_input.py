"""Bad input: a clear refusal or a count each time; nothing crashes, the next stimulus is answered."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import anyio
import httpx
import msgspec
import pytest
import zenoh
from emily import launch
from emily.bus import settings as bus_settings
from emily.system import Layout
from emily_bus import Bus, BusSettings, BusUnavailable, attachment
from emily_bus.settings import session_config
from emily_contracts import SCHEMA_VERSION, Signal
from msgspec.structs import replace
from stimuli import client, look

KEY = "in/stimulus/vision"
GOOD = {"modality": "vision", "signals": [{"channel": "fovea", "values": [3.0], "place": 27}]}


def _healthy(emily: Layout) -> None:
    async def main() -> None:
        async with client(emily) as speaker:
            assert (await speaker.ask(look(subject="healthy"), timeout=15)).status.value == "decided"

    anyio.run(main)
    assert [part.restarts for part in launch.require_running(emily).parts] == [0] * 5


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"modality": 7}, "modality"),
        ({"modality": "smell"}, "smell"),
        ({"signals": []}, "signals"),
        ({"signals": [{"channel": "fovea", "values": []}]}, "values"),
        ({"signals": [{"channel": "fovea", "values": ["x"]}]}, "values"),
        ({"signals": [{"channel": "fovea", "values": [3.0], "place": -4}]}, "place"),
        ({"surprise": 1}, "surprise"),
        ({"deadline_ms": 0}, "deadline_ms"),
        ({"subject": "a/b"}, "subject"),
    ],
)
def test_http_refuses_with_a_problem_that_names_the_field(
    emily: Layout, change: dict[str, Any], named: str
) -> None:
    answer = httpx.post(f"{emily.http_url}/api/v1/stimuli", json=GOOD | change, timeout=10)
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert named in answer.text


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"modality": NaN}', b"x" * 1000])
def test_http_refuses_what_is_not_a_stimulus_at_all(emily: Layout, body: bytes) -> None:
    answer = httpx.post(
        f"{emily.http_url}/api/v1/stimuli",
        content=body,
        headers={"content-type": "application/json"},
        timeout=10,
    )
    assert answer.status_code in (400, 422)
    assert answer.json()["status"] == answer.status_code


def test_http_refuses_ten_megabytes(emily: Layout) -> None:
    huge = json.dumps(GOOD | {"text": "x" * 10_000_000})
    answer = httpx.post(f"{emily.http_url}/api/v1/stimuli", content=huge, timeout=30)
    assert answer.status_code == 413
    _healthy(emily)


BAD_BYTES: dict[str, Callable[[], tuple[bytes, bytes | None]]] = {
    "nothing": lambda: (b"", _beside()),
    "noise": lambda: (bytes(range(256)), _beside()),
    "wrong type": lambda: (msgspec.msgpack.encode({"modality": 3}), _beside()),
    "not a number": lambda: (_changed("signals", [{"channel": "a", "values": [float("nan")]}]), _beside()),
    "infinite": lambda: (_changed("signals", [{"channel": "a", "values": [float("inf")]}]), _beside()),
    "empty": lambda: (_changed("signals", []), _beside()),
    "ten megabytes": lambda: (b"x" * 10_000_000, _beside()),
    "no attachment": lambda: (msgspec.msgpack.encode(look()), None),
    "torn attachment": lambda: (msgspec.msgpack.encode(look()), b"\x01"),
    "another schema version": lambda: (
        msgspec.msgpack.encode(look()),
        bytes([SCHEMA_VERSION + 1]) + _beside()[1:],
    ),
}


@pytest.mark.parametrize("kind", BAD_BYTES)
def test_the_bus_counts_what_it_cannot_read_and_goes_on(emily: Layout, kind: str) -> None:
    payload, beside = BAD_BYTES[kind]()
    before = _undecodable(emily)
    _put(emily, KEY, payload, beside)
    _until(lambda: _undecodable(emily) == before + 1)
    _healthy(emily)


def test_a_key_of_another_alphabet_reaches_nobody_and_harms_nobody(emily: Layout) -> None:
    _put(emily, "in/stimulus/Gerüche", msgspec.msgpack.encode(look()), _beside())
    _healthy(emily)


def test_a_modality_that_nobody_reads_is_answered_with_the_known_ones(emily: Layout) -> None:
    async def main() -> None:
        async with client(emily) as speaker:
            answer = await speaker.ask(look(modality="smell"))
            assert answer.status.value == "failed"
            assert "vision" in answer.reason

    anyio.run(main)


@pytest.mark.parametrize(
    "signals",
    [
        (Signal(channel="fovea", values=(3.0,), place=64),),
        (Signal(channel="fovea", values=(3.0, 4.0), place=2),),
        (Signal(channel="fovea", values=(1e300,), place=2),),
        tuple(Signal(channel=f"flash-{i}", values=(1.0,) * 4096) for i in range(64)),
    ],
)
def test_signals_that_no_picture_has_are_answered_all_the_same(
    emily: Layout, signals: tuple[Signal, ...]
) -> None:
    async def main() -> None:
        async with client(emily) as speaker:
            answer = await speaker.ask(look(signals=signals, subject="odd", deadline_ms=800))
            assert answer.reason

    anyio.run(main)
    _healthy(emily)


@pytest.mark.timeout(180)
def test_ten_thousand_at_once_are_each_answered_once_or_refused(emily: Layout) -> None:
    async def main() -> None:
        async with client(emily) as speaker:
            for i in range(10_000):
                await speaker.send(look(i % 64, subject=f"flood-{i % 9}", deadline_ms=10_000))
                if i % 100 == 0:
                    await anyio.sleep(0)
            await speaker.until_answered(60)
            await anyio.sleep(0.5)
            assert all(len(answers) == 1 for answers in speaker.answers.values())
            statuses = speaker.statuses()
            assert sum(statuses.values()) == 10_000
            assert statuses["decided"] + statuses["reflex"] > 500

    anyio.run(main)
    _healthy(emily)


def _beside() -> bytes:
    return attachment.encode(bytes(8), 1, None)


def _changed(field: str, value: Any) -> bytes:
    return msgspec.msgpack.encode({**msgspec.to_builtins(look()), field: value})


def _put(emily: Layout, key: str, payload: bytes, beside: bytes | None) -> None:
    config = zenoh.Config.from_json5(session_config(bus_settings(emily), "emily"))
    with zenoh.open(config) as session:
        session.put(key, payload, attachment=beside, congestion_control=zenoh.CongestionControl.BLOCK)


def _undecodable(emily: Layout) -> int:
    text = httpx.get(f"{emily.http_url}/metrics", timeout=5).text
    lines = [
        line
        for line in text.splitlines()
        if line.startswith("emily_bus_messages_total") and "undecodable" in line
    ]
    return sum(int(float(line.split()[-1])) for line in lines)


def _until(condition: Callable[[], bool]) -> None:
    async def main() -> None:
        with anyio.fail_after(10):
            while not condition():
                await anyio.sleep(0.05)

    anyio.run(main)


def test_the_bus_lets_nobody_in_who_may_not_read_the_state_folder(emily: Layout) -> None:
    """Everybody on this machine reaches its port."""
    stranger = BusSettings(endpoint=emily.bus_endpoint, open_timeout_s=1.0)
    for knocking in (stranger, replace(stranger, user="emily", password=lambda: "emily")):
        with pytest.raises(BusUnavailable, match="opened no session"):
            anyio.run(_knock, knocking)
    assert {file.stat().st_mode & 0o777 for file in (emily.bus_password, emily.bus_passwords)} == {0o600}
    _healthy(emily)


async def _knock(settings: BusSettings) -> None:
    async with Bus.open(settings, namespace="emily", name="stranger"):
        pass
