"""Competition for the global workspace: who ignites, who is held, and why not the others.

Candidates form coalitions; a coalition's drive is its strongest salience plus a share of the others, less
habituation and less the inhibition of what is conscious already. It ignites when that exceeds the ignition
threshold, and what ignited inhibits the rest (the strongest first: from rest it is the first to reach the
saddle-node, and its high state holds the others down). Between events a drive fades, and a content is held
until its drive falls below the lower extinction threshold. Time is event time in seconds.

Sources: Baars 1988, Dehaene & Changeux 2005 and 2011 (workspace, ignition); Miller 1956, Cowan 2001
(capacity); Raymond, Shapiro & Arnell 1992 (attentional blink, with lag-1 sparing).
"""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence
from dataclasses import dataclass

from emily_cognition.workspace.ignition import Ignition

LEAST_CAPACITY, MOST_CAPACITY = 5, 9
REMEMBERED_HABITS = 128


class Reason(enum.Enum):
    """Why a candidate is not conscious."""

    BELOW_THRESHOLD = "below the ignition threshold"
    INHIBITED = "inhibited by"
    HABITUATED = "habituated"
    BLINKED = "in the attentional blink after"
    EVICTED = "no room beside"


@dataclass(frozen=True)
class Candidate:
    """Something that wants to become conscious.

    Attributes:
        source: Unique in its event, such as the channel.
        salience: >= 0.
        coalition: Candidates of one coalition support each other.
        content: What it says; a content that comes again habituates.
    """

    source: str
    salience: float
    coalition: str
    content: str = ""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.salience) and self.salience >= 0):
            raise ValueError(f"salience of {self.source}: {self.salience} must be finite and >= 0")


@dataclass(frozen=True)
class Verdict:
    """What became of a candidate.

    Attributes:
        activation: Of its coalition after the competition, in (0, 1).
        reason: None when it ignited.
        rival: Who stood in the way, where somebody did.
        drive: Of its coalition after habituation, blink and inhibition.
    """

    candidate: Candidate
    activation: float
    drive: float
    reason: Reason | None = None
    rival: str = ""

    @property
    def ignited(self) -> bool:
        """Whether it is conscious."""
        return self.reason is None

    @property
    def explanation(self) -> str:
        """The reason in words."""
        if self.reason is None:
            return "conscious"
        return f"{self.reason.value} {self.rival}".strip()


@dataclass(frozen=True)
class Held:
    """A coalition that is conscious.

    Attributes:
        drive: When it last ignited; fades from `since`.
    """

    coalition: str
    drive: float
    since: float


@dataclass(frozen=True)
class Habit:
    """How used the workspace is to a content: level in [0, 1) at a time."""

    key: str
    level: float
    at: float


@dataclass(frozen=True)
class WorkspaceState:
    """What the workspace holds; changed by `compete` alone."""

    held: tuple[Held, ...] = ()
    habits: tuple[Habit, ...] = ()
    ignited_at: float = -math.inf
    ignited: str = ""


@dataclass(frozen=True)
class Dynamics:
    """Constants of the competition.

    Attributes:
        capacity: Coalitions held at once at rest, 5 to 9.
        inhibition: Drive that a fully active coalition takes from another.
        support: Share of its weaker members that adds to a coalition's strongest.
        fade_s: Time constant of a drive after its event.
        blink_from_s, blink_until_s: When, after an ignition, other coalitions are blinked.
        blink_depth: Share of its drive that a blinked coalition loses at the beginning.
        habituation: Share of the way to full habit that one repetition goes.
        recovery_s: Time constant of losing a habit.
        habit_depth: Share of its salience that a fully habituated content loses.
    """

    capacity: int = 7
    inhibition: float = 0.5
    support: float = 0.2
    fade_s: float = 0.5
    blink_from_s: float = 0.2
    blink_until_s: float = 0.5
    blink_depth: float = 0.5
    habituation: float = 0.15
    recovery_s: float = 2.0
    habit_depth: float = 0.7

    def __post_init__(self) -> None:
        if not LEAST_CAPACITY <= self.capacity <= MOST_CAPACITY:
            raise ValueError(f"capacity: {self.capacity} is not in {LEAST_CAPACITY}..{MOST_CAPACITY}")
        for name in ("inhibition", "support", "blink_depth", "habituation", "habit_depth"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name}: {getattr(self, name)} is not in [0, 1]")

    def room(self, arousal: float) -> int:
        """Capacity under arousal in [0, 1]: whole in the middle, two less at the ends (Yerkes & Dodson)."""
        return max(LEAST_CAPACITY, self.capacity - round(8.0 * (arousal - 0.5) ** 2))


def compete(
    state: WorkspaceState,
    candidates: Sequence[Candidate],
    *,
    at: float,
    threshold: float,
    arousal: float = 0.5,
    dynamics: Dynamics = Dynamics(),
) -> tuple[WorkspaceState, tuple[Verdict, ...]]:
    """The workspace after one event, and a verdict for each candidate in the order given.

    Args:
        state: Before.
        candidates: Of the event; sources are distinct.
        at: Event time in seconds; one earlier than before counts as the same instant.
        threshold: Drive above which a coalition ignites from rest.
        arousal: In [0, 1].
        dynamics: Constants.
    """
    return _Round(state, at, Ignition.at_threshold(threshold), dynamics).run(
        candidates, dynamics.room(arousal)
    )


class _Round:
    """One event's competition."""

    def __init__(self, state: WorkspaceState, at: float, unit: Ignition, dynamics: Dynamics) -> None:
        self._state = state
        self._at = at
        self._unit = unit
        self._dynamics = dynamics
        self._held = [item for item in state.held if self._faded(item) >= unit.extinction_threshold]
        self._habits = {habit.key: habit for habit in state.habits}
        self._winners: dict[str, float] = {}
        self._refused: dict[str, tuple[Reason, str, float]] = {}

    def run(self, candidates: Sequence[Candidate], room: int) -> tuple[WorkspaceState, tuple[Verdict, ...]]:
        drives = self._drives(candidates)
        for name in sorted(drives, key=lambda name: (-drives[name], name)):
            reason, rival, drive = self._judge(name, drives[name])
            if reason is None:
                self._winners[name] = drive
            else:
                self._refused[name] = (reason, rival, drive)
        kept = self._make_room(room)
        verdicts = tuple(self._verdict(candidate) for candidate in candidates)
        newest = min(self._winners, key=lambda name: (-self._winners[name], name), default=None)
        after = WorkspaceState(
            held=kept,
            habits=self._practised(verdicts),
            ignited_at=self._state.ignited_at if newest is None else self._at,
            ignited=self._state.ignited if newest is None else newest,
        )
        return after, verdicts

    def _drives(self, candidates: Sequence[Candidate]) -> dict[str, float]:
        members: dict[str, list[float]] = {}
        for candidate in candidates:
            salience = candidate.salience * (1.0 - self._dynamics.habit_depth * self._habit(candidate))
            members.setdefault(candidate.coalition, []).append(salience)
        support = self._dynamics.support
        return {name: max(each) + support * (math.fsum(each) - max(each)) for name, each in members.items()}

    def _judge(self, name: str, drive: float) -> tuple[Reason | None, str, float]:
        own = any(item.coalition == name for item in self._held)
        bound = self._unit.extinction_threshold if own else self._unit.ignition_threshold
        if drive <= bound:
            return Reason.BELOW_THRESHOLD, "", drive
        if not own and name != self._state.ignited:
            drive *= 1.0 - self._blink()
            if drive <= bound:
                return Reason.BLINKED, self._state.ignited, drive
        for rival, strength in self._rivals(name):
            drive -= self._dynamics.inhibition * self._unit.high(strength)
            if drive <= bound:
                return Reason.INHIBITED, rival, drive
        return None, "", drive

    def _blink(self) -> float:
        """Share of a drive that is lost now, because something else ignited a moment ago."""
        first, last = self._dynamics.blink_from_s, self._dynamics.blink_until_s
        lag = self._at - self._state.ignited_at
        return self._dynamics.blink_depth * (last - lag) / (last - first) if first <= lag < last else 0.0

    def _rivals(self, name: str) -> list[tuple[str, float]]:
        rivals = {item.coalition: self._faded(item) for item in self._held} | self._winners
        rivals.pop(name, None)
        return sorted(rivals.items(), key=lambda pair: (-pair[1], pair[0]))

    def _make_room(self, room: int) -> tuple[Held, ...]:
        merged = {item.coalition: item for item in self._held}
        merged |= {name: Held(name, drive, self._at) for name, drive in self._winners.items()}
        kept = sorted(merged.values(), key=lambda item: (-self._faded(item), item.coalition))
        for item in kept[room:]:
            if item.coalition in self._winners:
                drive = self._winners.pop(item.coalition)
                self._refused[item.coalition] = (Reason.EVICTED, kept[0].coalition, drive)
        return tuple(sorted(kept[:room], key=lambda item: item.coalition))

    def _verdict(self, candidate: Candidate) -> Verdict:
        if candidate.coalition in self._winners:
            drive = self._winners[candidate.coalition]
            return Verdict(candidate=candidate, activation=self._unit.high(drive), drive=drive)
        reason, rival, drive = self._refused[candidate.coalition]
        fresh = candidate.salience > self._unit.ignition_threshold
        if reason is Reason.BELOW_THRESHOLD and fresh and self._habit(candidate) > 0:
            reason = Reason.HABITUATED
        return Verdict(
            candidate=candidate, activation=self._unit.low(drive), drive=drive, reason=reason, rival=rival
        )

    def _practised(self, verdicts: Sequence[Verdict]) -> tuple[Habit, ...]:
        practised = dict(self._habits)
        for verdict in verdicts:
            if verdict.ignited:
                key, level = _key(verdict.candidate), self._habit(verdict.candidate)
                practised[key] = Habit(key, level + self._dynamics.habituation * (1.0 - level), self._at)
        newest = sorted(practised.values(), key=lambda habit: (habit.at, habit.key))
        return tuple(newest[-REMEMBERED_HABITS:])

    def _habit(self, candidate: Candidate) -> float:
        habit = self._habits.get(_key(candidate))
        if habit is None:
            return 0.0
        return habit.level * math.exp(-max(0.0, self._at - habit.at) / self._dynamics.recovery_s)

    def _faded(self, item: Held) -> float:
        return item.drive * math.exp(-max(0.0, self._at - item.since) / self._dynamics.fade_s)


def _key(candidate: Candidate) -> str:
    return f"{candidate.coalition}\n{candidate.content}"
