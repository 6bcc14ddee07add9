"""Thinking about what is seen: believe, look or report, learn."""

from __future__ import annotations

import numpy as np
from emily_contracts import Act, Broadcast, Outcome, Recollection, Status
from emily_contracts.flags import GFLOWNET_V2
from emily_runtime import Refused
from emily_runtime.subjects import Trace
from msgspec.structs import replace
from numpy.typing import NDArray

from emily_inference.draw import draw
from emily_inference.thought import Thought
from emily_inference.vision import acting, beliefs, hypothesising, knowledge
from emily_inference.vision.beliefs import Likelihood, Reading
from emily_inference.vision.expecting import expectation
from emily_inference.vision.grey import DIGITS, SIDE
from emily_inference.vision.hypotheses import STRUCTURES
from emily_inference.vision.hypothesising import DEFAULT
from emily_inference.vision.knowledge import Knowledge
from emily_inference.vision.learning import Rates
from emily_inference.vision.model import VisionModel
from emily_inference.vision.sensing import readings

_DIGIT_NAMES = tuple(str(digit) for digit in range(DIGITS))


class Gaze(Trace, frozen=True, kw_only=True):
    """One subject's episode.

    Attributes:
        episode: Its name.
        seen: One reading a place.
        pending: The place that was asked for and has not come yet.
        recalled: What memory answered before the first look; none when it was not asked.
        expected: (DIGITS,) how much likelier than the model says each digit is by it; none when by nothing.
        variant: Of sampling, that held when the episode began, and holds to its end.
    """

    episode: str
    seen: tuple[Reading, ...] = ()
    pending: int | None = None
    recalled: tuple[Recollection, ...] | None = None
    expected: NDArray[np.float64] | None = None
    variant: str = DEFAULT

    @property
    def fresh(self) -> bool:
        """Whether nothing was decided in it yet."""
        return self.pending is None and not self.seen


def begun(broadcast: Broadcast, touched: int, recalled: tuple[Recollection, ...] | None = None) -> Gaze:
    """An episode that is looked at, with what memory tells about it when it was asked."""
    return Gaze(
        episode=broadcast.episode,
        touched=touched,
        recalled=recalled,
        expected=None if recalled is None else expectation(recalled),
        variant=hypothesising.known(broadcast.flags.get(GFLOWNET_V2, DEFAULT)),
    )


class Sight:
    """The sense of vision: pure functions of knowledge and gaze, with the compiled likelihood at hand."""

    def __init__(self, model: VisionModel, *, seed: int, hypothesise: bool) -> None:
        self._model = model
        self._seed = seed
        self._hypothesise = hypothesise
        self._preferences = acting.Preferences()
        self._rates = Rates()
        self._compiled: tuple[Knowledge, dict[tuple[int, ...], Likelihood]] | None = None

    def think(
        self, known: Knowledge, gaze: Gaze | None, broadcast: Broadcast, *, event: int
    ) -> tuple[Gaze, Thought]:
        """The gaze after a broadcast, and where to look or what to report.

        Raises:
            Refused: A conscious signal is no reading of a place.
        """
        if gaze is None or gaze.episode != broadcast.episode:
            gaze = begun(broadcast, event)
        seen = {reading.place: reading for reading in gaze.seen} | readings(broadcast)
        recalled = gaze.recalled if gaze.fresh else None
        gaze = replace(gaze, touched=event, seen=tuple(seen.values()))
        thought = replace(self._thought(known, gaze, broadcast), recalled=recalled)
        return replace(gaze, pending=thought.act.place), thought

    def learn(self, known: Knowledge, gaze: Gaze, outcome: Outcome, surprise: float) -> Knowledge:
        """What is known after the world told the digit; unchanged when it didn't.

        Args:
            known: So far.
            gaze: Of the episode that is judged.
            outcome: Of the report.
            surprise: Reward prediction error; the larger, the more is learned.

        Raises:
            Refused: The label is no digit.
        """
        if outcome.label is None or not gaze.seen:
            return known
        if outcome.label not in _DIGIT_NAMES:
            raise Refused(f"outcome.label: {outcome.label!r} is not a digit; send 0 to 9 or none")
        return knowledge.learn(
            known,
            self._model,
            self._likelihood(known, gaze.variant),
            gaze.seen,
            int(outcome.label),
            rates=replace(self._rates, counts=self._rates.counts * (1 + abs(surprise))),
            seed=self._seed,
            hypothesise=self._hypothesise,
            variant=gaze.variant,
        )

    def _likelihood(self, known: Knowledge, variant: str) -> Likelihood:
        """The likelihood of what is known to a variant, computed once for each value of it."""
        if self._compiled is None or self._compiled[0] is not known:
            self._compiled = known, {}
        view, compiled = known.under(variant), self._compiled[1]
        if view.hypotheses not in compiled:
            compiled[view.hypotheses] = beliefs.likelihood(
                view.counts, self._model.prior, view.hypotheses, view.weights()
            )
        return compiled[view.hypotheses]

    def _thought(self, known: Knowledge, gaze: Gaze, broadcast: Broadcast) -> Thought:
        likelihood = self._likelihood(known, gaze.variant)
        hypotheses = known.under(gaze.variant).hypotheses
        joint = beliefs.posterior(likelihood, gaze.seen, gaze.expected)
        by_factor = joint.reshape(DIGITS, len(hypotheses), -1)
        digit = by_factor.sum(axis=(1, 2))
        weighed = acting.weigh(
            digit,
            beliefs.predicted(likelihood, joint),
            tuple(reading.place for reading in gaze.seen),
            self._preferences,
            broadcast.modulation,
        )
        structures = tuple(str(STRUCTURES[index]) for index in hypotheses)
        conscious = bool(broadcast.contents)
        policy = acting.chosen(weighed, draw(self._seed, broadcast.stimulus_id))
        act = _act(policy, weighed) if conscious else _look_again(gaze, weighed)
        return Thought(
            status=Status.DECIDED if conscious else Status.REFLEX,
            act=act,
            reason=_reason(act, digit, len(gaze.seen), conscious=conscious),
            confidence=float(digit.max()),
            posterior={
                "digit": tuple(digit.tolist()),
                "style": tuple(by_factor.sum(axis=(0, 1)).tolist()),
                "structure": tuple(by_factor.sum(axis=(0, 2)).tolist()),
            },
            factors={"digit": _DIGIT_NAMES, "structure": structures},
            expected_free_energy=weighed.expected_free_energy(policy) if conscious else None,
            policies_weighed=len(weighed.probabilities) if conscious else 0,
            hypotheses=structures,
        )


def _act(policy: int, weighed: acting.Weighed) -> Act:
    if policy < DIGITS:
        return Act(kind="report", label=_DIGIT_NAMES[policy])
    return Act(kind="look", place=int(weighed.places[policy - DIGITS]))


def _look_again(gaze: Gaze, weighed: acting.Weighed) -> Act:
    """The look that brought nothing to consciousness, or the most promising if none was asked for."""
    if gaze.pending is not None or not len(weighed.places):
        return Act(kind="look", place=gaze.pending or 0)
    return Act(kind="look", place=int(weighed.places[np.argmax(weighed.information_gain[DIGITS:])]))


def _reason(act: Act, digit: NDArray[np.float64], places: int, *, conscious: bool) -> str:
    first, second = np.argsort(-digit, kind="stable")[:2]
    seen = "1 place" if places == 1 else f"{places} places"
    belief = f"{digit[first]:.0%} {first}, {digit[second]:.0%} {second} after {seen}"
    if act.place is None:
        return f"Reports {act.label}: {belief}; no look is worth its cost."
    where = f"row {act.place // SIDE}, column {act.place % SIDE}"
    if not conscious:
        return f"Nothing became conscious; looks at {where} again."
    return f"Looks at {where}, which tells most about the digit: {belief}."
