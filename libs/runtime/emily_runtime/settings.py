"""A service's settings, and how they get it on the bus."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from emily_bus import BusSettings
from emily_bus.settings import EMBEDDED_FILE, EMBEDDED_USER
from msgspec import Meta

from emily_runtime.bus_password import BusPassword
from emily_runtime.secrets import SecretSource
from emily_runtime.secrets.reference import REFERENCES, SecretReference
from emily_runtime.secrets.setting import SecretSetting, given, given_once


class ServiceSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What every service can be told."""

    bus_endpoint: Annotated[
        str,
        Meta(
            pattern=r"^(tcp|tls)/[^/]+:[0-9]{1,5}$",
            description="Zenoh endpoint of the bus router, tcp/HOST:PORT or tls/HOST:PORT",
        ),
    ] = "tcp/127.0.0.1:7447"
    bus_user: Annotated[
        str | None, Meta(description="User on a bus that asks for one; else that of state_dir/bus.password")
    ] = None
    bus_password_secret: Annotated[
        SecretReference | None, Meta(description=f"Where its password is: {REFERENCES}")
    ] = None
    bus_password_file: Annotated[Path | None, Meta(description="File that holds it")] = None
    bus_ca_file: Annotated[Path | None, Meta(description="Authority of a tls/ endpoint")] = None
    bus_certificate_file: Annotated[Path | None, Meta(description="Own certificate, for mutual TLS")] = None
    bus_key_file: Annotated[Path | None, Meta(description="Key of the own certificate")] = None
    namespace: Annotated[
        str,
        Meta(pattern=r"^[a-z0-9-]+(/[a-z0-9-]+)*$", description="Zenoh namespace: emily, or emily/<colour>"),
    ] = "emily/blue"
    http_host: Annotated[str, Meta(min_length=1, description="Address of the HTTP endpoints")] = "127.0.0.1"
    http_port: Annotated[int, Meta(ge=0, le=65535, description="Its port; 0 takes a free one")] = 0
    state_dir: Annotated[Path, Meta(description="Where checkpoints are kept")] = Path(".emily")
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="Least severity that is logged")
    ] = "info"
    log_format: Annotated[
        Literal["auto", "json", "console"], Meta(description="auto: JSON unless on a terminal")
    ] = "auto"
    otlp_endpoint: Annotated[
        Annotated[str, Meta(pattern="^https?://")] | None,
        Meta(description="OTLP/HTTP collector that gets traces, such as http://127.0.0.1:4318"),
    ] = None
    drain_timeout_s: Annotated[float, Meta(gt=0, le=300, description="Until a drain must be over")] = 5.0
    checkpoint_interval_s: Annotated[
        float, Meta(gt=0, le=60, description="Age of the newest checkpoint at most")
    ] = 1.0

    def __post_init__(self) -> None:
        given_once(self, "bus_password")
        if (self.bus_user is None) != (given(self, "bus_password") is None):
            raise ValueError("bus_user and bus_password_secret: give both or neither")
        if (self.bus_certificate_file is None) != (self.bus_key_file is None):
            raise ValueError("bus_certificate_file and bus_key_file: give both or neither")


def bus_settings(settings: ServiceSettings) -> BusSettings:
    """How to get on the bus: as the user that is named, else as that of the system in `state_dir`."""
    user, password = _credentials(settings)
    return BusSettings(
        endpoint=settings.bus_endpoint,
        user=user,
        password=None if password is None else BusPassword(password),
        ca_file=settings.bus_ca_file,
        certificate_file=settings.bus_certificate_file,
        key_file=settings.bus_key_file,
    )


def _credentials(settings: ServiceSettings) -> tuple[str | None, SecretSource | None]:
    embedded = settings.state_dir / EMBEDDED_FILE
    if settings.bus_user is None and embedded.exists():
        return EMBEDDED_USER, SecretSetting(f"file:{embedded}", name=EMBEDDED_FILE)
    return settings.bus_user, given(settings, "bus_password")
