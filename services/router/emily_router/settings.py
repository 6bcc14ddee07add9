"""What can be set about the router."""

from __future__ import annotations

from typing import Annotated

from emily_contracts.constraints import Name
from emily_runtime import ServiceSettings
from msgspec import Meta

Count = Annotated[int, Meta(ge=1)]


class RouterSettings(ServiceSettings, frozen=True, kw_only=True):
    """Settings of the router, EMILY_ROUTER_* in the environment.

    Attributes:
        colour: Of the stack that answers.
        modalities: That the minds can read; others are refused.
        in_flight: Most stimuli owed an answer at once; more are refused.
        remembered: Most answers that are given again when asked again.
        remember_s: How long.
        watchers: Most clients of the event stream.
        watcher_buffer: Events that one such client may be behind.
        allowed_hosts: Names in the Host header that are served, against DNS rebinding.
    """

    namespace: str = "emily"
    http_port: int = 8080
    colour: Name = "blue"
    modalities: tuple[Name, ...] = ("vision", "interoception")
    in_flight: Count = 2048
    remembered: Count = 65_536
    remember_s: Annotated[float, Meta(gt=0)] = 600.0
    watchers: Count = 64
    watcher_buffer: Count = 256
    allowed_hosts: tuple[str, ...] = ("localhost", "127.0.0.1", "::1")
