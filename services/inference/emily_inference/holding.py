"""What a mind lived and holds until memory says that it has it."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from emily_contracts import Lived, LivedRequest, StoreRequest
from msgspec.structs import replace

PAGE = 128


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """Experiences that memory may lack.

    Attributes:
        experiences: The oldest first.
        given_up: How many were ever let go before memory said that it has them.
    """

    experiences: tuple[StoreRequest, ...] = ()
    given_up: int = 0


def with_one(held: Held, experience: StoreRequest, *, most: int) -> Held:
    """What is held after an experience; beyond the bound the oldest is given up."""
    return _bounded((*held.experiences, experience), held.given_up, most)


def told(held: Held, request: LivedRequest) -> tuple[Held, Lived]:
    """What is held without that which memory has, and the oldest of it."""
    kept = frozenset(request.kept)
    left = tuple(each for each in held.experiences if each.id not in kept)
    if len(left) < len(held.experiences):
        held = replace(held, experiences=left)
    return held, Lived(experiences=left[:PAGE], given_up=held.given_up)


def put_together(own: Held, given: Held, moves: Callable[[str], bool], *, most: int) -> Held:
    """The given experiences of subjects that move, and the own ones of the others."""
    stays = [each for each in own.experiences if not moves(_subject(each))]
    comes = [each for each in given.experiences if moves(_subject(each))]
    together = sorted(stays + comes, key=lambda each: (each.at, each.id))
    return _bounded(tuple(together), own.given_up, most)


def _bounded(experiences: tuple[StoreRequest, ...], given_up: int, most: int) -> Held:
    excess = max(0, len(experiences) - most)
    return Held(experiences=experiences[excess:], given_up=given_up + excess)


def _subject(experience: StoreRequest) -> str:
    return experience.episode.context["subject"]
