"""The routes."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from emily_runtime.problems import Problem
from emily_runtime.rest import StrictRequest, responses
from litestar import get, post
from litestar.di import NamedDependency
from litestar.openapi import ResponseSpec
from litestar.params import FromPath, JSONBody, QueryParameter

from emily_deployer.api.views import Because, DeployList, DeployView, Difference, Draft, difference, view
from emily_deployer.desk import Command, Desk
from emily_deployer.order import Order, Plan


def _problems(*statuses: int) -> dict[int, ResponseSpec]:
    return responses(Problem, *statuses)


@get("/", responses=_problems(401, 503))
async def list_deploys(
    desk: NamedDependency[Desk], limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 20
) -> DeployList:
    """Deploys, the newest first, and what runs now."""
    history = await desk.store.history(limit)
    return DeployList(deploys=tuple(map(view, history)), running=await desk.running())


@post("/", status_code=201, responses=_problems(400, 401, 409, 422, 503))
async def order_deploy(
    data: JSONBody[Draft], request: StrictRequest, desk: NamedDependency[Desk]
) -> DeployView:
    """Begins a deploy, unless one is under way: 409 says whose."""
    return view(await desk.order(data.order, by=request.state.author, reason=data.reason))


@post("/plan", status_code=200, responses=_problems(400, 401, 422, 503))
async def plan_deploy(data: JSONBody[Order], desk: NamedDependency[Desk]) -> Plan:
    """What an order would do now; nothing is done."""
    return await desk.plan(data)


@get("/diff", responses=_problems(401, 422, 503))
async def diff_versions(
    desk: NamedDependency[Desk],
    old: Annotated[str, QueryParameter(min_length=1, max_length=1024)],
    new: Annotated[str, QueryParameter(min_length=1, max_length=1024)],
) -> Difference:
    """What can be known of two versions: code, revision, settings."""
    return difference(old, new, await desk.describe(old), await desk.describe(new))


@get("/current", responses=_problems(401, 404, 503))
async def current_deploy(desk: NamedDependency[Desk]) -> DeployView:
    """The deploy that is under way, or else the last one."""
    deployment, said = await desk.current()
    return view(deployment, said)


@post("/current/{command:str}", status_code=200, responses=_problems(400, 401, 404, 409, 422, 503))
async def command_deploy(
    command: FromPath[Command], data: JSONBody[Because], request: StrictRequest, desk: NamedDependency[Desk]
) -> DeployView:
    """Pauses, resumes, promotes, aborts the deploy that is under way, or rolls it back."""
    return view(await desk.command(command, by=request.state.author, reason=data.reason))


@get("/{id:uuid}", responses=_problems(401, 404, 503))
async def show_deploy(id: FromPath[UUID], desk: NamedDependency[Desk]) -> DeployView:
    """A deploy with everything that was done in it: who, what, when and why."""
    deployment, acts = await desk.one(id)
    return view(deployment, acts=tuple(acts))


ROUTES = (list_deploys, order_deploy, plan_deploy, diff_versions, current_deploy, command_deploy, show_deploy)
