"""The global workspace: bistable ignition and the competition for it."""

from emily_cognition.workspace.competition import (
    Candidate,
    Dynamics,
    Habit,
    Held,
    Reason,
    Verdict,
    WorkspaceState,
    compete,
)
from emily_cognition.workspace.ignition import Ignition

__all__ = [
    "Candidate",
    "Dynamics",
    "Habit",
    "Held",
    "Ignition",
    "Reason",
    "Verdict",
    "WorkspaceState",
    "compete",
]
