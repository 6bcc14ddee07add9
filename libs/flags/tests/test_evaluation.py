"""Evaluation is flagd's, to the bucket; prerequisites and the kill switch come before it."""

from __future__ import annotations

import math
from typing import Any

import pytest
from emily_flags import Evaluator, Flag, InvalidFlag, document_of, parse_flag
from emily_flags.evaluation import MISSING
from emily_flags.testing import METADATA, define
from openfeature.contrib.tools.flagd.core import FlagdCore
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import FlagNotFoundError, TargetingKeyMissingError, TypeMismatchError
from openfeature.flag_evaluation import Reason

KEYS = [f"subject-{number}" for number in range(10_000)]


def evaluator(*flags: Flag) -> Evaluator:
    return Evaluator(document_of(flags, 7))


def of(key: str | None) -> EvaluationContext:
    return EvaluationContext(key)


def test_ten_thousand_keys_fall_into_the_buckets_of_flagd(canary: Flag) -> None:
    ours, flagd = evaluator(canary), FlagdCore()
    flagd.set_flags(document_of([canary], 7))
    for key in KEYS:
        expected = flagd.resolve_boolean_value("canary", False, of(key))
        assert ours.resolve("boolean", "canary", False, of(key)) == expected


def murmur3(data: bytes) -> int:
    """MurmurHash3 x86 32 with seed 0 (Appleby), written down once more to hold the library to it."""
    mask = 0xFFFFFFFF
    state = 0

    def mixed(word: int) -> int:
        word = word * 0xCC9E2D51 & mask
        return ((word << 15 | word >> 17) & mask) * 0x1B873593 & mask

    whole = len(data) // 4 * 4
    for start in range(0, whole, 4):
        state ^= mixed(int.from_bytes(data[start : start + 4], "little"))
        state = ((state << 13 | state >> 19) & mask) * 5 + 0xE6546B64 & mask
    state ^= mixed(int.from_bytes(data[whole:], "little")) ^ len(data)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35), (16, 1)):
        state = (state ^ state >> shift) * factor & mask
    return state


def cbor(text: str) -> bytes:
    """A short text in CBOR (RFC 8949)."""
    assert len(text) < 24
    return bytes([0x60 + len(text)]) + text.encode()


def test_ten_thousand_keys_fall_into_the_buckets_of_the_specification(canary: Flag) -> None:
    """The top of murmur3 of CBOR of [flag key, targeting key], scaled to the weights."""
    ours = evaluator(canary)
    for key in KEYS:
        bucket = murmur3(b"\x82" + cbor("canary") + cbor(key)) * 100 >> 32
        assert ours.resolve("boolean", "canary", False, of(key)).value is (bucket < 10)


@pytest.mark.parametrize("share", [1, 10, 50, 99])
def test_the_share_of_a_fraction_is_within_four_sigma(share: int) -> None:
    rule = {"fractional": [["on", share], ["off", 100 - share]]}
    ours = evaluator(parse_flag("a", define(targeting=rule)))
    on = sum(ours.resolve("boolean", "a", False, of(key)).value for key in KEYS)
    expected, sigma = len(KEYS) * share / 100, math.sqrt(len(KEYS) * share / 100 * (1 - share / 100))
    assert abs(on - expected) <= 4 * sigma


def test_two_flags_put_keys_into_buckets_of_their_own() -> None:
    rule = {"fractional": [["on", 50], ["off", 50]]}
    ours = evaluator(*(parse_flag(key, define(targeting=rule)) for key in ("a", "b")))
    same = sum(
        ours.resolve("boolean", "a", False, of(key)).value
        == ours.resolve("boolean", "b", False, of(key)).value
        for key in KEYS
    )
    assert abs(same - 5000) <= 4 * 50


def test_a_larger_share_keeps_those_who_were_in() -> None:
    def on(share: int) -> set[str]:
        rule = {"fractional": [["on", share], ["off", 100 - share]]}
        ours = evaluator(parse_flag("a", define(targeting=rule)))
        return {key for key in KEYS[:2000] if ours.resolve("boolean", "a", False, of(key)).value}

    assert on(5) < on(10) < on(50)


def test_a_kill_switch_wins_over_every_rule() -> None:
    flag = parse_flag("a", define(state="DISABLED", targeting={"fractional": [["on", 1]]}))
    details = evaluator(flag).resolve("boolean", "a", False, of(None))
    assert (details.value, details.reason, details.variant) == (False, Reason.DISABLED, None)


def test_an_unmet_prerequisite_disables_a_flag() -> None:
    needy = parse_flag("a", define(defaultVariant="on", metadata=METADATA | {"prerequisites": "b=on"}))
    for state, default, value in (
        ("ENABLED", "off", False),
        ("DISABLED", "on", False),
        ("ENABLED", "on", True),
    ):
        ours = evaluator(needy, parse_flag("b", define(state=state, defaultVariant=default)))
        details = ours.resolve("boolean", "a", False, None)
        assert details.value is value
        if not value:
            assert details.reason == Reason.DISABLED
            assert details.flag_metadata["unmet"] == "b=on"


def test_prerequisites_are_evaluated_for_whom_is_asked(canary: Flag) -> None:
    needy = parse_flag("a", define(defaultVariant="on", metadata=METADATA | {"prerequisites": "canary=on"}))
    ours = evaluator(needy, canary)
    for key in KEYS[:200]:
        expected = ours.resolve("boolean", "canary", False, of(key)).value
        assert ours.resolve("boolean", "a", False, of(key)).value is expected


def test_a_fraction_without_a_targeting_key_is_an_error(canary: Flag) -> None:
    for context in (None, of(None), of("")):
        with pytest.raises(TargetingKeyMissingError, match="buckets by the targeting key"):
            evaluator(canary).resolve("boolean", "canary", False, context)


def test_what_is_asked_wrong_is_an_error(canary: Flag) -> None:
    with pytest.raises(FlagNotFoundError):
        evaluator(canary).resolve("boolean", "other", False, of("a"))
    with pytest.raises(FlagNotFoundError, match="no flag 'other'"):
        evaluator(canary).value("other", of("a"))
    with pytest.raises(TypeMismatchError):
        evaluator(canary).resolve("string", "canary", "", of("a"))


@pytest.mark.parametrize("value", [True, "red", 3, 3.5, {"a": [1]}])
def test_a_value_comes_as_it_was_written(value: Any) -> None:
    flag = parse_flag("a", define(variants={"only": value}, defaultVariant="only"))
    found = evaluator(flag).value("a", None).value
    assert found == value
    assert type(found) is type(value)


def test_a_flag_without_a_default_leaves_the_value_to_the_code() -> None:
    flag = parse_flag("a", define(defaultVariant=None))
    details = evaluator(flag).value("a", None)
    assert (details.value, details.variant) == (MISSING, None)
    assert evaluator(flag).resolve("boolean", "a", True, None).value is True


@pytest.mark.parametrize(
    "document", ["", "[]", "{}", '{"flags": 3}', '{"flags": {"a": 3}}', '{"flags": {"a": {}}}']
)
def test_a_document_that_is_none_is_refused(document: str) -> None:
    with pytest.raises(InvalidFlag, match="the document can't be used"):
        Evaluator(document)
