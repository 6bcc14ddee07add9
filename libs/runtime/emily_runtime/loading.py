"""How settings are read: from the environment over an optional TOML file, and all that is wrong at once."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import msgspec.inspect

from emily_runtime.errors import SettingsError

CONFIG_FILE = "EMILY_CONFIG"
_SECRET_ENDINGS = ("password", "token", "key", "secret")
_SHOWN = 60


def load_settings[S: msgspec.Struct](type: type[S], *, service: str, environ: Mapping[str, str]) -> S:
    """The settings of a service: defaults, then the TOML table of its name, then the environment.

    Raises:
        SettingsError: Lists every unknown name, every bad value and every file of the bus that can't be
            read, at once.
    """
    problems: list[str] = []
    rows = {field.name: field for field in msgspec.structs.fields(type)}
    given = _in_file(service, environ, problems) | _in_environment(service, environ, rows)
    values: dict[str, Any] = {}
    for name, (source, value) in given.items():
        field = rows.get(name)
        if field is None:
            problems.append(f"{source}: no such setting{_closest(name, rows, service)}")
            continue
        try:
            values[name] = msgspec.convert(
                value, field.type, strict=source.startswith("["), dec_hook=_path_of
            )
        except msgspec.ValidationError:
            problems.append(f"{source}={shown(name, value)}: {_remedy(field)}")
            continue
        unreadable = _unreadable(name, values[name])
        if unreadable:
            problems.append(f"{source}={value}: {unreadable}; name a readable file")
    problems += [
        f"{variable(service, name)}: must be set; {_remedy(field)}"
        for name, field in rows.items()
        if field.required and name not in given
    ]
    if not problems:
        try:
            return type(**values)
        except ValueError as failure:
            problems.append(str(failure))
    raise SettingsError(f"{len(problems)} wrong in the settings of {service}:\n  " + "\n  ".join(problems))


def variable(service: str, name: str = "") -> str:
    """The environment variable of a setting."""
    return f"EMILY_{service}_{name}".upper().replace("-", "_")


def shown(name: str, value: Any) -> str:
    """A value as people may see it: never a secret, never long."""
    if name.endswith(_SECRET_ENDINGS):
        return "(hidden)"
    text = str(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."


def _in_environment(
    service: str, environ: Mapping[str, str], rows: Mapping[str, msgspec.structs.FieldInfo]
) -> dict[str, tuple[str, Any]]:
    start = variable(service)
    found: dict[str, tuple[str, Any]] = {}
    for name, text in sorted(environ.items()):
        if name.startswith(start):
            setting = name.removeprefix(start)
            setting = setting.lower() if setting.isupper() else name
            listed = setting in rows and _is_list(rows[setting])
            found[setting] = (name, [word for word in text.split(",") if word] if listed else text)
    return found


def _is_list(field: msgspec.structs.FieldInfo) -> bool:
    """Whether the environment gives the setting as words between commas."""
    kind = msgspec.inspect.type_info(field.type)
    kind = kind.type if isinstance(kind, msgspec.inspect.Metadata) else kind
    return isinstance(kind, msgspec.inspect.VarTupleType)


def _in_file(service: str, environ: Mapping[str, str], problems: list[str]) -> dict[str, tuple[str, Any]]:
    file = environ.get(CONFIG_FILE)
    if not file:
        return {}
    try:
        table = tomllib.loads(Path(file).read_text()).get(service, {})
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as failure:
        problems.append(f"{CONFIG_FILE}={file}: {failure}")
        return {}
    if not isinstance(table, dict):
        problems.append(
            f"{CONFIG_FILE}={file}: {service} is not a table; write [{service}] above its settings"
        )
        return {}
    return {name: (f"[{service}] {name}", value) for name, value in table.items()}


def _unreadable(name: str, value: Any) -> str:
    """Why a password or certificate of the bus can't be read; empty when it can, or is none."""
    if not (name.startswith("bus_") and name.endswith("_file") and isinstance(value, Path)):
        return ""
    try:
        value.read_text()
    except OSError as failure:
        return failure.strerror or "it can't be read"
    except UnicodeDecodeError:
        return "it is not a text in UTF-8"
    return ""


def _path_of(type: type, value: Any) -> Any:
    if type is Path and isinstance(value, str) and value:
        return Path(value)
    raise ValueError(f"not a {type.__name__}")


def _remedy(field: msgspec.structs.FieldInfo) -> str:
    from emily_runtime.settings_table import described  # noqa: PLC0415 - only people who erred pay for it

    setting = described(field)
    otherwise = "" if field.required else f", or leave it out for {setting.default or 'nothing'}"
    meaning = f" ({setting.meaning})" if setting.meaning else ""
    return f"give {setting.type}{meaning}{otherwise}"


def _closest(name: str, known: Iterable[str], service: str) -> str:
    meant = name.lower().removeprefix(variable(service).lower())
    matches = difflib.get_close_matches(meant, known, n=1)
    if matches:
        return f"; did you mean {variable(service, matches[0])}?"
    return f"; there are {', '.join(sorted(known))}"
