"""What a change of the contracts would break for those who already speak them.

Within a major version a field may be added with a default; nothing is renamed, retyped, removed,
made required or bound more tightly.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_LOWER_BOUNDS = ("minimum", "exclusiveMinimum", "minLength", "minItems")
_UPPER_BOUNDS = ("maximum", "exclusiveMaximum", "maxLength", "maxItems")

Schema = dict[str, Any]


def breaking_changes(released: Schema, current: Schema) -> list[str]:
    """One sentence for each breaking change between two documents of `schema.json_schema`."""
    changes = []
    for name, before in sorted(released["$defs"].items()):
        after = current["$defs"].get(name)
        if after is None:
            changes.append(f"{name}: the type was removed")
        else:
            changes.extend(_compare(name, before, after))
    return changes


def breaking_channels(released: Schema, current: Schema) -> list[str]:
    """One sentence for each channel of an AsyncAPI document that moved, went or speaks another type."""
    changes = []
    for name, before in sorted(released["channels"].items()):
        after = current["channels"].get(name)
        if after is None:
            changes.append(f"channel {name}: removed")
            continue
        if before["address"] != after["address"]:
            changes.append(f"channel {name}: moved from {before['address']} to {after['address']}")
        if sorted(before["messages"]) != sorted(after["messages"]):
            changes.append(
                f"channel {name}: carries {sorted(after['messages'])} instead of {sorted(before['messages'])}"
            )
    return changes


def _compare(path: str, before: Schema, after: Schema) -> Iterator[str]:
    old, new = before.get("properties", {}), after.get("properties", {})
    for field in sorted(set(old) - set(new)):
        yield f"{path}.{field}: the field was removed"
    for field in sorted(set(new) - set(old)):
        if field in after.get("required", []):
            yield f"{path}.{field}: a new field without a default"
    for field in sorted(set(after.get("required", [])) & set(old) - set(before.get("required", []))):
        yield f"{path}.{field}: became required"
    for field in sorted(set(old) & set(new)):
        yield from _compare(f"{path}.{field}", old[field], new[field])
    if _kind(before) != _kind(after):
        yield f"{path}: retyped from {_kind(before)} to {_kind(after)}"
    for value in before.get("enum", []):
        if "enum" in after and value not in after["enum"]:
            yield f"{path}: the value {value!r} was removed"
    if before.get("pattern") != after.get("pattern"):
        yield f"{path}: its pattern changed from {before.get('pattern')} to {after.get('pattern')}"
    yield from _tightened(path, before, after)
    for part in ("items", "additionalProperties"):
        if isinstance(before.get(part), dict) and isinstance(after.get(part), dict):
            yield from _compare(f"{path}[]", before[part], after[part])
    if before.get("additionalProperties", True) is not False and after.get("additionalProperties") is False:
        yield f"{path}: refuses unknown fields"


def _kind(schema: Schema) -> str:
    if "anyOf" in schema:
        return " or ".join(sorted(_kind(option) for option in schema["anyOf"]))
    if "$ref" in schema:
        return str(schema["$ref"]).rsplit("/", 1)[-1]
    kind = str(schema.get("type", "enum" if "enum" in schema else "any"))
    return f"{kind}({schema['format']})" if "format" in schema else kind


def _tightened(path: str, before: Schema, after: Schema) -> Iterator[str]:
    for bound in _LOWER_BOUNDS:
        if bound in after and after[bound] > before.get(bound, float("-inf")):
            yield f"{path}: {bound} rose from {before.get(bound, 'none')} to {after[bound]}"
    for bound in _UPPER_BOUNDS:
        if bound in after and after[bound] < before.get(bound, float("inf")):
            yield f"{path}: {bound} fell from {before.get(bound, 'none')} to {after[bound]}"
