"""What a run of the world is: which world, how many episodes, how hard they are made."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from emily_contracts.constraints import Name
from msgspec import Meta

Strategy = Literal["active", "random", "whole"]


class WorldSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Read from `EMILY_WORLD_*`.

    Attributes:
        world: `digits` to look at handwritten digits, `host` to feel the machine.
        run: Prefix of the subjects' names; drawn at the start when absent. Message ids are derived from
            it: the same run is the same messages, and a router answers them from its journal.
        episodes: Digits: pictures shown in all.
        seed: Digits: of the split and of every draw.
        strategy: Digits: look where the mind asks (`active`), at random unseen places (`random`), or at
            the `whole` picture at once. Nothing is learned from the last two.
        subjects: Digits: episodes that go on at the same time.
        distractors: Digits: probability that something flashes elsewhere during a look.
        noise: Digits: standard deviation of gaussian noise on the pictures, in grey units of 0 to 16.
        shift_x, shift_y: Digits: pixels by which every picture is moved to the right and down.
        learn: Digits: whether the mind is told what was true.
        retries: How often an unanswered stimulus is sent again before its episode is given up.
        answer_timeout_s: How long an answer is waited for.
        interval_s: Host: time between two stimuli.
        ticks: Host: stimuli in all; 0 goes on until stopped.
    """

    namespace: str = "emily"
    world: Literal["digits", "host"] = "digits"
    run: Name | None = None
    episodes: Annotated[int, Meta(ge=1)] = 100
    seed: Annotated[int, Meta(ge=0)] = 0
    strategy: Strategy = "active"
    subjects: Annotated[int, Meta(ge=1, le=256)] = 1
    distractors: Annotated[float, Meta(ge=0, le=1)] = 0.3
    noise: Annotated[float, Meta(ge=0, le=16)] = 0.0
    shift_x: Annotated[int, Meta(ge=-7, le=7)] = 0
    shift_y: Annotated[int, Meta(ge=-7, le=7)] = 0
    learn: bool = True
    retries: Annotated[int, Meta(ge=0, le=100)] = 3
    answer_timeout_s: Annotated[float, Meta(gt=0, le=60)] = 2.0
    interval_s: Annotated[float, Meta(gt=0, le=3600)] = 1.0
    ticks: Annotated[int, Meta(ge=0)] = 0
