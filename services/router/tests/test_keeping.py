from __future__ import annotations

from pathlib import Path

import anyio
import psycopg
import pytest
from emily_contracts.routing import RoutingTable
from emily_router.errors import Outdated, RecordAway, TableUnreadable, TableUnwritable
from emily_router.routing.keeping import Keeper
from emily_router.routing.record import Record
from emily_router.testing import on_loop

NOWHERE = "postgresql://nobody@127.0.0.1:9/none"


def table(version: int, active: str = "green") -> RoutingTable:
    return RoutingTable(version=version, active=active, canary="red", weight=250)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "router" / "table.json"


async def keep(keeper: Keeper, kept: RoutingTable) -> None:
    await keeper.replace(kept, author="a test", reason="")


@on_loop
async def test_without_a_database_the_file_says_what_holds(file: Path) -> None:
    keeper = Keeper(file, None, first="blue")
    assert await keeper.load() == RoutingTable(version=0, active="blue")
    await keep(keeper, table(1))
    assert await Keeper(file, None, first="blue").load() == table(1)
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda data: data[:-9], id="torn"),
        pytest.param(lambda data: data.replace(b"green", b"white"), id="changed"),
        pytest.param(lambda data: b"", id="empty"),
    ],
)
def test_a_file_that_is_not_whole_is_not_guessed_at(file: Path, spoil: object) -> None:
    @on_loop
    async def main() -> None:
        keeper = Keeper(file, None, first="blue")
        await keep(keeper, table(1))
        file.write_bytes(spoil(file.read_bytes()))  # type: ignore[operator]
        with pytest.raises(TableUnreadable, match=r"table\.json: .*restore it, or remove it"):
            await keeper.load()

    main()


@on_loop
async def test_a_disk_that_takes_nothing_refuses_the_change(tmp_path: Path) -> None:
    (tmp_path / "router").write_text("in the way")
    keeper = Keeper(tmp_path / "router" / "table.json", None, first="blue")
    with pytest.raises((TableUnwritable, TableUnreadable)):
        await keep(keeper, table(1))


@on_loop
async def test_of_two_routers_that_change_the_same_table_one_is_refused(url: str, tmp_path: Path) -> None:
    async with Record(url) as first, Record(url) as second:
        one, other = (
            Keeper(tmp_path / name / "table.json", record, first="blue")
            for name, record in (("one", first), ("other", second))
        )
        assert await one.load() == await other.load() == RoutingTable(version=0, active="blue")
        await keep(one, table(1, "green"))
        with pytest.raises(Outdated, match="version: 0 is not the table that holds"):
            await keep(other, table(1, "white"))
        assert await other.load() == table(1, "green")
        await keep(other, table(2, "white"))
        assert await one.load() == table(2, "white")


@on_loop
async def test_a_race_for_a_version_has_one_winner(url: str) -> None:
    won: list[str] = []

    async def run(name: str) -> None:
        async with Record(url) as record:
            try:
                await record.replace(table(1, name), author=name, reason="race")
            except Outdated:
                return
            won.append(name)

    async with Record(url) as grown:
        await grown.newest()
    async with anyio.create_task_group() as tasks:
        for number in range(6):
            tasks.start_soon(run, f"c{number}")
    async with Record(url) as record:
        assert await record.newest() == table(1, *won)


@on_loop
async def test_while_the_database_is_away_the_file_holds_and_says_so(file: Path) -> None:
    await keep(Keeper(file, None, first="blue"), table(3))
    async with Record(NOWHERE) as record:
        keeper = Keeper(file, record, first="blue")
        assert await keeper.load() == table(3)
        assert "can't be asked" in keeper.behind
        with pytest.raises(RecordAway):
            await keep(keeper, table(4))
    assert await Keeper(file, None, first="blue").load() == table(3)


@on_loop
async def test_the_newer_of_file_and_database_holds(url: str, file: Path) -> None:
    async with Record(url) as record:
        keeper = Keeper(file, record, first="blue")
        await keep(keeper, table(1))
        await record.replace(table(2, "white"), author="another", reason="")
        assert await keeper.load() == table(2, "white")
        await keep(Keeper(file, None, first="blue"), table(7))
        assert await keeper.load() == table(7)
        await keep(keeper, table(8, "white"))
        assert await record.newest() == table(8, "white")


@on_loop
async def test_a_connection_that_broke_is_made_anew(url: str) -> None:
    async with Record(url) as record:
        await record.replace(table(1), author="a test", reason="")
        with psycopg.connect(url, autocommit=True) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'router' AND datname = current_database()"
            )
        assert await record.newest() == table(1)


@on_loop
async def test_history_is_kept_and_can_not_be_rewritten(url: str) -> None:
    async with Record(url) as record:
        for version in (1, 2):
            await record.replace(table(version), author="ada", reason=f"number {version}")
    with psycopg.connect(url, autocommit=True) as connection:
        rows = connection.execute("SELECT version, author, reason FROM routing.change ORDER BY 1").fetchall()
        assert rows == [(1, "ada", "number 1"), (2, "ada", "number 2")]
        with pytest.raises(psycopg.errors.RaiseException, match="not rewritten"):
            connection.execute("DELETE FROM routing.change")
