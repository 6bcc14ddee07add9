"""What a person sees while Emily looks at digits: a fold over messages, and its picture."""

from __future__ import annotations

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
from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

BAR_CELLS = 16
MODULATORS = ("dopamine", "serotonin", "oxytocin", "cortisol", "norepinephrine")


class PerceptionView:
    """The latest of everything that concerns one run of the digits world.

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
        self._scene: Scene | None = None
        self._seen: dict[int, int] = {}
        self._looks_now = 0
        self._body: BodyState | None = None
        self._broadcast: Broadcast | None = None
        self._decision: Decision | None = None
        self._verdict = ""

    def hear(self, message: Message) -> None:
        """Take in one message; those of other subjects are passed over."""
        if not str(getattr(message, "subject", "")).startswith(self._prefix):
            return
        if isinstance(message, Scene):
            self._begin(message)
        elif isinstance(message, Stimulus):
            self._look(message)
        elif isinstance(message, BodyState):
            self._body = message
        elif isinstance(message, Broadcast):
            self._broadcast = message
        elif isinstance(message, Decision):
            self._decision = message
            if message.act.kind == "report":
                self._report(message)
        elif isinstance(message, Outcome):
            mark = "right" if message.reward > 0 else "wrong"
            self._verdict = f"{mark}: it was {message.label}, reward {message.reward:+.0f}"

    @property
    def total(self) -> int:
        """Episodes of the run; 0 before the first scene."""
        return self._scene.total if self._scene else 0

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
        score = f"accuracy {self.accuracy:.3f}  {self.mean_looks:.2f} looks a digit"
        return f"{self.episodes}/{self.total} digits  {score}"

    def render(self) -> RenderableType:
        """The whole view."""
        if self._scene is None:
            return Panel("waiting for the first picture", title=self._title)
        upper = Columns(
            [
                Panel(self._picture(), title="picture and looks", padding=(0, 1)),
                Panel(self._beliefs(), title="belief", padding=(0, 1)),
                Panel(self._bodily(), title="body", padding=(0, 1)),
                Panel(self._workspace(), title="workspace", padding=(0, 1), width=38),
            ]
        )
        return Panel(Group(upper, self._deciding(), self._score()), title=self._title)

    def _begin(self, scene: Scene) -> None:
        self._scene = scene
        self._seen = {}
        self._looks_now = 0

    def _look(self, stimulus: Stimulus) -> None:
        self._looks_now += 1
        for signal in stimulus.signals:
            if signal.channel == stimulus.attended and signal.place is not None:
                self._seen.setdefault(signal.place, self._looks_now)

    def _report(self, decision: Decision) -> None:
        if self._scene is None or self._scene.episode != decision.episode:
            return
        self.episodes += 1
        self.correct += decision.act.label == self._scene.label
        self.looks += self._looks_now

    def _picture(self) -> Text:
        scene = self._scene
        if scene is None:
            return Text()
        low, high = scene.scale
        text = Text()
        for place, value in enumerate(scene.values):
            level = min(1.0, max(0.0, (value - low) / (high - low)))
            seen = self._seen.get(place)
            shade = int(40 + 180 * level)
            background = f"rgb({shade},{shade},{shade})"
            if seen is None:
                text.append("  ", style=f"on {background}")
            else:
                ink = "black" if level > 0.5 else "white"
                colour = f"rgb({shade // 2},{min(255, shade + 30)},{shade // 2})"
                text.append(f"{seen:2d}", style=f"bold {ink} on {colour}")
            if place % scene.width == scene.width - 1:
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
        if self._broadcast is None:
            return Text("empty")
        text = Text()
        for content in self._broadcast.contents[:4]:
            text.append(
                f"ignited {content.channel} at {content.place} ({content.activation:.2f})\n", style="green"
            )
        for candidate in self._broadcast.suppressed[:4]:
            text.append(f"{candidate.channel}: {candidate.reason}\n", style="dim")
        if not self._broadcast.contents and not self._broadcast.suppressed:
            text.append("nothing competes")
        return text

    def _deciding(self) -> Text:
        decision = self._decision
        if decision is None:
            return Text("no decision yet")
        style = "" if decision.status is Status.DECIDED else "yellow"
        efe = decision.expected_free_energy
        parts = (
            f"  G {efe.total:+.3f} = risk {efe.risk:.3f} + ambiguity {efe.ambiguity:.3f}; "
            f"information gain {efe.state_information_gain:.3f} nats"
            if efe
            else ""
        )
        return Text(f"{decision.reason}{parts}", style=style, overflow="ellipsis", no_wrap=True)

    def _score(self) -> RenderableType:
        row = Table.grid(padding=(0, 2))
        bar = ProgressBar(total=max(1, self.total), completed=self.episodes, width=30)
        row.add_row(
            bar,
            f"{self.episodes}/{self.total} digits",
            f"accuracy {self.accuracy:.3f}",
            f"{self.mean_looks:.2f} looks of {len(self._scene.values) if self._scene else 64}",
            self._verdict,
        )
        return row


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
