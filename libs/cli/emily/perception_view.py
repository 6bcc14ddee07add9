"""What a person sees while Emily looks at digits: a fold over messages, and its picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from emily_contracts import (
    BodyState,
    Broadcast,
    Decision,
    Message,
    Outcome,
    Scene,
    Status,
    Stimulus,
)
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

BAR_CELLS = 10
"""So that the view fits a terminal of 80 by 24."""
PROGRESS_CELLS = 20
SHOWN_RIVALS = 3
MODULATORS = ("dopamine", "serotonin", "oxytocin", "cortisol", "norepinephrine")


class PerceptionView:
    """The latest of everything that concerns one run of the digits world.

    Every subject of the run counts; the picture is that of the first one.

    Attributes:
        episodes: Finished.
        correct: Of them.
        looks: Stimuli of the finished episodes.
    """

    def __init__(self, subject_prefix: str, title: str) -> None:
        self.episodes = 0
        self.correct = 0
        self.looks = 0
        self._prefix = subject_prefix
        self._title = title
        self._scenes: dict[str, Scene] = {}
        self._looks_of: Counter[tuple[str, str]] = Counter()
        self._shown = ""
        self._seen: dict[int, int] = {}
        self._seen_in = ""
        self._body: BodyState | None = None
        self._broadcast: Broadcast | None = None
        self._decision: Decision | None = None
        self._verdict = "no digit is finished yet"

    def hear(self, message: Message) -> None:
        """Take in one message; those of other subjects are passed over."""
        subject = str(getattr(message, "subject", ""))
        if not subject.startswith(self._prefix):
            return
        self._count(subject, message)
        if subject == self._shown:
            self._show(message)

    @property
    def total(self) -> int:
        """Episodes of the run; 0 before the first scene."""
        return self._scenes[self._shown].total if self._scenes else 0

    @property
    def accuracy(self) -> float:
        """Share of correct reports among finished episodes."""
        return self.correct / self.episodes if self.episodes else 0.0

    @property
    def mean_looks(self) -> float:
        """Stimuli per finished episode."""
        return self.looks / self.episodes if self.episodes else 0.0

    def line(self) -> str:
        """The score in one line."""
        return f"{self.episodes}/{self.total} digits  {self._means()}"

    def render(self) -> RenderableType:
        """The whole view."""
        scene = self._scenes.get(self._shown)
        if scene is None:
            return Panel("waiting for the first picture", title=self._title)
        upper = Table.grid()
        upper.add_row(
            Panel(self._picture(scene), title="looks", expand=False),
            Panel(self._beliefs(), title="belief", expand=False),
            Panel(self._bodily(), title="body", expand=False),
        )
        return Panel(Group(upper, self._workspace(), *self._deciding(), self._score()), title=self._title)

    def _count(self, subject: str, message: Message) -> None:
        if isinstance(message, Scene):
            self._shown = self._shown or subject
            self._scenes[subject] = message
        elif isinstance(message, Stimulus):
            self._looks_of[subject, message.episode] += 1
        elif isinstance(message, Decision) and message.act.kind == "report":
            self._report(message)

    def _report(self, decision: Decision) -> None:
        scene = self._scenes.get(decision.subject)
        if scene is None or scene.episode != decision.episode:
            return
        self.episodes += 1
        self.correct += decision.act.label == scene.label
        self.looks += self._looks_of.pop((decision.subject, decision.episode), 0)

    def _show(self, message: Message) -> None:
        if isinstance(message, Stimulus):
            self._look(message)
        elif isinstance(message, BodyState):
            self._body = message
        elif isinstance(message, Broadcast):
            self._broadcast = message
        elif isinstance(message, Decision):
            self._decision = message
        elif isinstance(message, Outcome):
            mark = "right" if message.reward > 0 else "wrong"
            self._verdict = f"the last one was {message.label}: {mark}, reward {message.reward:+.0f}"

    def _look(self, stimulus: Stimulus) -> None:
        """Keep where it looked; a first look overtakes its scene, being more urgent."""
        if stimulus.episode != self._seen_in:
            self._seen, self._seen_in = {}, stimulus.episode
        for signal in stimulus.signals:
            if signal.channel == stimulus.attended and signal.place is not None:
                self._seen.setdefault(signal.place, self._looks_of[stimulus.subject, stimulus.episode])

    def _picture(self, scene: Scene) -> Text:
        low, high = scene.scale
        text = Text()
        for place, value in enumerate(scene.values):
            level = min(1.0, max(0.0, (value - low) / (high - low)))
            seen = self._seen.get(place) if self._seen_in == scene.episode else None
            shade = int(40 + 180 * level)
            background = f"rgb({shade},{shade},{shade})"
            if seen is None:
                text.append("  ", style=f"on {background}")
            else:
                ink = "black" if level > 0.5 else "white"
                colour = f"rgb({shade // 2},{min(255, shade + 30)},{shade // 2})"
                text.append(f"{seen:2d}", style=f"bold {ink} on {colour}")
            if place % scene.width == scene.width - 1 and place + 1 < len(scene.values):
                text.append("\n")
        return text

    def _beliefs(self) -> RenderableType:
        if self._decision is None or not self._decision.posterior:
            return Text("no belief yet")
        factor = next(iter(self._decision.posterior))
        posterior = self._decision.posterior[factor]
        names = self._decision.factors.get(factor, tuple(map(str, range(len(posterior)))))
        return bars(names, posterior)

    def _bodily(self) -> RenderableType:
        if self._body is None:
            return Text("not felt yet")
        levels = [getattr(self._body.levels, name) for name in MODULATORS]
        table = bars(MODULATORS, levels)
        return Group(
            table,
            Text(f"load {self._body.allostatic_load:.2f}  RPE {self._body.reward_prediction_error:+.2f}"),
            Text(f"precision {self._body.modulation.precision:.2f}  gain {self._body.modulation.gain:.2f}"),
        )

    def _workspace(self) -> Text:
        text = Text("workspace: ")
        if self._broadcast is None or not (self._broadcast.contents or self._broadcast.suppressed):
            return text.append("nothing competes")
        ignited = [
            f"{content.channel} at {content.place} ignited ({content.activation:.2f})"
            for content in self._broadcast.contents[:SHOWN_RIVALS]
        ]
        suppressed = [
            f"{candidate.channel} {candidate.reason}"
            for candidate in self._broadcast.suppressed[:SHOWN_RIVALS]
        ]
        text.append("; ".join(ignited), style="green")
        text.append("; " if ignited and suppressed else "")
        return text.append("; ".join(suppressed), style="dim")

    def _deciding(self) -> tuple[Text, Text]:
        """The decision in words, and its expected free energy."""
        decision = self._decision
        if decision is None:
            return Text("no decision yet"), Text()
        style = "" if decision.status is Status.DECIDED else "yellow"
        efe = decision.expected_free_energy
        parts = (
            f"G {efe.total:+.3f} = risk {efe.risk:.3f} + ambiguity {efe.ambiguity:.3f}; "
            f"information gain {efe.state_information_gain:.3f} nats"
            if efe
            else ""
        )
        return Text(decision.reason, style=style), Text(parts, style=style)

    def _score(self) -> RenderableType:
        row = Table.grid(padding=(0, 2))
        bar = ProgressBar(total=max(1, self.total), completed=self.episodes, width=PROGRESS_CELLS)
        row.add_row(bar, f"{self.episodes}/{self.total} digits", self._means())
        return Group(row, Text(self._verdict))

    def _means(self) -> str:
        return f"accuracy {self.accuracy:.3f}  {self.mean_looks:.2f} looks a digit"


def bars(names: Sequence[str], values: Sequence[float]) -> Table:
    """A bar for each value in [0, 1]."""
    table = Table.grid(padding=(0, 1))
    best = max(values, default=0.0)
    for name, value in zip(names, values, strict=False):
        filled = round(BAR_CELLS * min(1.0, max(0.0, value)))
        style = "bold cyan" if value == best else "cyan"
        table.add_row(
            name,
            Text("━" * filled, style=style) + Text("─" * (BAR_CELLS - filled), style="dim"),
            f"{value:.2f}",
        )
    return table
