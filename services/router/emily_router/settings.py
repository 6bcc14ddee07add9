"""What can be set about the router."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from emily_contracts.constraints import Name
from emily_contracts.routing import Colour
from emily_runtime import DatabaseSettings
from emily_runtime.secrets.reference import REFERENCES, SecretReference
from emily_runtime.secrets.setting import given_once
from msgspec import Meta


class RouterSettings(DatabaseSettings, frozen=True, kw_only=True):
    """Settings of the router, EMILY_ROUTER_* in the environment."""

    namespace: Annotated[
        str, Meta(pattern=r"^[a-z0-9-]+(/[a-z0-9-]+)*$", description="Root namespace of the whole system")
    ] = "emily"
    http_port: Annotated[
        int, Meta(ge=0, le=65535, description="Port of the API and the operations; 0 takes a free one")
    ] = 8080
    colours: Annotated[
        tuple[Colour, ...], Meta(min_length=1, description="Colours that traffic may be directed to")
    ] = ("blue", "green")
    colour: Annotated[
        Colour, Meta(description="The one that answers until traffic is directed for the first time")
    ] = "blue"
    token_secret: Annotated[
        SecretReference | None,
        Meta(
            description=f"Where the lines NAME TOKEN of who may direct it are: {REFERENCES}; "
            "else state_dir/traffic.token, made anew"
        ),
    ] = None
    token_file: Annotated[Path | None, Meta(description="File that holds those lines")] = None
    standby: Annotated[
        bool, Meta(description="Wait while another router lives in state_dir, and take over when it ends")
    ] = False
    modalities: Annotated[
        tuple[Name, ...], Meta(description="Modalities that the minds can read; others are refused")
    ] = ("vision", "interoception")
    in_flight: Annotated[
        int,
        Meta(
            ge=1, description="Most stimuli owed an answer at once, however fast they are; more are refused"
        ),
    ] = 2048
    remembered: Annotated[
        int, Meta(ge=1, description="Most answers that are given again when asked again")
    ] = 65_536
    remember_s: Annotated[float, Meta(gt=0, description="How long an answer is remembered")] = 600.0
    watchers: Annotated[int, Meta(ge=1, description="Most clients of the event stream")] = 64
    watcher_buffer: Annotated[int, Meta(ge=1, description="Events that such a client may be behind")] = 256
    allowed_hosts: Annotated[
        tuple[str, ...], Meta(description="Names in the Host header that are served, against DNS rebinding")
    ] = ("localhost", "127.0.0.1", "::1")

    def __post_init__(self) -> None:
        super().__post_init__()
        given_once(self, "token")
        if self.colour not in self.colours:
            raise ValueError(f"colour: {self.colour!r} is not among colours; add it there")
