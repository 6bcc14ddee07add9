"""What can be set about the backup-agent."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from emily_runtime import DatabaseSettings
from msgspec import Meta


class BackupAgentSettings(DatabaseSettings, frozen=True, kw_only=True):
    """Settings of the backup-agent, EMILY_BACKUP_AGENT_* in the environment."""

    namespace: Annotated[
        str, Meta(pattern=r"^[a-z0-9-]+(/[a-z0-9-]+)*$", description="Root namespace of the whole system")
    ] = "emily"
    plan_file: Annotated[
        Path | None,
        Meta(description="TOML of jobs and their repository; else state_dir is backed up into itself"),
    ] = None
    restic: Annotated[Path | None, Meta(description="restic >= 0.18; else the one on the PATH")] = None
    first_after_s: Annotated[
        float, Meta(ge=0, le=3600, description="What is overdue at the start waits so long")
    ] = 60.0

    @property
    def folder(self) -> Path:
        """Of the agent's own files."""
        return self.state_dir.absolute() / "backup"
