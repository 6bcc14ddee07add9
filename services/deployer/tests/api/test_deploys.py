"""Deploys are ordered, looked at and led over HTTP, by who has a token."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from emily_deployer.api.app import create_app
from emily_deployer.desk import Desk
from emily_deployer.errors import Closed
from emily_deployer.testing import COLOURS, World
from emily_runtime.secrets import FileSource
from emily_runtime.tokens import Tokens, make_missing

PROBLEM = "application/problem+json"
ROOT = "/api/v1/deploys"
QUICK = {"version": "v2", "steps": [50.0], "window_s": 0.02, "patience": {"least_s": 0, "seconds": 0.02}}
PATIENT = {"version": "v2", "steps": [50.0], "shadow": False, "patience": {"least_s": 60, "seconds": 60}}
pytestmark = pytest.mark.anyio


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    file = tmp_path / "deploys.token"
    make_missing(file, by="test")
    return file


@pytest.fixture
async def app(world: World, token_file: Path) -> AsyncIterator[Any]:
    with world.machine() as machine:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(machine.run)
            desk = Desk(machine, world, world, COLOURS)
            yield create_app(
                lambda: desk, tokens=Tokens(FileSource(token_file)), allowed_hosts=("localhost",), version="1"
            )
            tasks.cancel_scope.cancel()


@pytest.fixture
async def http(app: Any, token_file: Path) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody with a token."""
    headers = {"Authorization": f"Bearer {token_file.read_text().split()[1]}"}
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=headers) as client:
        yield client


async def until(http: httpx.AsyncClient, **wanted: Any) -> dict[str, Any]:
    with anyio.fail_after(10):
        while True:
            shown: dict[str, Any] = (await http.get(f"{ROOT}/current")).json()
            if wanted.items() <= shown.items():
                return shown
            await anyio.sleep(0.005)


async def test_nobody_without_a_token_is_answered(app: Any, http: httpx.AsyncClient) -> None:
    described = (await http.get("/docs/openapi.json")).json()["paths"]
    control = [(method.upper(), path) for path, methods in described.items() for method in methods]
    assert len(control) == 7
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as stranger:
        for method, path in control:
            for headers in ({}, {"Authorization": "Bearer wrong-token-wrong-token"}):
                concrete = path.replace("{id}", "0" * 32).replace("{command}", "abort")
                answer = await stranger.request(method, concrete, headers=headers, json={})
                assert (answer.status_code, answer.headers["content-type"]) == (401, PROBLEM), (method, path)
                assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_a_deploy_is_ordered_and_leaves_a_record(http: httpx.AsyncClient) -> None:
    assert (await http.get(f"{ROOT}/current")).status_code == 404
    made = await http.post(ROOT, json={"order": QUICK, "reason": "better"})
    assert (made.status_code, made.json()["by"], made.json()["reason"]) == (201, "operator", "better")
    await until(http, state="succeeded")
    shown = (await http.get(f"{ROOT}/{made.json()['id']}")).json()
    assert shown["acts"][0]["what"] == "ordered"
    assert shown["acts"][-1]["why"] == "green runs v2"
    listed = (await http.get(ROOT)).json()
    assert listed["running"] == {"green": "v2"}
    assert [each["version"] for each in listed["deploys"]] == ["v2"]
    late = await http.post(f"{ROOT}/current/rollback", json={})
    assert late.status_code == 409
    assert "emily deploy v1" in late.json()["detail"]


async def test_a_plan_changes_nothing(http: httpx.AsyncClient, world: World) -> None:
    plan = (await http.post(f"{ROOT}/plan", json=QUICK)).json()
    assert (plan["old"], plan["old_version"], plan["new"], plan["release"]) == ("blue", "v1", "green", "v2")
    assert "canary: green answers 50 % of the subjects" in " ".join(plan["steps"])
    assert set(world.calls) == {"now"}
    assert (await http.get(ROOT)).json()["deploys"] == []


async def test_a_deploy_is_led_by_commands(http: httpx.AsyncClient, world: World) -> None:
    await http.post(ROOT, json={"order": PATIENT})
    await until(http, step="canary", weight=5000)
    second = await http.post(ROOT, json={"order": QUICK})
    assert (second.status_code, second.headers["content-type"]) == (409, PROBLEM)
    assert "operator deploys v2 since" in second.json()["detail"]
    assert (await http.post(f"{ROOT}/current/pause", json={})).json()["state"] == "paused"
    assert (await http.post(f"{ROOT}/current/pause", json={})).status_code == 200
    assert (await http.post(f"{ROOT}/current/resume", json={})).json()["state"] == "running"
    assert (await http.post(f"{ROOT}/current/resume", json={})).status_code == 409
    assert (await http.post(f"{ROOT}/current/promote", json={"reason": "fine"})).json()["step"] == "switch"
    await until(http, step="window")
    assert (await http.post(f"{ROOT}/current/rollback", json={"reason": "no"})).json()["state"] == "returning"
    over = await until(http, state="rolled back")
    assert over["words"] == "rolled back by operator: no"
    assert world.runs == {"blue": "v1"}
    assert (await http.post(f"{ROOT}/current/abort", json={})).status_code == 404


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"order": {}}, 422, "order.version"),
        ({"order": {"version": "v2", "steps": [50, 5]}}, 422, "order"),
        ({"order": {"version": "v2", "window_s": -1}}, 422, "order.window_s"),
        ({"order": {"version": "v2", "colour": "red"}}, 422, "order.colour"),
        ({"order": {"version": "unknown"}}, 422, "version"),
        ({"order": {"version": "v\0"}}, 422, "order.version"),
    ],
)
async def test_a_bad_order_is_refused_by_its_field(
    http: httpx.AsyncClient, world: World, body: Any, status: int, field: str
) -> None:
    refused = await http.post(ROOT, json=body)
    assert (refused.status_code, refused.headers["content-type"]) == (status, PROBLEM)
    assert refused.json()["field"].startswith(field), refused.json()
    assert world.calls == []


async def test_an_unknown_command_is_none(http: httpx.AsyncClient) -> None:
    answer = await http.post(f"{ROOT}/current/explode", json={})
    assert answer.status_code in {400, 404}
    assert (await http.post(f"{ROOT}/current/abort", json={})).status_code == 404


async def test_versions_are_compared(http: httpx.AsyncClient) -> None:
    told = (await http.get(f"{ROOT}/diff", params={"old": "v1", "new": "v2"})).json()
    assert told["changed"] == {"release": ["v1", "v2"]}
    assert (await http.get(f"{ROOT}/diff", params={"old": "v1", "new": "unknown"})).status_code == 422


async def test_before_there_are_records_it_says_so(token_file: Path) -> None:
    def closed() -> Desk:
        raise Closed("the deployer is starting")

    app: Any = create_app(
        closed, tokens=Tokens(FileSource(token_file)), allowed_hosts=("localhost",), version="1"
    )
    headers = {"Authorization": f"Bearer {token_file.read_text().split()[1]}"}
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=headers) as client:
        answer = await client.get(ROOT)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
