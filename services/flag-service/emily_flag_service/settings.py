"""What can be set about the flag-service."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from emily_runtime import DatabaseSettings
from emily_runtime.secrets.reference import REFERENCES, SecretReference
from emily_runtime.secrets.setting import given_once
from msgspec import Meta


class FlagServiceSettings(DatabaseSettings, frozen=True, kw_only=True):
    """Settings of the flag-service, EMILY_FLAG_SERVICE_* in the environment."""

    namespace: Annotated[
        str, Meta(pattern=r"^[a-z0-9-]+(/[a-z0-9-]+)*$", description="Root namespace of the whole system")
    ] = "emily"
    flags_dir: Annotated[
        Path | None,
        Meta(description="Folder of flag files that are loaded at the start, such as infra/flags"),
    ] = None
    token_secret: Annotated[
        SecretReference | None,
        Meta(
            description=f"Where the lines NAME TOKEN of who may change flags are: {REFERENCES}; "
            "else state_dir/flags.token, made anew"
        ),
    ] = None
    token_file: Annotated[Path | None, Meta(description="File that holds those lines")] = None
    heartbeat_s: Annotated[
        float, Meta(ge=0.05, le=300, description="The flags are said again at least this often")
    ] = 5.0
    allowed_hosts: Annotated[
        tuple[str, ...], Meta(description="Names in the Host header that are served, against DNS rebinding")
    ] = ("localhost", "127.0.0.1", "::1")

    def __post_init__(self) -> None:
        super().__post_init__()
        given_once(self, "token")
