"""The contracts stay readable for those who already speak them, and each break is named."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from emily_contracts.compatibility import breaking_changes, breaking_channels
from emily_contracts.schema import asyncapi, json_schema
from jsonschema import Draft202012Validator

RELEASED = Path(__file__).parent.parent / "released"


def test_nothing_released_is_broken() -> None:
    assert breaking_changes(json.loads((RELEASED / "schema.json").read_text()), json_schema()) == []
    assert breaking_channels(json.loads((RELEASED / "asyncapi.json").read_text()), asyncapi()) == []


def test_the_export_is_a_valid_schema_and_accepts_a_stimulus() -> None:
    schema = json_schema()
    Draft202012Validator.check_schema(schema)
    draft = {"modality": "vision", "signals": [{"channel": "fovea", "values": [3.0]}]}
    validator = Draft202012Validator({**schema, "$ref": "#/$defs/StimulusDraft"})
    assert validator.is_valid(draft)
    assert not validator.is_valid({"modality": "vision"})


def test_asyncapi_refers_only_to_what_it_defines() -> None:
    document = asyncapi()

    def references(node: Any) -> list[str]:
        if isinstance(node, dict):
            own = [node["$ref"]] if "$ref" in node else []
            return own + [ref for value in node.values() for ref in references(value)]
        return [ref for value in node for ref in references(value)] if isinstance(node, list) else []

    for reference in references(document):
        target: Any = document
        for part in reference.removeprefix("#/").split("/"):
            assert part in target, reference
            target = target[part]


def _change(path: str, value: Any) -> dict[str, Any]:
    document = copy.deepcopy(json_schema())
    *parents, last = path.split("/")
    node = document["$defs"]
    for part in parents:
        node = node[part]
    if value is None:
        del node[last]
    else:
        node[last] = value
    return document


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        ("Act", None, "Act: the type was removed"),
        ("Act/properties/place", None, "Act.place: the field was removed"),
        ("Act/required", ["kind", "label"], "Act.label: became required"),
        ("Outcome/properties/reward", {"type": "string"}, "Outcome.reward: retyped from number to string"),
        ("Outcome/properties/decision_id", {"type": "string"}, "retyped from string(uuid) to string"),
        ("Signal/properties/values/maxItems", 5, "Signal.values: maxItems fell from 4096 to 5"),
        ("Signal/properties/values/minItems", 2, "Signal.values: minItems rose from 1 to 2"),
        (
            "Signal/properties/values/items",
            {"type": "integer"},
            "Signal.values[]: retyped from number to integer",
        ),
        ("Signal/properties/channel/pattern", "^a$", "Signal.channel: its pattern changed"),
        ("Status/enum", ["decided", "reflex", "degraded"], "Status: the value 'failed' was removed"),
        ("Act/additionalProperties", False, "Act: refuses unknown fields"),
    ],
)
def test_each_breaking_change_is_named(path: str, value: Any, sentence: str) -> None:
    changes = breaking_changes(json_schema(), _change(path, value))
    assert any(sentence in change for change in changes), changes


def test_a_new_field_breaks_only_without_a_default() -> None:
    optional = _change("Act/properties/speed", {"type": "number", "default": 1.0})
    assert breaking_changes(json_schema(), optional) == []
    required = copy.deepcopy(optional)
    required["$defs"]["Act"]["required"] = ["kind", "speed"]
    assert breaking_changes(json_schema(), required) == ["Act.speed: a new field without a default"]


def test_a_moved_or_removed_channel_is_named() -> None:
    moved = asyncapi()
    moved["channels"]["stimulus"]["address"] = "emily/{space}/stim/{modality}"
    del moved["channels"]["body"]
    moved["channels"]["percept"]["messages"] = {"Body": {}}
    changes = breaking_channels(asyncapi(), moved)
    assert changes == [
        "channel body: removed",
        "channel percept: carries ['Body'] instead of ['Percept']",
        "channel stimulus: moved from emily/{space}/stimulus/{modality} to emily/{space}/stim/{modality}",
    ]
