"""What is said about deploys over HTTP and on the bus."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from emily_contracts.deploying import DeployStatus
from msgspec import Meta

from emily_deployer.deployment import Deployment, Step
from emily_deployer.order import Order, Plan
from emily_deployer.store.store import Act

LONGEST_REASON = 1000
TEXT = r"^[^\x00]*$"
Reason = Annotated[str, Meta(max_length=LONGEST_REASON, pattern=TEXT)]


class Draft(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An order, and why."""

    order: Order
    reason: Reason = ""


class Because(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why a command is given."""

    reason: Reason = ""


class DeployView(msgspec.Struct, frozen=True, kw_only=True):
    """A deploy.

    Attributes:
        weight: Of the new colour in basis points, while it is a canary.
        words: What was last found out.
        acts: What was done, in order; only where one deploy is shown.
    """

    id: UUID
    version: str
    state: str
    step: str
    weight: int
    words: str
    by: str
    reason: str
    began_at: datetime
    ended_at: datetime | None
    plan: Plan | None
    order: Order
    acts: tuple[Act, ...] = ()


class DeployList(msgspec.Struct, frozen=True, kw_only=True):
    """Deploys, the newest first, and what runs now, by colour."""

    deploys: tuple[DeployView, ...]
    running: dict[str, str]


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """What can be known of two versions, where they differ.

    Attributes:
        changed: By what it is: of the old and of the new one; none where one of them has no such thing.
        same: What is the same in both.
    """

    old: str
    new: str
    changed: dict[str, tuple[str | None, str | None]]
    same: dict[str, str]


def view(deployment: Deployment, said: str = "", acts: tuple[Act, ...] = ()) -> DeployView:
    """A deploy as it is shown."""
    return DeployView(
        id=deployment.id,
        version=deployment.order.version,
        state=deployment.state.value,
        step=deployment.step.value,
        weight=_weight(deployment),
        words=said or deployment.words,
        by=deployment.by,
        reason=deployment.reason,
        began_at=deployment.began_at,
        ended_at=deployment.ended_at,
        plan=deployment.plan,
        order=deployment.order,
        acts=acts,
    )


def status(deployment: Deployment, said: str = "") -> DeployStatus:
    """A deploy as it is said on the bus."""
    return DeployStatus(
        id=deployment.id,
        version=deployment.order.version,
        old=deployment.plan.old if deployment.plan else "",
        new=deployment.plan.new if deployment.plan else "",
        step=deployment.step.value,
        state=deployment.state.value,
        weight=_weight(deployment),
        words=said or deployment.words,
        by=deployment.by,
        reason=deployment.reason,
        began_at=deployment.began_at,
        ended_at=deployment.ended_at,
    )


def difference(old: str, new: str, of_old: dict[str, str], of_new: dict[str, str]) -> Difference:
    """What two descriptions do not have in common."""
    names = [*of_old, *(name for name in of_new if name not in of_old)]
    pairs = {name: (of_old.get(name), of_new.get(name)) for name in names}
    return Difference(
        old=old,
        new=new,
        changed={name: pair for name, pair in pairs.items() if pair[0] != pair[1]},
        same={name: value for name, value in of_old.items() if of_new.get(name) == value},
    )


def _weight(deployment: Deployment) -> int:
    return deployment.weight if deployment.step is Step.CANARY and deployment.ended_at is None else 0
