"""Why no session opened: Zenoh tells a refused user and a missing router apart by nothing."""

from __future__ import annotations

import anyio

from emily_bus.settings import BusSettings

PROBE_TIMEOUT_S = 1.0
_OVER_TCP = ("tcp", "tls")


async def diagnosis(settings: BusSettings) -> str:
    """What most likely keeps a session from opening, and what to do about it."""
    within = f"within {settings.open_timeout_s:g} s"
    listening = await _listening(settings.endpoint)
    if listening:
        told = (
            f"{settings.endpoint} takes connections but opened no session {within}; {_credentials(settings)}"
        )
        return f"{told}; for tls/ check the certificate files too" if _is_tls(settings) else told
    missing = f"no router at {settings.endpoint} {within}; start one with: python -m emily_bus.router"
    if listening is None and settings.user is not None:
        return f"{missing}; or {_credentials(settings)}"
    return missing


def _credentials(settings: BusSettings) -> str:
    if settings.user is not None:
        return (
            "a wrong user or password looks like this, and so does a router that asks for none: "
            f"check bus_user ({settings.user}) and bus_password_secret or bus_password_file"
        )
    return "a router that asks for a user looks like this: set bus_user and bus_password_secret"


def _is_tls(settings: BusSettings) -> bool:
    return settings.endpoint.startswith("tls/")


async def _listening(endpoint: str) -> bool | None:
    """Whether somebody takes connections there; none when it is no TCP endpoint, which can't be told."""
    protocol, _, address = endpoint.partition("?")[0].partition("#")[0].partition("/")
    host, _, port = address.rpartition(":")
    if protocol not in _OVER_TCP or not port.isdecimal():
        return None
    with anyio.move_on_after(PROBE_TIMEOUT_S):
        try:
            stream = await anyio.connect_tcp(host.strip("[]"), int(port))
        except OSError:
            return False
        await stream.aclose()
        return True
    return False
