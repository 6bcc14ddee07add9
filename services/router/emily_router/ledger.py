"""What the router owes: every accepted stimulus is answered exactly once."""

from __future__ import annotations

import enum
from collections import OrderedDict
from collections.abc import Mapping
from uuid import UUID

import msgspec
from emily_contracts.decision import Decision, Status
from emily_contracts.percept import Percept
from emily_contracts.stimulus import Stimulus

from emily_router.answers import degraded, failed
from emily_router.window import Window

TELLING_DEADLINE_MS = 200

_encode = msgspec.msgpack.encode
_decode = msgspec.msgpack.Decoder(Decision).decode


class Admission(enum.Enum):
    """What became of a stimulus that asked to be let in."""

    ACCEPTED = "accepted"
    """New: it is owed an answer from now on and must be forwarded."""
    PENDING = "pending"
    """Already in flight: its answer will come, forward nothing."""
    ANSWERED = "answered"
    """Answered before: the remembered answer stands."""
    DIFFERENT = "different"
    """Its id is known, but of a stimulus that asked for something else."""
    FULL = "full"
    """Too many in flight: not accepted, nothing is owed."""


class Owed(msgspec.Struct, frozen=True, kw_only=True):
    """An accepted stimulus without an answer.

    Attributes:
        colour: Where it goes, and where its answer comes from.
        accepted_at: On the router's monotonic clock, in seconds.
        digest: Of what was asked, when a repetition must ask the same.
        trace: W3C trace context of its first forwarding; none before it, and after a restart.
        percept: Tier 1's answer, once heard.
        forwarded_again: Whether silence made the router forward it a second time.
    """

    stimulus: Stimulus
    colour: str
    accepted_at: float
    digest: bytes | None = None
    trace: str | None = None
    percept: Percept | None = None
    forwarded_again: bool = False

    def elapsed(self, now: float) -> float:
        """How much of the deadline is over, as a fraction; 1 when it is due."""
        return (now - self.accepted_at) * 1000 / self.stimulus.deadline_ms


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """What time demands.

    Attributes:
        forward_again: Half of the deadline is over and nothing at all was heard.
        answers: Of stimuli whose deadline is over, already settled.
    """

    forward_again: tuple[Owed, ...]
    answers: tuple[Decision, ...]


class _Answer(msgspec.Struct, frozen=True, gc=False):
    """An answer that was given, encoded since most are never asked for again."""

    at: float
    decision: bytes
    digest: bytes | None


class Ledger:
    """In-flight stimuli and the answers given lately; no clock and no I/O of its own.

    Every method takes `now`, in seconds of one monotonic clock.

    Args:
        in_flight: Most stimuli owed at once; fewer while answers are late.
        remembered: Most answers remembered; the oldest go first.
        remember_s: How long an answer is remembered.
    """

    def __init__(self, *, in_flight: int = 2048, remembered: int = 65_536, remember_s: float = 600.0) -> None:
        self._window = Window(in_flight)
        self._remembered_limit = remembered
        self._remember_s = remember_s
        self._owed: dict[UUID, Owed] = {}
        self._answers: OrderedDict[UUID, _Answer] = OrderedDict()

    @property
    def in_flight(self) -> int:
        """How many answers are owed."""
        return len(self._owed)

    @property
    def admitted(self) -> int:
        """How many may be owed at once now."""
        return int(self._window.size)

    def admit(self, stimulus: Stimulus, *, colour: str, now: float, digest: bytes | None = None) -> Admission:
        """Lets a stimulus in, unless its id is known or too many are in flight.

        Args:
            digest: Of what is asked; where both are known, it must be that of the first with this id.
        """
        owed = self._owed.get(stimulus.id)
        if owed is not None:
            return _repetition(Admission.PENDING, owed.digest, digest)
        answer = self._remembered(stimulus.id, now)
        if answer is not None:
            return _repetition(Admission.ANSWERED, answer.digest, digest)
        if len(self._owed) >= self.admitted:
            return Admission.FULL
        self._owed[stimulus.id] = Owed(stimulus=stimulus, colour=colour, accepted_at=now, digest=digest)
        return Admission.ACCEPTED

    def knows(self, stimulus_id: UUID, *, now: float) -> bool:
        """Whether it is in flight or its answer is remembered."""
        return stimulus_id in self._owed or self._remembered(stimulus_id, now) is not None

    def withdraw(self, stimulus_id: UUID) -> None:
        """Takes back an admission that could not be put on record: it is owed nothing."""
        del self._owed[stimulus_id]

    def restore(self, owed: Owed) -> None:
        """Owes again what was owed before a restart, whatever the bound."""
        self._owed[owed.stimulus.id] = owed

    def trace(self, stimulus_id: UUID, trace: str | None) -> None:
        """Keeps the trace context that a stimulus is forwarded in, while it is in flight."""
        owed = self._owed.get(stimulus_id)
        if owed is not None:
            self._owed[stimulus_id] = msgspec.structs.replace(owed, trace=trace)

    def redirect(self, stimulus: Stimulus, colour: str) -> None:
        """Expect the answer of a stimulus from another colour, while it is in flight."""
        owed = self._owed.get(stimulus.id)
        if owed is not None and owed.colour != colour:
            self._owed[stimulus.id] = msgspec.structs.replace(owed, colour=colour)

    def owing(self, stimulus_id: UUID) -> str | None:
        """The colour that owes its answer; none when nobody does."""
        owed = self._owed.get(stimulus_id)
        return None if owed is None else owed.colour

    def owed_by(self, colour: str) -> int:
        """How many answers a colour owes."""
        return sum(owed.colour == colour for owed in self._owed.values())

    def hear(self, percept: Percept, *, colour: str) -> bool:
        """Whether this is the first percept of a stimulus that the colour owes; it is kept for degrading."""
        owed = self._owed.get(percept.stimulus_id)
        if owed is None or owed.colour != colour or owed.percept is not None:
            return False
        self._owed[percept.stimulus_id] = msgspec.structs.replace(owed, percept=percept)
        return True

    def settle(self, decision: Decision, *, now: float) -> Owed | None:
        """What the decision answers; none when it is late, repeated or about nothing in flight."""
        owed = self._owed.get(decision.stimulus_id)
        if owed is not None:
            if decision.status is not Status.FAILED:
                self._take_note(owed, now)
            self._close(owed, decision, now)
        return owed

    def remember(
        self, stimulus_id: UUID, decision: bytes, *, now: float, digest: bytes | None = None
    ) -> None:
        """Keeps an encoded answer; forgets the oldest beyond the bounds."""
        self._answers[stimulus_id] = _Answer(now, decision, digest)
        while len(self._answers) > self._remembered_limit or self._oldest() < now - self._remember_s:
            self._answers.popitem(last=False)

    def answer(self, stimulus_id: UUID, *, now: float) -> Decision | None:
        """The answer that was given, while it is remembered."""
        answer = self._remembered(stimulus_id, now)
        return None if answer is None else _decode(answer.decision)

    def due(self, *, now: float, absent: Mapping[str, tuple[str, ...]] = {}) -> Due:
        """What must be forwarded again, and the answers to what ran out of time.

        Args:
            absent: Tiers that are known to be down, by colour; named in the reason of an answer.
        """
        silent = [
            owed
            for owed in self._owed.values()
            if owed.percept is None and not owed.forwarded_again and 0.5 <= owed.elapsed(now) < 1
        ]
        for owed in silent:
            self._owed[owed.stimulus.id] = msgspec.structs.replace(owed, forwarded_again=True)
        answers = [
            self._time_out(owed, absent.get(owed.colour, ()))
            for owed in self._owed.values()
            if owed.elapsed(now) >= 1
        ]
        for decision in answers:
            owed = self._owed[decision.stimulus_id]
            if not absent.get(owed.colour):
                self._take_note(owed, now)
            self._close(owed, decision, now)
        return Due(forward_again=tuple(silent), answers=tuple(answers))

    def _take_note(self, owed: Owed, now: float) -> None:
        """Of how long it took, unless its sender waits for so short that this tells nothing."""
        if owed.stimulus.deadline_ms >= TELLING_DEADLINE_MS:
            self._window.answered(
                owed.elapsed(now), in_flight=len(self._owed), accepted_at=owed.accepted_at, now=now
            )

    def _close(self, owed: Owed, decision: Decision, now: float) -> None:
        del self._owed[owed.stimulus.id]
        self.remember(owed.stimulus.id, _encode(decision), now=now, digest=owed.digest)

    def _remembered(self, stimulus_id: UUID, now: float) -> _Answer | None:
        answer = self._answers.get(stimulus_id)
        return None if answer is None or answer.at < now - self._remember_s else answer

    def _oldest(self) -> float:
        return next(iter(self._answers.values())).at

    @staticmethod
    def _time_out(owed: Owed, absent: tuple[str, ...]) -> Decision:
        late = f"no decision within {owed.stimulus.deadline_ms} ms"
        why = f"{late}: {', '.join(absent)} down" if absent else late
        if owed.percept is not None:
            return degraded(owed.percept, why)
        return failed(owed.stimulus, f"{why}, and no percept either")


def _repetition(admission: Admission, first: bytes | None, digest: bytes | None) -> Admission:
    """An unknown digest counts as equal: of a stimulus from the bus, or from before a restart."""
    unknown = first is None or digest is None
    return admission if unknown or first == digest else Admission.DIFFERENT
