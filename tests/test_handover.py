"""Two stacks of real minds: what moves between them in the middle of an episode goes on where it was."""

from __future__ import annotations

from typing import Any

from emily_contracts import Decision, Message, Stimulus, bucket
from emily_contracts.flags import ALPHA_PHASE_RESET, GFLOWNET_V2
from emily_runtime.checkpoint import decode_state, encode_state
from emily_world.settings import WorldSettings
from msgspec.structs import replace

EPISODES = 40
EVERY = 9
"""Events between two moves: an episode takes about as many."""
TIERS = ("reflex", "workspace", "inference")


class TwoColours:
    """Tiers of two colours, one of which hears; the minds move to the other one every few events.

    Attributes:
        moves: So far.
        in_an_episode: Moves of which a subject was in the middle of an episode.
    """

    def __init__(self, hears: Any, idle: Any, *, low: int = 0, high: int = 10_000) -> None:
        self._hears, self._idle = hears, idle
        self._low, self._high = low, high
        self._heard = self.moves = self.in_an_episode = 0

    def hear(self, message: Message) -> Decision | None:
        self._heard += 1
        if self._heard % EVERY == 0:
            self._move()
        decision: Decision | None = self._hears.hear(message)
        return decision

    def _move(self) -> None:
        self.moves += 1
        self.in_an_episode += any(gaze.seen for gaze in self._hears.inference.state.gazes.values())
        for tier in TIERS:
            giver, taker = getattr(self._hears, tier), getattr(self._idle, tier)
            mind = giver.mind
            data = encode_state(giver.state, name=mind.name, version=mind.state_version)
            given = decode_state(data, mind.state_type, name=mind.name, version=mind.state_version)
            whole = (self._low, self._high) == (0, 10_000)
            taker.state = given if whole else mind.merged(taker.state, given, self._moves)
        self._hears, self._idle = self._idle, self._hears

    def _moves(self, subject: str) -> bool:
        return self._low <= bucket(subject) < self._high


class UnderFlags:
    """Stamps variants onto stimuli, as the router does; each subject has others."""

    def __init__(self, hears: Any) -> None:
        self._hears = hears

    def hear(self, message: Message) -> Decision | None:
        if isinstance(message, Stimulus):
            one, other = ("on", "off") if message.subject.endswith("0") else ("off", "on")
            message = replace(message, flags={GFLOWNET_V2: one, ALPHA_PHASE_RESET: other})
        decision: Decision | None = self._hears.hear(message)
        return decision


def decisions_of(loopback: Any, tiers: Any, **changes: Any) -> list[Decision]:
    heard: list[Decision] = []
    loopback.perceive(tiers, WorldSettings(run="test", episodes=EPISODES, **changes), heard.append)
    return heard


def test_forty_episodes_give_the_same_decisions_bit_for_bit_when_minds_move_in_their_middles(
    loopback: Any, models: Any
) -> None:
    at_home = decisions_of(loopback, loopback.Tiers.of(models), subjects=2)
    colours = TwoColours(loopback.Tiers.of(models), loopback.Tiers.of(models))
    moved = decisions_of(loopback, colours, subjects=2)
    assert colours.in_an_episode >= 20
    assert len(at_home) > EPISODES
    assert moved == at_home


def test_a_subject_that_moves_alone_to_an_empty_colour_goes_on_as_if_it_had_not(
    loopback: Any, models: Any
) -> None:
    at_home = decisions_of(loopback, loopback.Tiers.of(models))
    (subject,) = {decision.subject for decision in at_home}
    colours = TwoColours(
        loopback.Tiers.of(models), loopback.Tiers.of(models), low=bucket(subject), high=bucket(subject) + 1
    )
    moved = decisions_of(loopback, colours)
    assert colours.in_an_episode >= 20
    assert moved == at_home


def test_without_its_mind_a_subject_would_decide_otherwise(loopback: Any, models: Any) -> None:
    at_home = decisions_of(loopback, loopback.Tiers.of(models))
    (subject,) = {decision.subject for decision in at_home}
    nobody = (bucket(subject) + 1) % 10_000
    colours = TwoColours(loopback.Tiers.of(models), loopback.Tiers.of(models), low=nobody, high=nobody + 1)
    assert decisions_of(loopback, colours) != at_home


def test_under_flags_minds_move_with_the_variants_of_their_subjects(loopback: Any, models: Any) -> None:
    at_home = decisions_of(loopback, UnderFlags(loopback.Tiers.of(models)), subjects=2, shift_x=2)
    colours = TwoColours(loopback.Tiers.of(models), loopback.Tiers.of(models))
    moved = decisions_of(loopback, UnderFlags(colours), subjects=2, shift_x=2)
    assert {each.provenance.flags[GFLOWNET_V2] for each in at_home if each.provenance} == {"on", "off"}
    assert colours.in_an_episode >= 20
    assert moved == at_home
