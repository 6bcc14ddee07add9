"""What a shadow lives through is not kept, for the active colour lives through it too."""

from __future__ import annotations

from datetime import UTC, datetime

import anyio.to_thread
import pytest
from emily_contracts import Episode, Role, Standing, StandingRequest, StoreRequest, uuid7
from emily_contracts.topics import CURRENT_STANDING, EXPERIENCE, STANDING
from emily_runtime.testing import ServiceProcess

pytestmark = pytest.mark.anyio

CHANGED = "this colour is something else now"


def standing(role: Role, version: int = 1) -> Standing:
    at = datetime.now(UTC)
    identity = uuid7(at)
    return Standing(id=identity, at=at, stimulus_id=identity, role=role, version=version)


def lived() -> StoreRequest:
    at = datetime.now(UTC)
    episode = Episode(id=uuid7(at), occurred_at=at, content="a moment")
    return StoreRequest(id=episode.id, at=at, stimulus_id=episode.id, namespace="mind", episode=episode)


def counted(process: ServiceProcess, name: str, **labels: str) -> float:
    """A counter; 0 before it first counts."""
    try:
        return process.metric(name, **labels)
    except LookupError:
        return 0.0


def became(process: ServiceProcess) -> tuple[float, float]:
    """Of experiences: how many were kept, and how many left to the active colour."""
    return (
        counted(process, "emily_memory_stored_total", what="new"),
        counted(process, "emily_memory_rejected_total", reason="shadow"),
    )


async def test_experiences_are_kept_unless_the_colour_is_a_shadow(process: ServiceProcess) -> None:
    roles = (None, Role.SHADOW, Role.CANARY, Role.SHADOW, Role.IDLE)
    kept = shadowed = changes = 0
    async with process.bus() as bus:
        for role in roles:
            if role is not None:
                await bus.publish(STANDING, standing(role))
                changes += 1
                process.wait_until(lambda: len(process.logged(CHANGED)) == changes)  # noqa: B023
            await bus.publish(EXPERIENCE, lived())
            kept, shadowed = kept + (role is not Role.SHADOW), shadowed + (role is Role.SHADOW)
            process.wait_until(lambda: became(process) == (kept, shadowed))  # noqa: B023


async def test_a_memory_that_starts_in_a_shadow_asks_what_it_is(process: ServiceProcess, url: str) -> None:
    process.stop()

    async def answer(_: StandingRequest) -> Standing:
        return standing(Role.SHADOW)

    async with process.bus() as bus, bus.serve(CURRENT_STANDING, answer):
        await anyio.to_thread.run_sync(lambda: process.start(database_url=url, embedder="hashing"))
        assert [line["role"] for line in process.logged(CHANGED)] == ["shadow"]
        await bus.publish(EXPERIENCE, lived())
        process.wait_until(lambda: became(process) == (0, 1))
