"""Users of the bus that are granted some keys and no others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from emily_bus import AskTimeout, Bus, BusSettings, NoResponder
from emily_bus.testing import Numbered, ended_router, numbered, router, take
from emily_contracts import Query, Topic


class Question(msgspec.Struct, frozen=True, kw_only=True):
    number: int


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    number: int


EVENT = Topic("event/{lane}", Numbered, "Something.")
DOUBLE = Query("double", Question, Answer, "Doubles.")


async def double(question: Question) -> Answer:
    return Answer(number=2 * question.number)


@pytest.fixture
def confined(tmp_path: Path) -> Iterator[Callable[[str], BusSettings]]:
    """Settings of each user of a router where blue has its own space and control has all."""
    users = ("control", "blue", "stranger")
    (tmp_path / "passwords").write_text("router:inside\n" + "".join(f"{user}:{user}s\n" for user in users))
    grants = ("--grant", "control=emily/**", "--grant", "blue=emily/blue/**")
    with router(("--passwords", str(tmp_path / "passwords"), *grants)) as endpoint:
        yield lambda user: BusSettings(
            endpoint=endpoint, user=user, password=lambda: f"{user}s", publish_timeout_s=1
        )


@pytest.mark.anyio
async def test_a_confined_user_speaks_and_hears_in_its_own_space(
    confined: Callable[[str], BusSettings],
) -> None:
    async with (
        Bus.open(confined("blue"), namespace="emily/blue", name="mind") as mind,
        Bus.open(confined("control"), namespace="emily/blue", name="router") as control,
        mind.alive("reflex"),
        mind.subscribe(EVENT) as heard,
        control.subscribe(EVENT) as told,
        mind.serve(DOUBLE, double),
    ):
        await control.publish(EVENT, numbered(1))
        await mind.publish(EVENT, numbered(2))
        assert {each.number for each in await take(heard, 2)} == {1, 2}
        assert {each.number for each in await take(told, 2)} == {1, 2}
        assert (await control.ask(DOUBLE, Question(number=4), timeout=5)).number == 8
        assert await control.living() == {"reflex"}


@pytest.mark.anyio
async def test_a_confined_user_neither_asks_nor_answers_nor_speaks_nor_hears_elsewhere(
    confined: Callable[[str], BusSettings],
) -> None:
    async with (
        Bus.open(confined("control"), namespace="emily", name="router") as control,
        Bus.open(confined("control"), namespace="emily", name="operator") as operator,
        Bus.open(confined("blue"), namespace="emily", name="mind") as mind,
        operator.subscribe(EVENT) as told,
        mind.subscribe(EVENT) as heard,
        mind.alive("router"),
    ):
        async with mind.serve(DOUBLE, double):
            with pytest.raises(NoResponder):
                await operator.ask(DOUBLE, Question(number=4), timeout=2)
        async with control.serve(DOUBLE, double):
            with pytest.raises((NoResponder, AskTimeout)):
                await mind.ask(DOUBLE, Question(number=4), timeout=2)
            assert (await operator.ask(DOUBLE, Question(number=4), timeout=5)).number == 8
        await control.publish(EVENT, numbered(1))
        assert await take(told, 1) == [numbered(1)]
        assert heard.statistics().depth == 0
        await mind.publish(EVENT, numbered(2))
        await control.publish(EVENT, numbered(3))
        assert await take(told, 1) == [numbered(3)]
        assert await operator.living() == frozenset()


@pytest.mark.anyio
async def test_a_user_without_a_grant_hears_and_says_nothing(confined: Callable[[str], BusSettings]) -> None:
    async with (
        Bus.open(confined("control"), namespace="emily", name="router") as control,
        control.serve(DOUBLE, double),
        Bus.open(confined("stranger"), namespace="emily", name="stranger") as stranger,
    ):
        with pytest.raises((NoResponder, AskTimeout)):
            await stranger.ask(DOUBLE, Question(number=4), timeout=2)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--grant", "blue=emily/blue/**"), "give that too"),
        (("--passwords", "x", "--grant", "blue"), "'blue' is not USER=KEYS"),
        (("--passwords", "x", "--grant", "blue=emily//blue"), "is not USER=KEYS"),
    ],
)
def test_a_grant_that_makes_no_sense_is_refused(arguments: tuple[str, ...], words: str) -> None:
    told = ended_router(*arguments)
    assert told.returncode == 2
    assert words in told.stderr
