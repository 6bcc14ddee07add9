"""What can be set about the zfs-agent."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from emily_runtime import ServiceSettings
from msgspec import Meta


class ZfsAgentSettings(ServiceSettings, frozen=True, kw_only=True):
    """Settings of the zfs-agent, EMILY_ZFS_AGENT_* in the environment."""

    namespace: Annotated[
        str, Meta(pattern=r"^[a-z0-9-]+(/[a-z0-9-]+)*$", description="Root namespace of the whole system")
    ] = "emily"
    desired_file: Annotated[
        Path | None,
        Meta(description="Desired state of pools, datasets and snapshots; without it nothing is done"),
    ] = None
    look_every_s: Annotated[
        float, Meta(ge=0.05, le=3600, description="Pause between two looks at what is due")
    ] = 60.0
    command_timeout_s: Annotated[
        float, Meta(ge=0.1, le=600, description="Until a command of ZFS must be over")
    ] = 20.0
    replication_timeout_s: Annotated[
        float,
        Meta(ge=1, le=604_800, description="Until one replication is cut off; the next goes on from there"),
    ] = 21_600.0
