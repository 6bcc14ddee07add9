"""A deploy from its order to its end, through failures, commands and kills."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from emily_deployer.deployment import BACKWARD, FORWARD, Deployment, State, Step
from emily_deployer.errors import Busy, Closed, NoDeploy, NotNow
from emily_deployer.judging import Observation, Patience, Undecided
from emily_deployer.machine import Machine
from emily_deployer.testing import Killed, Lethal, World, order
from emily_deployer.traffic import Roles

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def running(machine: Machine) -> AsyncIterator[Machine]:
    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(machine.run)
            yield machine
            tasks.cancel_scope.cancel()


async def until(holds: Callable[[], bool]) -> None:
    with anyio.fail_after(10):
        while not holds():
            await anyio.sleep(0.001)


async def ended(machine: Machine) -> Deployment:
    with anyio.fail_after(10):
        while (newest := (await machine.store.history(1))[0]).ended_at is None:
            await anyio.sleep(0.001)
    return newest


async def deployed(world: World, **changes: Any) -> Deployment:
    with world.machine() as made:
        async with running(made) as machine:
            await machine.order(order(**changes), by="ann", reason="better")
            return await ended(machine)


def settled_on(world: World, colour: str, release: str) -> None:
    assert Roles.of(world.table) == Roles(colour)
    assert world.runs == {colour: release}


async def test_a_good_release_takes_over(world: World) -> None:
    over = await deployed(world)
    assert over.state is State.SUCCEEDED
    settled_on(world, "green", "v2")
    assert world.expanded == world.contracted == {"v2"}
    with world.machine() as machine:
        acts = await machine.store.acts(over.id)
    assert next(act.step for act in acts if act.what == "done") is Step.LOCK
    assert {act.who for act in acts} == {"ann", "deployer"}
    canary = [act for act in acts if act.step is Step.CANARY and act.what == "done"]
    assert len(canary) == 2


async def test_the_next_deploy_goes_the_other_way(world: World) -> None:
    await deployed(world)
    over = await deployed(world, version="v3")
    assert over.plan is not None
    assert (over.plan.old, over.plan.old_version, over.plan.new) == ("green", "v2", "blue")
    settled_on(world, "blue", "v3")


@pytest.mark.parametrize("call", ["build", "expand", "start", "ready", "smoke"])
async def test_what_fails_before_the_traffic_returns_to_the_old_colour(world: World, call: str) -> None:
    world.broken[call] = "it burns"
    over = await deployed(world)
    assert over.state is State.ROLLED_BACK
    assert "it burns" in over.words
    settled_on(world, "blue", "v1")


async def test_what_never_gets_ready_returns_to_the_old_colour(world: World) -> None:
    world.broken["ready"] = "never"
    over = await deployed(world)
    assert over.words == "ready: green is not ready in 0.2 s: inference has no model"
    settled_on(world, "blue", "v1")


@pytest.mark.parametrize(
    ("behaves", "words"),
    [
        ({"failed": True}, "green fails 100.0 % of"),
        ({"failed": False, "latency_s": 0.1}, "at latency p50"),
        ({"failed": False, "correct": False}, None),
        ({"failed": False, "confidence": 0.1}, "mean confidence"),
    ],
)
async def test_what_answers_worse_is_sent_back(
    world: World, behaves: dict[str, float], words: str | None
) -> None:
    world.behaves = Observation(**behaves)  # type: ignore[arg-type]
    over = await deployed(world)
    if words is None:
        assert over.state is State.SUCCEEDED, "nothing is known of how often blue is right"
        return
    assert over.state is State.ROLLED_BACK
    assert words in over.words
    settled_on(world, "blue", "v1")


async def test_a_shadow_that_decides_otherwise_never_answers(world: World) -> None:
    world.agreed = 0.5
    over = await deployed(world)
    assert over.words.startswith("shadow: green decides as blue in 50.0 % of")
    settled_on(world, "blue", "v1")


async def test_a_colour_that_dies_in_its_window_is_left(world: World) -> None:
    with world.machine() as made:
        async with running(made) as machine:
            await machine.order(order(window_s=60.0), by="ann", reason="")
            await until(lambda: machine.current is not None and machine.current.step is Step.WINDOW)
            world.absent["green"] = ("inference",)
            world.broken["handover"] = "green does not answer"
            over = await ended(machine)
    assert "green: inference down for" in over.words
    settled_on(world, "blue", "v1")


async def test_what_is_left_undone_at_the_end_is_said(world: World) -> None:
    world.broken["contract"] = "a table is locked"
    over = await deployed(world)
    assert over.state is State.SUCCEEDED
    settled_on(world, "green", "v2")
    with world.machine() as machine:
        acts = await machine.store.acts(over.id)
    assert any(act.why == "left undone: contract: a table is locked" for act in acts)


async def test_an_unknown_version_changes_nothing(world: World) -> None:
    over = await deployed(world, version="unknown")
    assert over.state is State.ROLLED_BACK
    assert over.words == "plan: version: there is no 'unknown'"
    assert set(world.calls) <= {"now"}


async def test_a_second_deploy_is_refused_and_told_who_deploys(world: World) -> None:
    with world.machine() as made:
        async with running(made) as machine:
            await machine.order(order(window_s=60.0), by="ann", reason="")
            with pytest.raises(Busy, match="ann deploys v2 since"):
                await machine.order(order(version="v3"), by="bob", reason="")
            await machine.abort(by="bob", reason="")
            assert (await ended(machine)).state is State.ROLLED_BACK


async def test_a_second_deployer_is_refused(world: World) -> None:
    with world.machine(), pytest.raises(Closed, match="another deployer holds it"), world.machine():
        pass


@pytest.mark.parametrize("step", [Step.SHADOW, Step.CANARY, Step.WINDOW])
async def test_a_person_can_take_all_back_in_one_change(world: World, step: Step) -> None:
    patience = Patience(least_s=60.0)
    with world.machine() as made:
        async with running(made) as machine:
            asked = order(window_s=60.0, patience=patience, shadow=step is Step.SHADOW)
            await machine.order(asked, by="ann", reason="")
            for _ in range(4):
                await until(lambda: machine.current is not None and machine.current.under_way)
                await until(
                    lambda: machine.current is not None and machine.current.step in {Step.CANARY, step}
                )
                if machine.current is not None and machine.current.step is step:
                    break
                await machine.promote(by="ann", reason="")
            await until(
                lambda: {
                    Step.SHADOW: world.table.shadow == "green",
                    Step.CANARY: world.table.canary == "green",
                    Step.WINDOW: world.table.active == "green",
                }[step]
            )
            version = world.table.version
            await machine.abort(by="bob", reason="smells")
            over = await ended(machine)
    assert over.words == "rolled back by bob: smells"
    assert world.table.version == version + 1
    settled_on(world, "blue", "v1")


async def test_paused_traffic_stays_as_it_is_until_it_is_resumed(world: World) -> None:
    with world.machine() as made:
        async with running(made) as machine:
            await machine.order(order(patience=Patience(least_s=60.0), shadow=False), by="ann", reason="")
            await until(lambda: world.table.weight == 100)
            held = await machine.pause(by="bob", reason="lunch")
            assert held.state is State.PAUSED
            with pytest.raises(NotNow):
                await machine.resume(by="bob", reason="") and await machine.resume(by="bob", reason="")
            assert world.table.weight == 100
            for weight in (100, 5000):
                await until(lambda weight=weight: world.table.weight == weight)  # type: ignore[misc]
                await machine.promote(by="bob", reason="")
            assert (await ended(machine)).state is State.SUCCEEDED
    settled_on(world, "green", "v2")


async def test_a_person_decides_when_asked_to(world: World) -> None:
    world.behaves = Observation()
    patience = Patience(least_s=0.0, seconds=0.1, undecided=Undecided.PAUSE)
    with world.machine() as made:
        async with running(made) as machine:
            await machine.order(order(patience=patience, shadow=False, steps=(10.0,)), by="ann", reason="")
            await until(lambda: machine.current is not None and machine.current.state is State.PAUSED)
            assert "a person has to decide: no stimulus of green was seen yet" in machine.said
            await machine.promote(by="ann", reason="looked at it")
            assert (await ended(machine)).state is State.SUCCEEDED


async def test_nothing_is_commanded_when_nothing_is_under_way(world: World) -> None:
    with world.machine() as machine, pytest.raises(NoDeploy):
        await machine.abort(by="ann", reason="")


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", FORWARD, ids=lambda step: step.value)
async def test_a_kill_in_any_step_is_taken_up_by_the_next_process(
    world: World, step: Step, done: bool
) -> None:
    await killed(world, step, done=done)
    with world.machine() as made:
        async with running(made) as machine:
            over = await ended(machine)
    assert over.state is State.SUCCEEDED
    settled_on(world, "green", "v2")
    assert (await deployed(world, version="v3")).state is State.SUCCEEDED


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", BACKWARD, ids=lambda step: step.value)
async def test_a_kill_on_the_way_back_is_taken_up_too(world: World, step: Step, done: bool) -> None:
    world.behaves = Observation(failed=True)
    await killed(world, step, done=done)
    with world.machine() as made:
        async with running(made) as machine:
            over = await ended(machine)
    assert over.state is State.ROLLED_BACK
    settled_on(world, "blue", "v1")
    world.behaves = Observation(failed=False, latency_s=0.01)
    assert (await deployed(world, version="v3")).state is State.SUCCEEDED


async def killed(world: World, step: Step, *, done: bool) -> None:
    async def live() -> None:
        with world.machine(around=lambda steps: Lethal(steps, step, done=done)) as made:
            async with running(made) as machine:
                await machine.order(order(), by="ann", reason="")
                await anyio.sleep_forever()

    with pytest.raises(BaseExceptionGroup) as dead:
        await live()
    assert dead.group_contains(Killed)


async def test_a_hook_sees_the_deploy_and_stops_it(world: World, tmp_path: Path) -> None:
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    told = tmp_path / "told"
    for name, body in (
        ("post-start", f'echo "$EMILY_DEPLOY_VERSION $EMILY_DEPLOY_NEW" >> {told}; exit 3'),
        ("pre-shadow", "read -t 1 line && exit 0; echo the moon is wrong >&2; exit 7"),
    ):
        (hooks / name).write_text(f"#!/bin/bash\n{body}\n")
        (hooks / name).chmod(0o700)
    with world.machine(hooks=hooks) as made:
        async with running(made) as machine:
            await machine.order(order(), by="ann", reason="")
            over = await ended(machine)
    assert over.words == "shadow: hook pre-shadow: exit 7; it said: the moon is wrong"
    assert told.read_text() == "v2 green\n"
    settled_on(world, "blue", "v1")
