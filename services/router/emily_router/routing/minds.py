"""Moves minds between colours: a barrier in each, what was remembered there, and its adoption."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Mapping
from datetime import UTC, datetime

import anyio
from emily_bus import AskError, BusCongested
from emily_contracts.envelope import uuid7
from emily_contracts.handover import Adoption, Barrier, StateRequest, StateSnapshot
from emily_contracts.topics import ADOPT, REFLEX_BARRIER, STATE

from emily_router.errors import HandoverFailed
from emily_router.routing.lane import Lane
from emily_router.routing.moves import Move

TIERS = ("reflex", "workspace", "inference")
HANDOVER_S = 1.0
"""For a whole handover: stimuli wait for it."""
UNDO_S = 0.5

type _Memory = dict[tuple[str, str], StateSnapshot]
"""What was remembered, by colour and tier."""


async def move(lanes: Mapping[str, Lane], moves: Iterable[Move]) -> tuple[str, ...]:
    """Let colours take minds over, all of it or nothing; nothing may be on its way to them meanwhile.

    Returns:
        In words, what could not be taken over and starts anew.

    Raises:
        HandoverFailed: Some tier did not tell or take in time; those that took have gone back.
    """
    moves = tuple(moves)
    concerned = sorted({colour for each in moves for colour in (each.giver, each.taker)})
    takers = {each.taker for each in moves}
    for taker in takers:
        lanes[taker].discard_copies()
    memory: _Memory = {}
    try:
        with anyio.fail_after(HANDOVER_S):
            memory = await _remembered([lanes[colour] for colour in concerned])
            cold: list[str] = []
            for each in moves:
                cold += await _taken_over(lanes[each.taker], each, memory)
            return tuple(cold)
    except TimeoutError:
        await _undo(lanes, takers, memory)
        raise HandoverFailed(f"the minds did not move within {HANDOVER_S:g} s; nothing was changed") from None
    except HandoverFailed:
        await _undo(lanes, takers, memory)
        raise


async def _remembered(lanes: Iterable[Lane]) -> _Memory:
    """What every tier of the colours remembers behind all that was sent to it."""
    lanes = tuple(lanes)
    at = datetime.now(UTC)
    name = uuid7(at)
    barrier = Barrier(id=name, at=at, stimulus_id=name)
    for lane in lanes:
        try:
            await lane.bus.publish(REFLEX_BARRIER, barrier)
        except BusCongested as congestion:
            raise HandoverFailed(f"{lane.name}: {congestion}; nothing was changed") from None
    return await _together(
        {
            (lane.name, tier): lane.bus.ask(
                STATE, StateRequest(service=tier, barrier=name), timeout=HANDOVER_S
            )
            for lane in lanes
            for tier in TIERS
        }
    )


async def _taken_over(taker: Lane, moved: Move, memory: _Memory) -> list[str]:
    """Adopted by every tier; what each could not read, in words."""
    adopted = await _together(
        {
            (taker.name, tier): taker.bus.ask(
                ADOPT,
                Adoption(service=tier, snapshot=memory[moved.giver, tier], low=moved.low, high=moved.high),
                timeout=HANDOVER_S,
            )
            for tier in TIERS
        }
    )
    return [
        f"{taker.name}/{tier}: {each.cold_start}" for (_, tier), each in adopted.items() if each.cold_start
    ]


async def _undo(lanes: Mapping[str, Lane], takers: Iterable[str], memory: _Memory) -> None:
    """Let takers be again what they were, as far as they can be reached."""
    own = {
        (taker, tier): lanes[taker].bus.ask(
            ADOPT, Adoption(service=tier, snapshot=memory[taker, tier]), timeout=UNDO_S
        )
        for taker in takers
        for tier in TIERS
        if (taker, tier) in memory
    }
    try:
        await _together(own)
    except HandoverFailed:
        return  # whoever is away now takes everything over before it answers again


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
