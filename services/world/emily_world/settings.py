"""What a run of the world is: which world, how many episodes, how hard they are made."""

from __future__ import annotations

from typing import Annotated, Literal

from emily_contracts.constraints import Name
from emily_runtime.settings import ServiceSettings
from msgspec import Meta

Strategy = Literal["active", "random", "whole"]


class WorldSettings(ServiceSettings, frozen=True, kw_only=True):
    """Read from `EMILY_WORLD_*`."""

    namespace: Annotated[str, Meta(description="The root space; a world speaks to the router")] = "emily"
    world: Annotated[Literal["digits", "host"], Meta(description="Digits or the host")] = "digits"
    run: Annotated[
        Name | None,
        Meta(description="Prefix of subjects and root of all ids; the same run is the same messages"),
    ] = None
    only: Annotated[
        tuple[Annotated[int, Meta(ge=0, le=9)], ...],
        Meta(description="Digits: which ones are shown, as 3,8; all when empty"),
    ] = ()
    episodes: Annotated[int, Meta(ge=1, description="Digits: pictures shown in all")] = 100
    seed: Annotated[int, Meta(ge=0, description="Digits: of the split and of every draw")] = 0
    strategy: Annotated[
        Strategy, Meta(description="Digits: look where the mind asks, at random places, or at all at once")
    ] = "active"
    subjects: Annotated[int, Meta(ge=1, le=256, description="Digits: episodes that go on side by side")] = 1
    distractors: Annotated[
        float, Meta(ge=0, le=1, description="Digits: probability that flashes disturb a look")
    ] = 0.3
    noise: Annotated[
        float, Meta(ge=0, le=16, description="Digits: deviation of gaussian noise, greys are 0 to 16")
    ] = 0.0
    shift_x: Annotated[int, Meta(ge=-7, le=7, description="Digits: pixels that pictures move right")] = 0
    shift_y: Annotated[int, Meta(ge=-7, le=7, description="Digits: pixels that pictures move down")] = 0
    learn: Annotated[bool, Meta(description="Digits: tell the active mind what was true")] = True
    retries: Annotated[
        int, Meta(ge=0, le=100, description="Digits: how often an unanswered look is repeated")
    ] = 3
    answer_timeout_s: Annotated[float, Meta(gt=0, le=60, description="Digits: most time for an answer")] = 2.0
    interval_s: Annotated[float, Meta(gt=0, le=3600, description="Host: time between two readings")] = 1.0
    ticks: Annotated[int, Meta(ge=0, description="Host: readings in all; 0 goes on until stopped")] = 0
