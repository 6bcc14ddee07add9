"""Traffic over HTTP: read by all, changed by who has a token."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from emily_contracts.routing import ChangeTraffic, Colour, Count, Traffic, Weight, require_distinct_roles
from emily_runtime.problems import Problem
from emily_runtime.rest import responses
from emily_runtime.tokens import bearer
from litestar import Request, get, put
from litestar.di import NamedDependency
from msgspec import Meta

from emily_router.routing.desk import Desk


class TrafficOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A routing table in place of the one that was looked at.

    Attributes:
        version: Of the table that was looked at.
        handover: `none` leaves the minds behind, when the colour that had them is dead.
        reason: For the record.
    """

    version: Count
    active: Colour
    canary: Colour | None = None
    weight: Weight = 0
    shadow: Colour | None = None
    handover: Literal["state", "none"] = "state"
    reason: Annotated[str, Meta(max_length=1024)] = ""

    def __post_init__(self) -> None:
        require_distinct_roles(self.active, self.canary, self.weight, self.shadow)


@get("/api/v1/traffic", responses=responses(Problem, 503))
async def show(desk: NamedDependency[Desk]) -> Traffic:
    """Which colour answers whom, and how the colours are."""
    return desk.now()


@put("/api/v1/traffic", responses=responses(Problem, 400, 401, 409, 413, 422, 503))
async def change(data: TrafficOrder, desk: NamedDependency[Desk], request: Request[Any, Any, Any]) -> Traffic:
    """Replaces the routing table, if `version` is still the one that holds; minds move along."""
    token = bearer(request.headers.get("authorization"))
    return await desk.change(ChangeTraffic(token=token, **msgspec.structs.asdict(data)))


ROUTES = (show, change)
