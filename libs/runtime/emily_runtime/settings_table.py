"""What a service can be told, as people read it: in `--help`, in the documentation and in errors."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec
from msgspec import inspect

from emily_runtime.loading import shown, variable


class Setting(NamedTuple):
    """One row of the table."""

    name: str
    type: str
    default: str
    meaning: str


def describe_settings(type: type[msgspec.Struct]) -> list[Setting]:
    """Every setting in the order of the Struct."""
    return [described(field) for field in msgspec.structs.fields(type)]


def described(field: msgspec.structs.FieldInfo) -> Setting:
    """One setting: its type with its bounds in words, its default and its `Meta` description."""
    kind = inspect.type_info(field.type)
    schema = kind.extra_json_schema if isinstance(kind, inspect.Metadata) else None
    meaning = (schema or {}).get("description", "")
    default = "required" if field.required else _shown_default(field)
    return Setting(field.name, _in_words(kind), default, meaning)


def usage(type: type[msgspec.Struct], service: str) -> str:
    """What `--help` prints."""
    lines = [
        f"emily-{service}",
        "",
        f"Settings, from the environment or as lower-case names in [{service}] of the file $EMILY_CONFIG:",
    ]
    for setting in describe_settings(type):
        lines += [
            "",
            f"  {variable(service, setting.name)} = {setting.default}",
            f"      {setting.meaning}: {setting.type}",
        ]
    return "\n".join(lines)


def markdown(type: type[msgspec.Struct], service: str) -> str:
    """A table for the documentation."""
    rows = [("Variable", "Type", "Default", "Meaning"), ("---",) * 4]
    rows += [
        (f"`{variable(service, row.name)}`", row.type, f"`{row.default}`", row.meaning)
        for row in describe_settings(type)
    ]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows)


def _shown_default(field: msgspec.structs.FieldInfo) -> str:
    value = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
    if isinstance(value, tuple):
        value = ",".join(map(str, value))
    return "nothing" if value is None else shown(field.name, value)


def _in_words(kind: inspect.Type) -> str:
    match kind:
        case inspect.Metadata():
            words = _in_words(kind.type)
        case inspect.UnionType():
            some = [_in_words(one) for one in kind.types if not isinstance(one, inspect.NoneType)]
            words = " or ".join([*some, "nothing"] if kind.includes_none else some)
        case inspect.LiteralType():
            words = "one of " + ", ".join(map(str, kind.values))
        case inspect.IntType():
            words = "a whole number" + _bounds(kind)
        case inspect.FloatType():
            words = "a number" + _bounds(kind)
        case inspect.StrType():
            words = "text" + _length(kind)
        case inspect.BoolType():
            words = "true or false"
        case inspect.VarTupleType():
            words = "several, between commas, of " + _in_words(kind.item_type)
        case inspect.CustomType():
            words = f"a {kind.cls.__name__.lower()}"
        case _:
            words = type(kind).__name__.removesuffix("Type").lower()
    return words


def _bounds(kind: inspect.IntType | inspect.FloatType) -> str:
    bounds: list[tuple[str, Any]] = [
        ("above", kind.gt),
        ("from", kind.ge),
        ("below", kind.lt),
        ("to", kind.le),
    ]
    return "".join(f" {word} {bound}" for word, bound in bounds if bound is not None)


def _length(kind: inspect.StrType) -> str:
    parts = [
        f" of at least {kind.min_length} characters" if kind.min_length else "",
        f" of at most {kind.max_length} characters" if kind.max_length else "",
        f" that matches {kind.pattern}" if kind.pattern else "",
    ]
    return "".join(parts)
