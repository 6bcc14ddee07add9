"""Keys come from one place and hold only what a key may hold."""

from types import SimpleNamespace

import pytest
from emily_contracts import Message, Overflow, Topic
from emily_contracts.topics import HEALTH, QUERIES, STIMULUS, TOPICS


def test_a_key_takes_its_fields_from_the_message() -> None:
    assert STIMULUS.of(SimpleNamespace(modality="vision")) == "stimulus/vision"


def test_a_pattern_matches_all_or_one() -> None:
    assert STIMULUS.pattern() == "stimulus/*"
    assert STIMULUS.pattern(modality="vision") == "stimulus/vision"
    assert HEALTH.pattern(service="reflex") == "health/reflex/now"
    with pytest.raises(ValueError, match="modalty"):
        STIMULUS.pattern(modalty="vision")


@pytest.mark.parametrize("value", ["", "a/b", "*", "**", "a b", "$x", "é", "a?b", "#"])
def test_a_field_that_would_change_the_key_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="modality"):
        STIMULUS.of(SimpleNamespace(modality=value))


def test_no_two_topics_or_queries_share_a_key() -> None:
    templates = [key.template for key in (*TOPICS.values(), *QUERIES.values())]
    assert len(set(templates)) == len(templates)


def test_what_must_not_be_lost_is_never_dropped() -> None:
    for name in ("stimulus", "outcome", "percept", "broadcast", "decision", "outbound_decision"):
        assert TOPICS[name].qos.overflow is Overflow.BACK_PRESSURE, name


def test_topics_and_queries_say_what_they_are() -> None:
    assert repr(STIMULUS) == "Topic('stimulus/{modality}', Stimulus)"
    assert "HealthRequest -> Health" in repr(HEALTH)
    assert all(key.doc.endswith(".") for key in (*TOPICS.values(), *QUERIES.values()))


def test_every_topic_carries_a_message() -> None:
    assert all(isinstance(topic, Topic) and issubclass(topic.type, Message) for topic in TOPICS.values())
