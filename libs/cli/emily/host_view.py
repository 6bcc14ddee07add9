"""What a person sees while Emily feels the machine: a row a moment."""

from __future__ import annotations

from uuid import UUID

import msgspec
from emily_contracts import BodyState, Broadcast, Decision, Message, Stimulus
from rich.table import Column, Table

MODALITY = "interoception"
SHOWN = 20
REMEMBERED = 1000


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """One reading and what became of it."""

    readings: dict[str, float]
    cortisol: float
    norepinephrine: float
    conscious: tuple[str, ...]
    act: str
    reason: str

    @property
    def told(self) -> str:
        """The reason, which mostly names the act too."""
        return self.reason if self.act in self.reason else f"{self.act}: {self.reason}"


class HostView:
    """The moments of one run.

    Attributes:
        moments: Decided ones, oldest first.
    """

    def __init__(self) -> None:
        self.moments: list[Moment] = []
        self._stimuli: dict[UUID, Stimulus] = {}
        self._bodies: dict[UUID, BodyState] = {}
        self._broadcasts: dict[UUID, Broadcast] = {}

    @property
    def total(self) -> int:
        """Unknown; 0."""
        return 0

    @property
    def episodes(self) -> int:
        """Moments so far."""
        return len(self.moments)

    def hear(self, message: Message) -> None:
        """Take in one message; those of other senses are passed over."""
        if getattr(message, "modality", MODALITY) != MODALITY:
            return
        if isinstance(message, Stimulus):
            self._stimuli[message.id] = message
        elif isinstance(message, BodyState):
            self._bodies[message.stimulus_id] = message
        elif isinstance(message, Broadcast):
            self._broadcasts[message.stimulus_id] = message
        elif isinstance(message, Decision) and message.stimulus_id in self._stimuli:
            self._decide(message)

    def line(self) -> str:
        """The newest moment in one line."""
        moment = self.moments[-1]
        readings = "  ".join(f"{name} {value:.2f}" for name, value in moment.readings.items())
        return f"{readings}  cortisol {moment.cortisol:.2f}  -> {moment.told}"

    def render(self) -> Table:
        """The newest moments, the newest first: a terminal that is too small cuts off the oldest."""
        channels = list(self.moments[-1].readings) if self.moments else []
        table = Table(
            *channels,
            "cortisol",
            Column("norepinephrine", no_wrap=True),
            "conscious",
            "decision",
            title="Emily feels this machine, the newest first",
        )
        for moment in self.moments[: -SHOWN - 1 : -1]:
            table.add_row(
                *(f"{moment.readings.get(name, float('nan')):.2f}" for name in channels),
                f"{moment.cortisol:.2f}",
                f"{moment.norepinephrine:.2f}",
                ", ".join(moment.conscious) or "-",
                moment.told,
            )
        return table

    def _decide(self, decision: Decision) -> None:
        stimulus = self._stimuli.pop(decision.stimulus_id)
        body = self._bodies.pop(decision.stimulus_id, None)
        broadcast = self._broadcasts.pop(decision.stimulus_id, None)
        self.moments.append(
            Moment(
                readings={signal.channel: signal.values[0] for signal in stimulus.signals},
                cortisol=body.levels.cortisol if body else 0.0,
                norepinephrine=body.levels.norepinephrine if body else 0.0,
                conscious=tuple(content.channel for content in broadcast.contents) if broadcast else (),
                act=decision.act.kind,
                reason=decision.reason,
            )
        )
        del self.moments[:-REMEMBERED]
