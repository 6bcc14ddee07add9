"""A rule that gets through can be evaluated and ends."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from emily_flags import Evaluator, InvalidFlag, document_of, parse_document, parse_flag
from emily_flags.targeting import DEEPEST, OPERATORS, buckets_by_key, check, expanded
from emily_flags.testing import METADATA, define
from hypothesis import given, settings
from hypothesis import strategies as st
from json_logic import jsonLogic
from openfeature.contrib.tools.flagd.core.targeting.targeting import OPERATORS as FLAGD
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import OpenFeatureError

VARIANTS = ("on", "off")


def test_flagd_evaluates_every_operator_that_is_let_in() -> None:
    for operator, (least, _) in OPERATORS.items():
        with contextlib.suppress(
            TypeError, ZeroDivisionError
        ):  # of arguments; an unknown one is a ReferenceError
            jsonLogic({operator: [1, 1, 1][:least]}, {}, FLAGD)
    with pytest.raises(ReferenceError):
        jsonLogic({"iff": [1]}, {}, FLAGD)


@pytest.mark.parametrize(
    "rule",
    [
        {},
        {"if": [{"==": [{"var": "subject"}, "ann"]}, "on", "off"]},
        {"if": [{"in": [{"var": "subject"}, ["ann", "bob"]]}, "on", {"<": [1, 2]}, "off", None]},
        {"fractional": [["on", 1], ["off", 9]]},
        {"fractional": [{"cat": [{"var": "$flagd.flagKey"}, {"var": "subject"}]}, ["on"], ["off"]]},
        {"if": [{"sem_ver": [{"var": "version"}, ">=", "1.0.0"]}, {"fractional": [["on", 1]]}, "off"]},
        {"if": [{">": [{"var": "$flagd.timestamp"}, 1_800_000_000]}, "on", "off"]},
        {"starts_with": [{"var": "subject"}, "a"]},
        {"if": [{"some": [{"var": "rooms"}, {"==": [{"var": ""}, "hall"]}]}, "on", "off"]},
        {"if": [{"reduce": [[1, 2], {"+": [{"var": "accumulator"}, {"var": "current"}]}, 0]}, "on"]},
    ],
)
def test_rules_that_people_write_pass(rule: dict[str, Any]) -> None:
    check(rule, (*VARIANTS, "true", "false"), flag="a")


@pytest.mark.parametrize(
    ("rule", "place", "words"),
    [
        ({"fractional": [["red", 1]]}, "targeting.fractional[0][0]", "'red' is no variant"),
        ({"fractional": [["on", -1]]}, "targeting.fractional[0][1]", "whole number from 0"),
        ({"fractional": [["on", True]]}, "targeting.fractional[0][1]", "whole number from 0"),
        ({"fractional": [["on", 0.5]]}, "targeting.fractional[0][1]", "whole number from 0"),
        ({"fractional": [["on", 0]]}, "targeting.fractional", "no share has a weight"),
        ({"fractional": [["on", 2**31]]}, "targeting.fractional", "at most 2147483647"),
        ({"fractional": [{"var": "subject"}]}, "targeting.fractional", "no share has a weight"),
        ({"fractional": [["on", 1], "off"]}, "targeting.fractional[1]", "not a share"),
        ({"if": [True, "yes"]}, "targeting.if[1]", "'yes' is no variant"),
        ({"if": [True, ["on"]]}, "targeting.if[1]", "a list is no variant"),
        ({"if": [True]}, "targeting.if", "takes 2 to any number of arguments, got 1"),
        ({"iff": [True, "on"]}, "targeting", "no operator 'iff'"),
        ({"if": [True, "on"], "or": []}, "targeting", "has one operator, this has 2"),
        ({"if": [{"var": "$flagd.key"}, "on"]}, "targeting.if[0].var", "is not given"),
        ({"if": [{"sem_ver": ["1", "=>", "2"]}, "on"]}, "targeting.if[0].sem_ver[1]", "compares nothing"),
        ({"if": [{"==": [1]}, "on"]}, "targeting.if[0].==", "takes 2 arguments, got 1"),
        ({"if": [{"var": {"cat": ["a"]}}, "on"]}, "targeting.if[0].var", "no rule"),
        (
            {"if": [{"map": [[1], {"!": [{"all": [[1], True]}]}]}, "on"]},
            "targeting.if[0].map",
            "for each item within",
        ),
        (
            {"if": [{"reduce": [[1], {"cat": [{"var": "accumulator"}, {"var": ""}]}, "a"]}, "on"]},
            "targeting.if[0].reduce[1]",
            "could double for ever",
        ),
    ],
)
def test_a_mistake_is_named_by_its_place(rule: dict[str, Any], place: str, words: str) -> None:
    with pytest.raises(InvalidFlag) as refusal:
        check(rule, VARIANTS, flag="a")
    assert refusal.value.field == place
    assert words in refusal.value.reason


def nested(depth: int) -> dict[str, Any]:
    rule: dict[str, Any] = {"!": [True]}
    for _ in range(depth):
        rule = {"!": [rule]}
    return {"if": [rule, "on", "off"]}


def test_a_rule_that_nests_without_end_is_refused() -> None:
    parse_flag("a", define(targeting=nested(DEEPEST - 2)))
    for depth in (DEEPEST, 400):
        with pytest.raises(InvalidFlag, match=r"flags\.a\.targeting.*: nests deeper than 32 rules"):
            parse_flag("a", define(targeting=nested(depth)))


def test_evaluators_are_put_where_they_are_referred_to() -> None:
    evaluators = {"team": {"in": [{"var": "subject"}, {"$ref": "people"}]}, "people": ["ann", "bob"]}
    rule = expanded({"if": [{"$ref": "team"}, "on", "off"]}, evaluators)
    assert rule == {"if": [{"in": [{"var": "subject"}, ["ann", "bob"]]}, "on", "off"]}


def test_evaluators_that_loop_are_refused() -> None:
    document = '{"flags": {}, "$evaluators": {"a": {"!": [{"$ref": "b"}]}, "b": {"!": [{"$ref": "a"}]}}}'
    with pytest.raises(InvalidFlag, match=r"\$evaluators\.a.*loops: (a -> b -> a|b -> a -> b)"):
        parse_document(document)


def test_an_evaluator_that_is_not_there_is_named() -> None:
    with pytest.raises(InvalidFlag, match=r"targeting\.if\[0\]: there is no evaluator 'c'; there are a"):
        expanded({"if": [{"$ref": "c"}, "on"]}, {"a": {}})


def test_evaluators_that_multiply_are_refused_before_they_fill_memory() -> None:
    """Each refers ten times to the one before: ten to the thirtieth parts."""
    evaluators: dict[str, Any] = {"e0": [1] * 10}
    for number in range(30):
        evaluators[f"e{number + 1}"] = [{"$ref": f"e{number}"}] * 10
    with pytest.raises(InvalidFlag, match=r"has over 2000 parts|nests deeper"):
        expanded({"in": [1, {"$ref": "e30"}]}, evaluators)


def test_a_rule_tells_whether_it_buckets_by_the_targeting_key() -> None:
    assert buckets_by_key({"if": [True, {"fractional": [["on", 1]]}, None]})
    assert not buckets_by_key({"fractional": [{"var": "subject"}, ["on", 1]]})
    assert not buckets_by_key({"if": [True, "on"]})


values = st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from([*VARIANTS, "subject", "1.2.3"])
rules = st.recursive(
    values | st.builds(lambda name: {"var": name}, st.sampled_from(["subject", "$flagd.timestamp"])),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.builds(
            lambda operator, arguments: {operator: arguments},
            st.sampled_from(sorted(OPERATORS)),
            st.lists(inner, min_size=1, max_size=3),
        )
    ),
    max_leaves=12,
)


@settings(max_examples=400)
@given(st.builds(lambda a, b: {"if": [a, "on", b]}, rules, rules), st.sampled_from(["", "ann", "bob"]))
def test_a_rule_that_passes_gives_a_variant_or_an_error_with_a_name(
    rule: dict[str, Any], subject: str
) -> None:
    definition = {
        "state": "ENABLED",
        "variants": {"on": True, "off": False},
        "defaultVariant": "off",
        "targeting": rule,
        "metadata": METADATA,
    }
    try:
        flag = parse_flag("a", definition)
    except InvalidFlag:
        return
    evaluator = Evaluator(document_of([flag], 1))
    context = EvaluationContext(subject or None, {"subject": subject})
    try:
        details = evaluator.resolve("boolean", "a", False, context)
    except OpenFeatureError:
        return
    assert details.variant in VARIANTS
