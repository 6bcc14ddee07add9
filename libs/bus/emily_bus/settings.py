"""How a session reaches the router."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

EMBEDDED_USER = "emily"
"""Of every part of a system that `emily up` started."""
EMBEDDED_FILE = "bus.password"
"""The file of the password of `EMBEDDED_USER`, in the state folder."""


class BusSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where the router is and how to be let in; loopback and without multicast unless told otherwise.

    Attributes:
        endpoint: Zenoh endpoint of the router, such as `tcp/127.0.0.1:7447` or `tls/host:7447`.
        open_timeout_s: Until the first connection must stand.
        publish_timeout_s: How long a publisher waits for credit, or for the router to come back.
        user, password: For routers that ask; the password is asked for anew for each session.
        ca_file: Certificate authority of a `tls/` router.
        certificate_file, key_file: Own certificate, for mutual TLS.
    """

    endpoint: str = "tcp/127.0.0.1:7447"
    open_timeout_s: float = 5.0
    publish_timeout_s: float = 10.0
    user: str | None = None
    password: Callable[[], str] | None = None
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None

    def __post_init__(self) -> None:
        if (self.user is None) != (self.password is None):
            raise ValueError("user and password: give both or neither")
        if (self.certificate_file is None) != (self.key_file is None):
            raise ValueError("certificate_file and key_file: give both or neither")


def session_config(settings: BusSettings, namespace: str) -> str:
    """The session's Zenoh configuration as JSON."""
    config: dict[str, Any] = {
        "mode": "client",
        "namespace": namespace,
        "scouting": {"multicast": {"enabled": False}, "gossip": {"enabled": False}},
        "connect": {
            "endpoints": [settings.endpoint],
            "timeout_ms": int(settings.open_timeout_s * 1000),
            "exit_on_failure": True,
            "retry": {"period_init_ms": 50, "period_max_ms": 500, "period_increase_factor": 1.5},
        },
    }
    transport: dict[str, Any] = {"unicast": {"open_timeout": int(settings.open_timeout_s * 1000)}}
    if settings.user is not None and settings.password is not None:
        password = settings.password().strip()
        transport["auth"] = {"usrpwd": {"user": settings.user, "password": password}}
    if settings.ca_file is not None:
        tls: dict[str, Any] = {"root_ca_certificate": str(settings.ca_file)}
        if settings.certificate_file is not None:
            tls |= {
                "enable_mtls": True,
                "connect_certificate": str(settings.certificate_file),
                "connect_private_key": str(settings.key_file),
            }
        transport["link"] = {"tls": tls}
    config["transport"] = transport
    return json.dumps(config)
