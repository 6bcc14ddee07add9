"""Ordering a deploy, looking at it, and telling it what to do."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

Share = Annotated[float, Meta(gt=0, lt=100)]
Reason = Annotated[str, Meta(max_length=1024)]


class DeployRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Asks for the deploy that is under way, or else the last one."""


class DeployOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Begins a deploy.

    Attributes:
        token: Of those who may.
        version: A tag of images, or the path of a release.
        shadow: Whether the new colour first thinks about copies of the traffic.
        steps: Shares of the subjects in percent that it answers, one after the other.
        window_s: How long the old colour stays ready to take all back after the switch.
        reason: In a person's words, for the record.
    """

    token: str
    version: Annotated[str, Meta(min_length=1, max_length=1024)]
    shadow: bool = True
    steps: Annotated[tuple[Share, ...], Meta(max_length=20)] = (1.0, 5.0, 25.0, 50.0)
    window_s: Annotated[float, Meta(ge=0, le=86_400)] = 60.0
    reason: Reason = ""


class DeployCommand(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Tells the deploy that is under way what to do.

    Attributes:
        token: Of those who may.
        command: `rollback` and `abort` return to the old colour; `promote` takes for given what is awaited.
        reason: In a person's words, for the record.
    """

    token: str
    command: Literal["pause", "resume", "promote", "abort", "rollback"]
    reason: Reason = ""


class DeployStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How a deploy is.

    Attributes:
        id: None when there never was one.
        old, new: Colours; empty until they are chosen.
        step: That is next, or under way.
        state: `running`, `paused`, `returning`, `succeeded`, `rolled back`, or `none`.
        weight: Of the new colour in basis points, while it is a canary.
        words: What was last found out.
    """

    id: UUID | None = None
    version: str = ""
    old: str = ""
    new: str = ""
    step: str = ""
    state: str = "none"
    weight: int = 0
    words: str = ""
    by: str = ""
    reason: str = ""
    began_at: datetime | None = None
    ended_at: datetime | None = None
