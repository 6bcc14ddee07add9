"""How the router is told which colour answers whom, on a real bus."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from emily_bus import AskRefused, Bus, BusSettings
from emily_bus.testing import router
from emily_contracts.routing import ChangeTraffic, RoutingTable, Traffic, TrafficRequest
from emily_contracts.topics import CHANGE_TRAFFIC, CURRENT_TRAFFIC
from emily_deployer.errors import StepFailed
from emily_deployer.traffic import Roles, Router, directed
from emily_runtime.secrets import FileSource

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def settings() -> Iterator[BusSettings]:
    with router() as endpoint:
        yield BusSettings(endpoint=endpoint)


class Table:
    """Keeps a routing table as a router does.

    Attributes:
        refuses: How many changes are refused, whatever they are.
        overtaken: How many changes somebody else is faster than.
    """

    def __init__(self) -> None:
        self.table = RoutingTable(version=7, active="blue")
        self.asked: list[ChangeTraffic] = []
        self.refuses = 0
        self.overtaken = 0

    async def now(self, _: TrafficRequest) -> Traffic:
        return Traffic(table=self.table)

    async def change(self, asked: ChangeTraffic) -> Traffic:
        self.asked.append(asked)
        if asked.token != "secret-of-the-router":
            raise AskRefused("token: the token is not known")
        if self.overtaken:
            self.overtaken -= 1
            self.table = RoutingTable(version=self.table.version + 1, active="blue", shadow="green")
        if asked.version != self.table.version:
            raise AskRefused(f"version: {asked.version} is not {self.table.version}")
        if self.refuses:
            self.refuses -= 1
            raise AskRefused("green does not answer in 1 s")
        self.table = RoutingTable(
            version=self.table.version + 1, active=asked.active, canary=asked.canary, weight=asked.weight
        )
        return Traffic(table=self.table)


@asynccontextmanager
async def directing(settings: BusSettings, table: Table, folder: Path) -> AsyncIterator[Router]:
    file = folder / "traffic.token"
    if not file.exists():
        file.write_text("deployer secret-of-the-router\n")
    async with (
        Bus.open(settings, namespace="emily", name="router") as bus,
        bus.serve(CURRENT_TRAFFIC, table.now),
        bus.serve(CHANGE_TRAFFIC, table.change),
        Bus.open(settings, namespace="emily", name="deployer") as own,
    ):
        yield Router(own, FileSource(file))


CANARY = Roles("blue", canary="green", weight=500)


async def test_a_change_names_the_table_that_was_looked_at(settings: BusSettings, tmp_path: Path) -> None:
    table = Table()
    async with directing(settings, table, tmp_path) as switchboard:
        await switchboard.direct(CANARY, "a test")
        await switchboard.direct(CANARY, "again")
    (asked,) = table.asked
    assert (asked.version, asked.weight, asked.handover, asked.reason) == (7, 500, "state", "a test")
    assert Roles.of(table.table) == CANARY


async def test_when_somebody_was_faster_it_looks_again(settings: BusSettings, tmp_path: Path) -> None:
    table = Table()
    table.overtaken = 2
    async with directing(settings, table, tmp_path) as switchboard:
        await switchboard.direct(CANARY, "a test")
    assert [asked.version for asked in table.asked] == [7, 8, 9]
    assert Roles.of(table.table) == CANARY


async def test_what_the_router_refuses_fails_at_once_and_is_tried_again_on_the_way_forward(
    settings: BusSettings, tmp_path: Path
) -> None:
    table = Table()
    table.refuses = 2
    async with directing(settings, table, tmp_path) as switchboard:
        assert "green does not answer in 1 s" in await failure(switchboard)
        await directed(switchboard, CANARY, "a test")
    assert len(table.asked) == 3
    assert table.table.version == 8


async def test_a_wrong_or_missing_token_is_said(settings: BusSettings, tmp_path: Path) -> None:
    (tmp_path / "traffic.token").write_text("deployer another-token-altogether\n")
    async with directing(settings, Table(), tmp_path) as switchboard:
        assert "the token is not known" in await failure(switchboard)
        (tmp_path / "traffic.token").write_text("")
        assert "it is empty" in await failure(switchboard)
        (tmp_path / "traffic.token").unlink()
        assert "No such file" in await failure(switchboard)


async def test_without_a_router_nothing_is_directed(settings: BusSettings, tmp_path: Path) -> None:
    async with Bus.open(settings, namespace="emily", name="deployer") as bus:
        assert "the router does not tell its table" in await failure(
            Router(bus, FileSource(tmp_path / "none"))
        )


async def failure(switchboard: Router) -> str:
    try:
        await switchboard.direct(CANARY, "a test")
    except StepFailed as failed:
        return str(failed)
    return ""
