"""A service's settings: one frozen Struct, read from the environment over an optional TOML file."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from emily_runtime.errors import SettingsError

CONFIG_FILE = "EMILY_CONFIG"
_SECRET_ENDINGS = ("password", "token", "key", "secret")
_SHOWN = 60


class ServiceSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What every service can be told."""

    bus_endpoint: Annotated[str, Meta(description="Zenoh endpoint of the bus router")] = "tcp/127.0.0.1:7447"
    bus_user: Annotated[str | None, Meta(description="User on a bus that asks for one")] = None
    bus_password_file: Annotated[Path | None, Meta(description="File that holds the bus password")] = None
    bus_ca_file: Annotated[Path | None, Meta(description="Authority of a tls/ endpoint")] = None
    bus_certificate_file: Annotated[Path | None, Meta(description="Own certificate, for mutual TLS")] = None
    bus_key_file: Annotated[Path | None, Meta(description="Key of the own certificate")] = None
    namespace: Annotated[
        str,
        Meta(pattern=r"^[a-z0-9-]+(/[a-z0-9-]+)*$", description="Zenoh namespace: emily, or emily/<colour>"),
    ] = "emily/blue"
    http_host: Annotated[str, Meta(description="Address of /metrics, /healthz and /readyz")] = "127.0.0.1"
    http_port: Annotated[int, Meta(ge=0, le=65535, description="Its port; 0 takes a free one")] = 0
    state_dir: Annotated[Path, Meta(description="Where checkpoints are kept")] = Path(".emily")
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="Least severity that is logged")
    ] = "info"
    log_format: Annotated[
        Literal["auto", "json", "console"], Meta(description="auto: JSON unless on a terminal")
    ] = "auto"
    otlp_endpoint: Annotated[str | None, Meta(description="OTLP/HTTP traces endpoint; off when absent")] = (
        None
    )
    drain_timeout_s: Annotated[float, Meta(gt=0, le=300, description="Until a drain must be over")] = 5.0
    checkpoint_interval_s: Annotated[
        float, Meta(gt=0, le=60, description="Age of the newest checkpoint at most")
    ] = 1.0


def prefix(service: str) -> str:
    """What the names of a service's variables begin with."""
    return f"EMILY_{service.upper().replace('-', '_')}_"


def load_settings[S: msgspec.Struct](type: type[S], *, service: str, environ: Mapping[str, str]) -> S:
    """The settings of a service: defaults, then the TOML table of its name, then the environment.

    Raises:
        SettingsError: Lists every unknown name and every bad value at once.
    """
    problems: list[str] = []
    fields = {field.name: field for field in msgspec.structs.fields(type)}
    given: dict[str, tuple[str, Any, bool]] = {}
    for name, value in _table(service, environ).items():
        given[name] = (f"[{service}] {name}", value, True)
    for variable, text in sorted(environ.items()):
        if variable.startswith(prefix(service)):
            given[variable.removeprefix(prefix(service)).lower()] = (variable, text, False)
    values: dict[str, Any] = {}
    for name, (source, value, strict) in given.items():
        if name not in fields:
            problems.append(f"{source}: no such setting{_closest(name, fields)}")
            continue
        try:
            values[name] = msgspec.convert(value, fields[name].type, strict=strict, dec_hook=_path)
        except msgspec.ValidationError as failure:
            problems.append(f"{source}={_shown(name, value)}: {failure}")
    problems += [
        f"{prefix(service)}{name.upper()}: must be set"
        for name, field in fields.items()
        if field.required and name not in given
    ]
    if not problems:
        try:
            return type(**values)
        except ValueError as failure:
            problems.append(str(failure))
    raise SettingsError(f"{len(problems)} wrong settings of {service}:\n  " + "\n  ".join(problems))


def describe_settings(type: type[msgspec.Struct], service: str) -> list[tuple[str, str, str]]:
    """(variable, default, meaning) of every setting, for help and documentation."""
    rows = []
    for field in msgspec.structs.fields(type):
        default = "required" if field.required else str(field.default)
        meta = next(
            (part for part in getattr(field.type, "__metadata__", ()) if isinstance(part, Meta)), None
        )
        rows.append(
            (prefix(service) + field.name.upper(), default, (meta.description if meta else None) or "")
        )
    return rows


def _table(service: str, environ: Mapping[str, str]) -> dict[str, Any]:
    file = environ.get(CONFIG_FILE)
    if file is None:
        return {}
    try:
        table: dict[str, Any] = tomllib.loads(Path(file).read_text()).get(service, {})
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as failure:
        raise SettingsError(f"{CONFIG_FILE}={file}: {failure}") from None
    return table


def _path(type: type, value: Any) -> Any:
    if type is Path and isinstance(value, str) and value:
        return Path(value)
    raise ValueError(f"Expected `{type.__name__}`, got {value!r}")


def _closest(name: str, known: Mapping[str, Any]) -> str:
    matches = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {matches[0]}?" if matches else f"; there are {', '.join(sorted(known))}"


def _shown(name: str, value: Any) -> str:
    if name.endswith(_SECRET_ENDINGS):
        return "(hidden)"
    text = str(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
