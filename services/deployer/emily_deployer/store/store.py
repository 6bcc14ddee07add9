"""What the deployer needs of its records."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol
from uuid import UUID

import msgspec

from emily_deployer.deployment import Deployment, Step
from emily_deployer.errors import Busy


class Act(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was done in a deploy.

    Attributes:
        who: Whose token ordered it, or `deployer` for what follows by itself.
        what: In a word, such as `begun`, `done`, `paused`.
        why: In words and numbers.
    """

    at: datetime
    deployment: UUID
    who: str
    what: str
    step: Step
    why: str = ""


class Store(Protocol):
    """Keeps deploys and acts; a write is durable when it returns.

    Each method raises `Closed` when the records are away.
    """

    async def claim(self, deployment: Deployment, act: Act) -> None:
        """Keep a new deploy, and with it the right to deploy.

        Raises:
            Busy: Another one is under way; the message says whose.
        """

    async def record(self, deployment: Deployment, act: Act | None = None) -> None:
        """Keep a deploy as it is now, and what was done; its end gives the right to deploy back."""

    async def current(self) -> Deployment | None:
        """The deploy that is not over."""

    async def history(self, limit: int) -> list[Deployment]:
        """The newest deploys first."""

    async def acts(self, deployment: UUID) -> list[Act]:
        """What was done in a deploy, in order."""


def busy(holder: Deployment) -> Busy:
    """The error that says who deploys."""
    return Busy(
        f"{holder.by} deploys {holder.order.version} since {holder.began_at:%Y-%m-%d %H:%M:%S} UTC "
        f"(step {holder.step.value}, {holder.state.value}); wait for its end, or: emily releases abort"
    )
