"""A world of handwritten digits that is seen one place at a time.

A pure state machine: every message follows from the settings, the run's name, its start and the
mind's decisions. No clock, no dice of its own.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

import msgspec
import numpy as np
from emily_contracts import (
    Act,
    Decision,
    Message,
    Outcome,
    Scene,
    Status,
    Stimulus,
    StimulusDraft,
    successor_id,
    uuid7,
)
from emily_contracts.topics import INBOUND_OUTCOME, INBOUND_STIMULUS, SCENE
from emily_runtime.mind import Emission
from msgspec.structs import replace

from emily_world.dataset import Pictures
from emily_world.emission import Step, carried_out
from emily_world.eye import FOVEA, Eye
from emily_world.picture import BRIGHTEST, PLACES, SIDE, noisy, shifted
from emily_world.score import Score
from emily_world.settings import WorldSettings

MODALITY = "vision"
FIRST_PLACE = 27
MOST_LOOKS = PLACES
MOMENT = timedelta(milliseconds=40)
"""World time from one stimulus or outcome to the next."""


class DigitsState(msgspec.Struct, frozen=True, kw_only=True):
    """How far one subject has come.

    Attributes:
        subject: Its name.
        episode: Number of its picture in the run.
        looks: Places looked at in this episode, the last not answered yet; None is the whole picture.
        attempt: How often the last stimulus was sent again.
        moment: Its stimuli and outcomes since the run's start.
        pending: The stimulus that waits for its answer; none when the subject's episodes are over.
        score: Of its finished episodes.
    """

    subject: str
    episode: int
    looks: tuple[int | None, ...] = ()
    attempt: int = 0
    moment: int = 0
    pending: Stimulus | None = None
    score: Score = Score()


class DigitsWorld:
    """Subject s of n sees the pictures s, s + n, s + 2 n and so on of the run."""

    def __init__(self, settings: WorldSettings, pictures: Pictures, *, run: str, start: datetime) -> None:
        images = shifted(pictures.images, settings.shift_x, settings.shift_y)
        images = noisy(images, settings.noise, np.random.default_rng(settings.seed))
        self._eye = Eye(images, distractors=settings.distractors, seed=settings.seed)
        self._labels = pictures.labels
        self._settings = settings
        self._run = run
        self._start = start

    def begin(self, subject: int = 0) -> Step[DigitsState]:
        """The first episode of a subject: its scene and its first stimulus."""
        return self._begin_episode(DigitsState(subject=f"{self._run}-{subject}", episode=subject))

    def step(self, state: DigitsState, decision: Decision) -> Step[DigitsState]:
        """What the world does about a decision: the next stimulus, or the outcome and the next episode.

        A decision about anything but the pending stimulus is passed over; one that failed, or that no
        eye can carry out, is answered with the same stimulus under a new id.
        """
        if state.pending is None or decision.stimulus_id != state.pending.id:
            return state, ()
        if decision.status is Status.FAILED or not _can_be_done(decision.act):
            return self.unanswered(state)
        if decision.act.kind == "look" and len(state.looks) < MOST_LOOKS:
            return self._look(state, decision)
        return self._finish(state, decision)

    def unanswered(self, state: DigitsState) -> Step[DigitsState]:
        """The pending stimulus again under a new id; after `retries` of them the next episode."""
        if state.pending is None:
            return state, ()
        score = state.score
        if state.attempt == self._settings.retries:
            return self._next_episode(replace(state, score=replace(score, failed=score.failed + 1)))
        retried = replace(score, retries=score.retries + 1)
        return self._show(replace(state, attempt=state.attempt + 1, score=retried))

    def _begin_episode(self, state: DigitsState) -> Step[DigitsState]:
        begun = replace(state, looks=(), attempt=0)
        shown, emissions = self._show(replace(begun, looks=(self._place(begun, FIRST_PLACE),)))
        return shown, (self._scene(shown, emissions[0][1]), *emissions)

    def _next_episode(self, state: DigitsState) -> Step[DigitsState]:
        episode = state.episode + self._settings.subjects
        if episode >= self._settings.episodes:
            return replace(state, pending=None), ()
        return self._begin_episode(replace(state, episode=episode))

    def _look(self, state: DigitsState, decision: Decision) -> Step[DigitsState]:
        place = self._place(state, decision.act.place)
        detail = "looked where asked" if place == decision.act.place else f"{self._settings.strategy} look"
        looked = replace(state, looks=(*state.looks, place), attempt=0)
        following, emissions = self._show(looked)
        return following, (carried_out(decision, Act(kind="look", place=place), detail), *emissions)

    def _place(self, state: DigitsState, asked: int | None) -> int | None:
        if self._settings.strategy == "active":
            return asked
        return self._eye.wander(state.episode, state.looks) if self._settings.strategy == "random" else None

    def _finish(self, state: DigitsState, decision: Decision) -> Step[DigitsState]:
        truth = str(self._labels[state.episode % len(self._labels)])
        reported = decision.act.kind == "report"
        correct = reported and decision.act.label == truth
        detail = f"it was {truth}" if reported else f"given up after {MOST_LOOKS} looks; it was {truth}"
        emissions = [carried_out(decision, decision.act, detail, done=reported)]
        score = state.score + Score(episodes=1, correct=int(correct), looks=len(state.looks))
        finished = replace(state, score=score)
        if self._settings.learn and self._settings.strategy == "active":
            emissions.append(_outcome(decision, self._at(state), correct=correct, truth=truth))
            finished = replace(finished, moment=state.moment + 1)
        following, begun = self._next_episode(finished)
        return following, (*emissions, *begun)

    def _show(self, state: DigitsState) -> Step[DigitsState]:
        """The last of the looks as a stimulus."""
        at = self._at(state)
        what = f"{self._run}/{self._settings.seed}/{state.episode}/{len(state.looks)}/{state.attempt}"
        place = state.looks[-1]
        draft = StimulusDraft(
            modality=MODALITY,
            subject=state.subject,
            episode=f"picture-{state.episode}",
            attended=FOVEA,
            signals=self._eye.survey(state.episode)
            if place is None
            else self._eye.glance(state.episode, len(state.looks), place),
            deadline_ms=max(1, round(500 * self._settings.answer_timeout_s)),
        )
        randomness = hashlib.blake2b(what.encode(), digest_size=10).digest()
        stimulus = Stimulus.stamped(draft, id=uuid7(at, randomness), at=at)
        shown = replace(state, pending=stimulus, moment=state.moment + 1)
        return shown, (Emission(INBOUND_STIMULUS, stimulus),)

    def _scene(self, state: DigitsState, first: Message) -> Emission:
        scene = Scene(
            id=successor_id(first.id, "scene"),
            at=first.at,
            stimulus_id=first.id,
            modality=MODALITY,
            subject=state.subject,
            episode=f"picture-{state.episode}",
            width=SIDE,
            height=SIDE,
            values=self._eye.picture(state.episode),
            scale=(0.0, BRIGHTEST),
            index=state.episode,
            total=self._settings.episodes,
            strategy=self._settings.strategy,
            label=str(self._labels[state.episode % len(self._labels)]),
        )
        return Emission(SCENE, scene)

    def _at(self, state: DigitsState) -> datetime:
        """Subjects take turns, so that side by side no more happens in a moment than one after another."""
        turn = state.episode % self._settings.subjects
        return self._start + (state.moment * self._settings.subjects + turn) * MOMENT


def _can_be_done(act: Act) -> bool:
    if act.kind == "look":
        return act.place is not None and act.place < PLACES
    return act.kind == "report" and act.label is not None


def _outcome(decision: Decision, at: datetime, *, correct: bool, truth: str) -> Emission:
    outcome = Outcome(
        id=successor_id(decision.id, "outcome"),
        at=at,
        stimulus_id=decision.stimulus_id,
        causation_id=decision.id,
        modality=decision.modality,
        subject=decision.subject,
        episode=decision.episode,
        decision_id=decision.id,
        reward=1.0 if correct else -1.0,
        label=truth,
    )
    return Emission(INBOUND_OUTCOME, outcome)
