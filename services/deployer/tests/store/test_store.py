"""Both homes of deploys keep the same promises."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from emily_contracts import uuid7
from emily_deployer.deployment import Deployment, State, Step
from emily_deployer.errors import Busy, Closed
from emily_deployer.order import Order, Plan
from emily_deployer.store import database, journal
from emily_deployer.store.store import Act, Store
from msgspec.structs import replace

pytestmark = pytest.mark.anyio

START = datetime(2026, 1, 1, tzinfo=UTC)
PLAN = Plan(old="blue", old_version="v1", new="green", release="v2", steps=("all at once",))

type Open = Callable[[], AbstractAsyncContextManager[Store]]


@pytest.fixture(params=["journal", "database"])
def opens(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Opens the same records again and again."""
    if request.param == "database":
        url: str = request.getfixturevalue("url")
        return lambda: database.opened(url)

    @asynccontextmanager
    async def open_journal() -> AsyncIterator[Store]:
        with journal.opened(tmp_path / "deploys.jsonl") as store:
            yield store

    return open_journal


def deployment(number: int = 0) -> Deployment:
    at = START + timedelta(minutes=number)
    order = Order(version=f"v{number}", window_s=1.5)
    return Deployment(id=uuid7(at), order=order, by="ann", reason="", began_at=at, step_at=at)


def act(of: Deployment, what: str = "ordered", why: str = "") -> Act:
    return Act(at=START, deployment=of.id, who="ann", what=what, step=of.step, why=why)


def over(of: Deployment) -> Deployment:
    return replace(of, state=State.SUCCEEDED, ended_at=START)


async def test_what_is_recorded_is_there_for_the_next_process(opens: Open) -> None:
    first = deployment()
    going = replace(first, step=Step.CANARY, canary=2, under_way=True, plan=PLAN, words="0.2 % of 4,020")
    async with opens() as store:
        assert await store.current() is None
        await store.claim(first, act(first, why="better"))
        await store.record(going, act(going, "begun"))
    async with opens() as store:
        assert await store.current() == going
        assert await store.acts(first.id) == [act(first, why="better"), act(going, "begun")]
        await store.record(over(going))
        assert await store.current() is None


async def test_one_deploy_at_a_time(opens: Open) -> None:
    first, second = deployment(1), deployment(2)
    async with opens() as store:
        await store.claim(first, act(first))
        with pytest.raises(
            Busy, match=r"ann deploys v1 since 2026-01-01 00:01:00 UTC \(step lock, running\)"
        ):
            await store.claim(second, act(second))
        assert await store.acts(second.id) == []
        await store.record(over(first))
        await store.claim(second, act(second))
        assert await store.current() == second


async def test_the_newest_come_first(opens: Open) -> None:
    async with opens() as store:
        for number in range(4):
            made = deployment(number)
            await store.claim(made, act(made))
            await store.record(over(made))
        assert [each.order.version for each in await store.history(3)] == ["v3", "v2", "v1"]


async def test_a_line_that_was_torn_by_a_kill_is_as_if_never_written(tmp_path: Path) -> None:
    file = tmp_path / "deploys.jsonl"
    first = deployment()
    with journal.opened(file) as store:
        await store.claim(first, act(first))
    whole = file.read_bytes()
    file.write_bytes(whole + whole[: len(whole) // 2])
    with journal.opened(file) as store:
        assert await store.current() == first
        await store.record(over(first))
    with journal.opened(file) as store:
        assert await store.current() is None


async def test_a_journal_that_was_changed_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "deploys.jsonl"
    file.write_text('{"deployment": 3}\n')
    with pytest.raises(Closed, match="move it away to begin anew"), journal.opened(file):
        pass
    assert file.read_text() == '{"deployment": 3}\n'


async def test_a_full_disk_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, first = tmp_path / "deploys.jsonl", deployment()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with journal.opened(file) as store:
        await store.claim(first, act(first))
        with monkeypatch.context() as patched:
            patched.setattr("os.fsync", full)
            with pytest.raises(Closed, match="No space left on device"):
                await store.record(over(first))
        assert await store.current() == first
    with journal.opened(file) as store:
        assert await store.current() == first


async def test_acts_are_not_rewritten(url: str) -> None:
    first = deployment()
    async with database.opened(url) as store:
        await store.claim(first, act(first))
    with (
        psycopg.connect(url) as connection,
        pytest.raises(psycopg.errors.RaiseException, match="is not rewritten"),
    ):
        connection.execute("DELETE FROM deploys.act")


async def test_one_process_deploys_on_a_database(url: str) -> None:
    first = await database.sole(url)
    assert first is not None
    assert await database.sole(url) is None
    await first.close()
    second = await database.sole(url)
    assert second is not None
    await second.close()
