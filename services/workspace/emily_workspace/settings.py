"""What the workspace is told at its start."""

from __future__ import annotations

from typing import Annotated

from emily_cognition.workspace.competition import LEAST_CAPACITY, MOST_CAPACITY
from emily_runtime import ServiceSettings
from msgspec import Meta


class WorkspaceSettings(ServiceSettings, frozen=True, kw_only=True):
    """Read from `EMILY_WORKSPACE_*`."""

    workspace: Annotated[bool, Meta(description="Let signals compete; false: all become conscious")] = True
    capacity: Annotated[
        int, Meta(ge=LEAST_CAPACITY, le=MOST_CAPACITY, description="Coalitions conscious at once, at rest")
    ] = 7
