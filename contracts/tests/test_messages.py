"""Messages survive the wire, and illegal ones can't be built."""

import math
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from emily_contracts import Episode, Outcome, Signal, Stimulus, StimulusDraft, uuid7
from hypothesis import given
from hypothesis import strategies as st

AT = datetime(2026, 1, 1, tzinfo=UTC)
ID = uuid7(AT, b"0123456789")
NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
SIGNALS = st.lists(
    st.builds(
        Signal,
        channel=NAMES,
        values=st.lists(FINITE, min_size=1, max_size=8).map(tuple),
        place=st.none() | st.integers(0, 4096),
        intensity=st.floats(0, 100),
    ),
    min_size=1,
    max_size=5,
    unique_by=lambda signal: signal.channel,
).map(tuple)
STIMULI = st.builds(
    Stimulus,
    id=st.just(ID),
    at=st.just(AT),
    stimulus_id=st.just(ID),
    modality=NAMES,
    subject=NAMES,
    episode=NAMES,
    signals=SIGNALS,
    attended=st.none() | NAMES,
    text=st.none() | st.text(max_size=50),
    deadline_ms=st.integers(1, 60_000),
)


@given(STIMULI)
def test_a_stimulus_survives_messagepack_and_json(stimulus: Stimulus) -> None:
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(stimulus), type=Stimulus) == stimulus
    assert msgspec.json.decode(msgspec.json.encode(stimulus), type=Stimulus) == stimulus


@given(SIGNALS, NAMES)
def test_a_draft_keeps_every_field_when_it_is_stamped(signals: tuple[Signal, ...], name: str) -> None:
    draft = StimulusDraft(
        modality=name, signals=signals, subject=name, attended=name, text="hi", deadline_ms=7
    )
    stimulus = Stimulus.stamped(draft, id=ID, at=AT)
    fields = msgspec.structs.asdict(draft)
    assert {field: getattr(stimulus, field) for field in fields} == fields
    assert (stimulus.id, stimulus.stimulus_id, stimulus.causation_id) == (ID, ID, None)


def _valid() -> dict[str, Any]:
    return {
        "id": str(ID),
        "at": AT,
        "stimulus_id": str(ID),
        "modality": "vision",
        "signals": [{"channel": "fovea", "values": [1.0]}],
    }


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"signals": []}, "signals"),
        ({"signals": [{"channel": "a", "values": []}]}, "values"),
        ({"signals": [{"channel": "a", "values": [math.nan]}]}, "values"),
        ({"signals": [{"channel": "a", "values": [math.inf]}]}, "values"),
        ({"signals": [{"channel": "a", "values": ["x"]}]}, "values"),
        ({"signals": [{"channel": "a", "values": [1.0], "intensity": -1.0}]}, "intensity"),
        ({"signals": [{"channel": "a", "values": [1.0], "intensity": math.nan}]}, "intensity"),
        ({"signals": [{"channel": "a", "values": [1.0], "place": -1}]}, "place"),
        ({"signals": [{"channel": "a/b", "values": [1.0]}]}, "channel"),
        ({"signals": [{"channel": "a", "values": [1.0]}] * 2}, "channel 'a'"),
        ({"signals": [{"channel": f"c{i}", "values": [1.0]} for i in range(65)]}, "signals"),
        ({"signals": [{"channel": "a", "values": [0.0] * 4097}]}, "values"),
        ({"modality": ""}, "modality"),
        ({"modality": "a b"}, "modality"),
        ({"modality": 3}, "modality"),
        ({"subject": "é"}, "subject"),
        ({"deadline_ms": 0}, "deadline_ms"),
        ({"deadline_ms": 60_001}, "deadline_ms"),
        ({"text": "x" * 65_537}, "text"),
        ({"at": "yesterday"}, "at"),
        ({"id": "not-a-uuid"}, "id"),
    ],
)
def test_a_bad_stimulus_is_refused_and_the_field_is_named(change: dict[str, Any], named: str) -> None:
    encoded = msgspec.msgpack.encode(_valid() | change)
    with pytest.raises(msgspec.ValidationError, match=named):
        msgspec.msgpack.decode(encoded, type=Stimulus)


def test_a_draft_refuses_a_field_it_does_not_know() -> None:
    draft = {"modality": "vision", "signals": [{"channel": "a", "values": [1]}], "modalty": "x"}
    with pytest.raises(msgspec.ValidationError, match="modalty"):
        msgspec.convert(draft, StimulusDraft)


def test_a_message_ignores_a_field_of_a_later_version() -> None:
    encoded = msgspec.msgpack.encode(_valid() | {"colour_of_the_sky": "blue"})
    assert msgspec.msgpack.decode(encoded, type=Stimulus).modality == "vision"


def test_an_outcome_refuses_an_infinite_reward() -> None:
    with pytest.raises(ValueError, match="reward"):
        Outcome(
            id=ID,
            at=AT,
            stimulus_id=ID,
            modality="vision",
            subject="a",
            episode="a",
            decision_id=ID,
            reward=math.inf,
        )


def test_messages_are_frozen() -> None:
    stimulus = msgspec.convert(_valid(), Stimulus)
    with pytest.raises(AttributeError):
        stimulus.modality = "touch"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"content": "a\0b"}, r"content\[1\]: NUL"),
        ({"content": "\ud800"}, r"content\[0\]: a lone surrogate"),
        ({"context": {"place": "\0"}}, r"context.place\[0\]"),
        ({"valence": math.nan}, r"valence\[0\]: nan"),
        ({"occurred_at": AT.replace(tzinfo=None)}, "occurred_at: .* has no time zone"),
        ({"valid_to": AT}, "valid_to: .* is not after"),
    ],
)
def test_an_episode_that_no_database_can_hold_is_not_made(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        Episode(**{"id": ID, "occurred_at": AT, "content": "hello", **changes})
