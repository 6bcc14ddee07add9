"""Who routes after a kill, and by which table."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import anyio
import anyio.to_thread
import httpx
import psycopg
import pytest
from emily_bus import ErrorReply
from emily_contracts.decision import Status
from emily_contracts.routing import RoutingTable
from emily_router.testing import on_loop
from emily_router.testing.town import town
from emily_runtime.testing import ServiceProcess, service_process

SUBJECTS = tuple(f"s{number}" for number in range(20))


@on_loop
async def test_a_router_that_was_killed_goes_on_by_the_table_that_held(fresh: ServiceProcess) -> None:
    async with town(fresh) as here:
        await here.direct(active="green", canary="blue", weight=10)
        fresh.kill()
        await anyio.to_thread.run_sync(lambda: fresh.start(http_port="0"))
        assert (await here.now()).table == RoutingTable(version=1, active="green", canary="blue", weight=10)
        await here.give("s1")
        await here.until_answered()
        assert here.answers[0].status is Status.DECIDED


@on_loop
async def test_a_standby_takes_over_what_a_killed_router_owes(fresh: ServiceProcess, endpoint: str) -> None:
    async with town(fresh) as here:
        await here.direct(active="green")
        with service_process(
            "router", endpoint=endpoint, namespace=fresh.namespace, state_dir=fresh.state_dir
        ) as standby:
            standby.launch(http_port="0", standby="true")
            stands_by = partial(standby.logged, "stands by while another router lives")
            await anyio.to_thread.run_sync(standby.wait_until, lambda: bool(stands_by()))
            await here.give_all(SUBJECTS, 10)
            fresh.kill()
            await here.give_all(SUBJECTS, 5)
            await anyio.to_thread.run_sync(standby.wait_until, standby.is_ready)
            await here.until_quiet()
            await here.give_again()
            answers = await here.until_each_answered()
            assert all(len(set(ids)) == 1 for ids in answers.values())
            assert (await here.now()).table == RoutingTable(version=1, active="green")


def test_a_second_router_that_does_not_stand_by_is_told_to_go(fresh: ServiceProcess, endpoint: str) -> None:
    with service_process(
        "router", endpoint=endpoint, namespace=fresh.namespace, state_dir=fresh.state_dir
    ) as second:
        second.launch(http_port="0")
        assert second.wait() != 0
        assert "another router writes here" in second.log.read_text()


def test_a_torn_table_stops_the_start_and_names_the_file(endpoint: str, tmp_path: Path) -> None:
    file = tmp_path / "router" / "table.json"
    file.parent.mkdir()
    file.write_text('{"table": {"version": 1, "act')
    with service_process("router", endpoint=endpoint, namespace="emily-torn", state_dir=tmp_path) as made:
        made.launch(http_port="0")
        assert made.wait() != 0
        assert f"{file}: " in made.log.read_text()


@on_loop
async def test_with_a_database_every_change_is_on_record_and_one_made_elsewhere_is_followed(
    endpoint: str, tmp_path: Path, url: str
) -> None:
    with service_process("router", endpoint=endpoint, namespace="emily-record", state_dir=tmp_path) as made:
        await anyio.to_thread.run_sync(lambda: made.start(http_port="0", database_url=url))
        async with town(made) as here:
            await here.direct(active="blue", shadow="green", reason="looks good")
            with psycopg.connect(url, autocommit=True) as database:
                rows = database.execute(
                    "SELECT version, shadow, author, reason FROM routing.change"
                ).fetchall()
                assert rows == [(1, "green", "operator", "looks good")]
                database.execute(
                    "INSERT INTO routing.change (version, active, weight, author, reason)"
                    " VALUES (2, 'green', 0, 'somebody', 'elsewhere')"
                )
            with pytest.raises(ErrorReply, match="version 2 holds by now"):
                await here.direct(active="blue")
            assert (await here.now()).table == RoutingTable(version=2, active="green")
            await here.give("s1")
            await here.until_answered()


@on_loop
async def test_without_its_database_it_routes_by_the_file_refuses_changes_and_says_so(
    endpoint: str, tmp_path: Path
) -> None:
    away = "postgresql://nobody@127.0.0.1:9/none"
    with service_process("router", endpoint=endpoint, namespace="emily-away", state_dir=tmp_path) as made:
        await anyio.to_thread.run_sync(lambda: made.start(http_port="0", database_url=away))
        async with town(made) as here:
            await here.give("s1")
            await here.until_answered()
            assert here.answers[0].status is Status.DECIDED
            health = httpx.get(f"{made.http}/health").json()
            assert (health["status"], "can't be asked" in health["behind"]) == ("degraded", True)
            refused = httpx.put(
                f"{made.http}/api/v1/traffic",
                json={"version": 0, "active": "green"},
                headers={"Authorization": f"Bearer {here.token}"},
            )
            assert refused.status_code == 503
            assert "nothing was changed" in json.loads(refused.text)["detail"]
