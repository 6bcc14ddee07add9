"""No more subjects are remembered than the bound, and those that were met last are kept."""

from emily_cognition.workspace import WorkspaceState
from emily_workspace.state import MOST_SUBJECTS, Streams


def test_the_subject_renewed_longest_ago_is_forgotten() -> None:
    state = Streams()
    for number in range(MOST_SUBJECTS):
        state = state.after(f"subject-{number}", WorkspaceState())
    state = state.after("subject-0", WorkspaceState()).after("stranger", WorkspaceState(ignited="fovea"))
    assert len(state.by_subject) == MOST_SUBJECTS
    assert {"subject-0", "stranger"} <= set(state.by_subject)
    assert "subject-1" not in state.by_subject
    assert state.competition("stranger").ignited == "fovea"
    assert state.competition("subject-1") == WorkspaceState()
