"""What can be set about the deployer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from emily_contracts.routing import Colour
from emily_runtime import DatabaseSettings
from emily_runtime.secrets import SecretSource
from emily_runtime.secrets.reference import REFERENCES, SecretReference
from emily_runtime.secrets.setting import SecretSetting, given, given_once
from msgspec import Meta


class DeployerSettings(DatabaseSettings, frozen=True, kw_only=True):
    """Settings of the deployer, EMILY_DEPLOYER_* in the environment."""

    namespace: Annotated[
        str, Meta(pattern=r"^[a-z0-9-]+(/[a-z0-9-]+)*$", description="Root namespace of the whole system")
    ] = "emily"
    driver: Annotated[
        Literal["embedded", "compose"], Meta(description="Colours are processes, or containers of Compose")
    ] = "embedded"
    compose_dir: Annotated[Path, Meta(description="Folder of compose.yaml, for the driver compose")] = Path()
    compose_command: Annotated[
        tuple[str, ...], Meta(min_length=1, description="Command of Compose, for the driver compose")
    ] = ("docker", "compose")
    colours: Annotated[
        tuple[Colour, ...],
        Meta(min_length=2, max_length=2, description="The two colours between which deploys go"),
    ] = ("blue", "green")
    token_secret: Annotated[
        SecretReference | None,
        Meta(
            description=f"Where the lines NAME TOKEN of who may deploy are: {REFERENCES}; "
            "else state_dir/deploys.token, made anew"
        ),
    ] = None
    token_file: Annotated[Path | None, Meta(description="File that holds those lines")] = None
    traffic_token_secret: Annotated[
        SecretReference | None,
        Meta(description=f"Where the router's token is: {REFERENCES}; else state_dir/traffic.token"),
    ] = None
    traffic_token_file: Annotated[Path | None, Meta(description="File that holds it")] = None
    hooks_dir: Annotated[
        Path | None, Meta(description="Folder of executables pre-STEP and post-STEP that run around steps")
    ] = None
    hook_timeout_s: Annotated[float, Meta(gt=0, le=3600, description="Until a hook is killed")] = 60.0
    ready_timeout_s: Annotated[float, Meta(gt=0, le=3600, description="Until a new colour must be ready")] = (
        60.0
    )
    attention_ms: Annotated[
        float, Meta(gt=0, le=10_000, description="Median that attention may need in the smoke tests")
    ] = 50.0
    allowed_hosts: Annotated[
        tuple[str, ...], Meta(description="Names in the Host header that are served, against DNS rebinding")
    ] = ("localhost", "127.0.0.1", "::1")

    def __post_init__(self) -> None:
        super().__post_init__()
        given_once(self, "token")
        given_once(self, "traffic_token")
        if self.colours[0] == self.colours[1]:
            raise ValueError(f"colours: {self.colours[0]!r} is there twice; name two")

    @property
    def pair(self) -> tuple[str, str]:
        """The two colours."""
        return self.colours[0], self.colours[1]

    @property
    def traffic_token(self) -> SecretSource:
        """The router's token."""
        own = SecretSetting(f"file:{self.state_dir / 'traffic.token'}", name="state_dir")
        return given(self, "traffic_token") or own
