"""What a person sees of the digits world: every digit counts, and all of it fits the terminal."""

from __future__ import annotations

from datetime import UTC, datetime
from io import StringIO

import pytest
from emily.perception_view import PerceptionView
from emily_contracts import (
    Act,
    BodyState,
    Broadcast,
    Conscious,
    Decision,
    ExpectedFreeEnergy,
    Levels,
    Message,
    Modulation,
    Scene,
    Signal,
    Status,
    Stimulus,
    Suppressed,
    uuid7,
)
from rich.console import Console

AT = datetime(2026, 1, 1, tzinfo=UTC)
ID = uuid7(AT)
REPORT = Act(kind="report", label="3")


def scene(subject: str = "run-0", episode: str = "0", label: str = "3") -> Scene:
    return Scene(
        id=ID,
        at=AT,
        stimulus_id=ID,
        modality="vision",
        subject=subject,
        episode=episode,
        width=8,
        height=8,
        values=tuple(float(place % 17) for place in range(64)),
        scale=(0.0, 16.0),
        index=0,
        total=540,
        strategy="random",
        label=label,
    )


def look(subject: str = "run-0", place: int = 43) -> Stimulus:
    return Stimulus(
        id=ID,
        at=AT,
        stimulus_id=ID,
        modality="vision",
        subject=subject,
        episode="0",
        attended="fovea",
        signals=(Signal(channel="fovea", place=place, values=(9.0,)),),
    )


def decision(subject: str = "run-0", act: Act = REPORT) -> Decision:
    return Decision(
        id=ID,
        at=AT,
        stimulus_id=ID,
        modality="vision",
        subject=subject,
        episode="0",
        status=Status.DECIDED,
        act=act,
        reason="Looks at row 7, column 5, which tells most about the digit: 62% 4, 14% 6 after 11 places.",
        posterior={"digit": (0.1,) * 10},
        expected_free_energy=ExpectedFreeEnergy(
            total=-10.468, risk=-11.588, ambiguity=1.12, utility=0.0, state_information_gain=0.372
        ),
    )


def levels() -> Levels:
    return Levels(dopamine=0.5, serotonin=0.5, oxytocin=0.4, cortisol=0.2, norepinephrine=1.0)


def at_its_fullest() -> list[Message]:
    """One of each message, as long as they come."""
    common = {"id": ID, "at": AT, "stimulus_id": ID, "modality": "vision", "subject": "run-0"}
    body = BodyState(
        **common,  # type: ignore[arg-type]
        levels=levels(),
        set_points=levels(),
        modulation=Modulation(),
        allostatic_load=34.26,
    )
    flashes = tuple(
        Suppressed(channel=f"flash-{number}", activation=0.1, reason="below the ignition threshold")
        for number in range(2)
    )
    broadcast = Broadcast(
        **common,  # type: ignore[arg-type]
        episode="0",
        modulation=Modulation(),
        contents=(Conscious(channel="fovea", values=(9.0,), place=43, activation=1.0),),
        suppressed=flashes,
    )
    return [scene(), look(), body, broadcast, decision(act=Act(kind="look", place=53))]


def shown(view: PerceptionView, width: int, height: int) -> list[str]:
    console = Console(file=StringIO(), width=width, height=height)
    with console.capture() as capture:
        console.print(view.render())
    return capture.get().splitlines()


def test_digits_that_several_subjects_look_at_side_by_side_all_count() -> None:
    view = PerceptionView("run-", "title")
    subjects = [f"run-{number}" for number in range(8)]
    for subject in subjects:
        view.hear(scene(subject))
    for _ in range(4):
        for subject in subjects:
            view.hear(look(subject))
    for subject in subjects:
        view.hear(decision(subject))
    view.hear(decision("somebody-else"))
    assert (view.episodes, view.accuracy, view.mean_looks) == (8, 1.0, 4.0)


def test_a_look_that_overtakes_its_scene_counts_and_is_shown() -> None:
    view = PerceptionView("run-", "title")
    view.hear(scene(episode="before"))
    view.hear(look(place=0))
    view.hear(scene())
    assert shown(view, 80, 24)[2][4:20] == " 1".ljust(16)
    view.hear(decision())
    assert (view.episodes, view.mean_looks) == (1, 1.0)


def test_the_picture_shows_the_looks_of_one_subject() -> None:
    view = PerceptionView("run-", "title")
    for subject, place in (("run-0", 0), ("run-1", 63)):
        view.hear(scene(subject))
        view.hear(look(subject, place))
    picture = [line[4:20] for line in shown(view, 80, 24)[2:10]]
    assert picture == [" 1".ljust(16), *[" " * 16] * 7]


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40)])
def test_the_view_at_its_fullest_fits_a_terminal_and_nothing_is_cut_off(width: int, height: int) -> None:
    view = PerceptionView("run-", "title")
    for message in at_its_fullest():
        view.hear(message)
    lines = shown(view, width, height)
    text = " ".join(" ".join(line.strip("│ ") for line in lines).split())
    assert len(lines) < height
    assert "…" not in text
    for part in (
        "norepinephrine ━━━━━━━━━━ 1.00",
        "fovea at 43 ignited (1.00); flash-0 below the ignition threshold; flash-1 below the ignition",
        "62% 4, 14% 6 after 11 places.",
        "G -10.468 = risk -11.588 + ambiguity 1.120; information gain 0.372 nats",
        "0/540 digits accuracy 0.000 0.00 looks a digit",
        "no digit is finished yet",
    ):
        assert part in text
