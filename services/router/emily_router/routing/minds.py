"""Moves minds between colours: a barrier in each, what was remembered there, and its adoption."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Mapping
from datetime import UTC, datetime
from uuid import UUID

import anyio
from emily_bus import AskError, BusCongested
from emily_contracts.envelope import uuid7
from emily_contracts.handover import Adoption, Barrier, StateRequest, StateSnapshot
from emily_contracts.topics import ADOPT, REFLEX_BARRIER, STATE
from emily_runtime.logs import get_logger

from emily_router.errors import HandoverFailed
from emily_router.routing.lane import Lane
from emily_router.routing.moves import Move

TIERS = ("reflex", "workspace", "inference")
HANDOVER_S = 1.0
"""For a whole handover: stimuli wait for it."""
UNDO_S = 0.5

_log = get_logger(__name__)

type _Memory = dict[tuple[str, str], StateSnapshot]
"""What was remembered, by colour and tier."""


async def move(lanes: Mapping[str, Lane], moves: Iterable[Move]) -> tuple[str, ...]:
    """Let colours take minds over, all of it or nothing; nothing may be on its way to them meanwhile.

    Returns:
        In words, what could not be taken over and starts anew.

    Raises:
        HandoverFailed: Some tier did not tell or take in time; those that took and have subjects of their
            own have gone back.
    """
    moves = tuple(moves)
    # Who takes all had no subjects, and takes all again before it has some.
    keeping = {each.taker for each in moves if not each.whole}
    for each in moves:
        lanes[each.taker].discard_copies()
    memory: _Memory = {}
    try:
        with anyio.fail_after(HANDOVER_S):
            barrier = await _cut(
                lanes[name] for name in sorted({name for each in moves for name in each[:2]})
            )
            tellers = {each.giver for each in moves} | keeping
            memory |= await _remembered([lanes[name] for name in sorted(tellers)], barrier)
            cold: list[str] = []
            for each in moves:
                cold += await _taken_over(lanes[each.taker], each, memory, barrier)
            return tuple(cold)
    except TimeoutError:
        await _undo([lanes[name] for name in keeping], memory)
        raise HandoverFailed(f"the minds did not move within {HANDOVER_S:g} s; nothing was changed") from None
    except HandoverFailed:
        await _undo([lanes[name] for name in keeping], memory)
        raise


async def _cut(lanes: Iterable[Lane]) -> UUID:
    """Send a barrier behind all that was sent to the colours; its name."""
    at = datetime.now(UTC)
    name = uuid7(at)
    for lane in lanes:
        try:
            await lane.bus.publish(REFLEX_BARRIER, Barrier(id=name, at=at, stimulus_id=name))
        except BusCongested as congestion:
            raise HandoverFailed(f"{lane.name}: {congestion}; nothing was changed") from None
    return name


async def _remembered(lanes: Iterable[Lane], barrier: UUID) -> _Memory:
    """What every tier of the colours remembers at a barrier."""
    return await _together(
        {
            (lane.name, tier): lane.bus.ask(
                STATE, StateRequest(service=tier, barrier=barrier), timeout=HANDOVER_S
            )
            for lane in lanes
            for tier in TIERS
        }
    )


async def _taken_over(taker: Lane, moved: Move, memory: _Memory, barrier: UUID) -> list[str]:
    """Adopted by every tier; what each could not read, in words."""
    adopted = await _together(
        {
            (taker.name, tier): taker.bus.ask(
                ADOPT,
                Adoption(
                    service=tier,
                    snapshot=memory[moved.giver, tier],
                    low=moved.low,
                    high=moved.high,
                    barrier=barrier,
                ),
                timeout=HANDOVER_S,
            )
            for tier in TIERS
        }
    )
    return [
        f"{taker.name}/{tier}: {each.cold_start}" for (_, tier), each in adopted.items() if each.cold_start
    ]


async def _undo(takers: Iterable[Lane], memory: _Memory) -> None:
    """Let takers be again what they were, as far as they can be reached."""
    own = {
        (taker.name, tier): taker.bus.ask(
            ADOPT, Adoption(service=tier, snapshot=memory[taker.name, tier]), timeout=UNDO_S
        )
        for taker in takers
        for tier in TIERS
        if (taker.name, tier) in memory
    }
    try:
        await _together(own)
    except HandoverFailed as failure:
        _log.warning("a mind may remember subjects that stay elsewhere", reason=str(failure))


async def _together[Reply](asks: Mapping[tuple[str, str], Awaitable[Reply]]) -> dict[tuple[str, str], Reply]:
    """Every reply, asked for at the same time.

    Raises:
        HandoverFailed: Who did not reply, and why.
    """
    replies: dict[tuple[str, str], Reply] = {}
    failures: list[str] = []

    async def one(who: tuple[str, str], ask: Awaitable[Reply]) -> None:
        try:
            replies[who] = await ask
        except AskError as failure:
            failures.append(f"{'/'.join(who)}: {failure}")

    async with anyio.create_task_group() as tasks:
        for who, ask in asks.items():
            tasks.start_soon(one, who, ask)
    if failures:
        raise HandoverFailed(f"{'; '.join(sorted(failures))}; nothing was changed")
    return replies
