"""Upkeep as people ask for it, of a process that may be killed in its middle."""

from __future__ import annotations

from collections.abc import Callable

import anyio
import pytest
from emily_bus import Bus, BusSettings, ErrorReply
from emily_contracts import Episode, RecallRequest
from emily_contracts.curation import EraseRequest
from emily_contracts.topics import CONSOLIDATE, DROP_RETIRED, ERASE_ACTOR, RECALL, REEMBED, TIDY
from emily_contracts.upkeeping import (
    ConsolidateRequest,
    DropRetiredRequest,
    Reembedding,
    ReembedRequest,
    Tidying,
    TidyRequest,
)
from emily_memory.embedding.hashing import HashingEmbedder
from emily_memory.store.database import opened
from emily_memory.testing import Home
from emily_runtime.testing import ServiceProcess

pytestmark = pytest.mark.anyio

Make = Callable[..., Episode]
COUNT = 700


async def reached(bus: Bus, holds: Callable[[Reembedding], bool]) -> Reembedding:
    with anyio.fail_after(40):
        while not holds(progress := await bus.ask(REEMBED, ReembedRequest(), timeout=5)):
            await anyio.sleep(0.02)
        return progress


@pytest.mark.chaos
async def test_a_kill_in_the_middle_of_a_move_loses_nothing(
    process: ServiceProcess, url: str, episode: Make
) -> None:
    async with opened(url, size=2) as database:
        await Home(database, HashingEmbedder()).remember(*(episode(number) for number in range(COUNT)))
    settings = BusSettings(endpoint=process.endpoint)
    async with Bus.open(settings, namespace=process.namespace, name="test") as bus:
        begun = await bus.ask(REEMBED, ReembedRequest(to="minilm"), timeout=20)
        assert (begun.state, begun.total) == ("building", COUNT)
        middle = await reached(bus, lambda progress: progress.done > 0)
        process.kill()
        assert middle.done < COUNT
        process.start(database_url=url, embedder="hashing")
        again = await bus.ask(REEMBED, ReembedRequest(), timeout=5)
        assert again.done >= middle.done
        over = await reached(bus, lambda progress: progress.state == "active")
        assert over == Reembedding(space=begun.space, state="active", done=COUNT, total=COUNT)
        answer = await bus.ask(RECALL, RecallRequest(namespace="home", text="moment", limit=1000), timeout=5)
        assert len({each.id for each in answer.episodes}) == COUNT
        dropped = await bus.ask(DROP_RETIRED, DropRetiredRequest(), timeout=5)
        assert dropped.spaces == (HashingEmbedder.space.key,)


async def test_what_can_not_be_is_refused_by_name_and_what_is_due_can_be_asked_for(
    process: ServiceProcess,
) -> None:
    settings = BusSettings(endpoint=process.endpoint)
    async with Bus.open(settings, namespace=process.namespace, name="test") as bus:
        for kind, reason in (("oracle", "'oracle' is unknown"), ("hashing", "answers already")):
            with pytest.raises(ErrorReply, match=reason):
                await bus.ask(REEMBED, ReembedRequest(to=kind), timeout=5)
        assert await bus.ask(TIDY, TidyRequest(), timeout=5) == Tidying()


async def test_consolidation_can_be_asked_for(process: ServiceProcess, url: str, episode: Make) -> None:
    async with opened(url, size=2) as database:
        twins = (episode(1, "the park is open"), episode(2, "the park is open"))
        await Home(database, HashingEmbedder()).remember(*twins)
    settings = BusSettings(endpoint=process.endpoint)
    async with Bus.open(settings, namespace=process.namespace, name="test") as bus:
        for dry_run, merged in ((True, 1), (False, 1), (False, 0)):
            done = await bus.ask(CONSOLIDATE, ConsolidateRequest(dry_run=dry_run), timeout=10)
            assert (done.merged, done.dry_run) == (merged, dry_run)


async def test_what_was_forgotten_merged_and_erased_is_counted(
    process: ServiceProcess, url: str, episode: Make
) -> None:
    process.stop()
    over = {"expires_at": episode(0).occurred_at, "importance": 1.0}
    async with opened(url, size=2) as database:
        home = Home(database, HashingEmbedder())
        await home.remember(
            episode(1, **over),
            episode(2, importance=0.0),
            *(episode(number, "the park is open", importance=1.0) for number in (3, 4)),
            episode(5, actor="ann", importance=1.0),
            episode(6, "forgotten long ago"),
        )
        await home.rows("UPDATE episode SET archived_at = '2026-01-01' WHERE id = %s", episode(6).id)
        process.start(database_url=url, embedder="hashing", budget="3")
        settings = BusSettings(endpoint=process.endpoint)
        async with Bus.open(settings, namespace=process.namespace, name="test") as bus:
            for dry_run in (True, False):
                await bus.ask(TIDY, TidyRequest(dry_run=dry_run), timeout=10)
                await bus.ask(CONSOLIDATE, ConsolidateRequest(dry_run=dry_run), timeout=10)
                await bus.ask(
                    ERASE_ACTOR, EraseRequest(**home.says(actor="ann", dry_run=dry_run)), timeout=10
                )
    counted = {
        ("forgotten", "expired"): 1,
        ("forgotten", "displaced"): 1,
        ("forgotten", "purged"): 1,
        ("forgotten", "outdated"): 0,
        ("consolidated", "merged"): 1,
        ("consolidated", "summaries"): 0,
        ("erased", "memories"): 1,
        ("erased", "vectors"): 1,
    }
    assert {
        (name, what): process.metric(f"emily_memory_{name}_total", what=what) for name, what in counted
    } == counted
