"""No more subjects are remembered than the bound, and those that were met last are kept."""

from emily_reflex.state import MOST_SUBJECTS, Habit, renewed


def test_the_subject_renewed_longest_ago_is_forgotten() -> None:
    habits: dict[str, Habit] = {}
    for event in range(MOST_SUBJECTS):
        habits = renewed(habits, f"host-{event}", Habit(usual={}, touched=event))
    habits = renewed(habits, "host-0", Habit(usual={}, touched=MOST_SUBJECTS))
    habits = renewed(habits, "stranger", Habit(usual={}, touched=MOST_SUBJECTS + 1))
    assert len(habits) == MOST_SUBJECTS
    assert {"host-0", "stranger"} <= set(habits)
    assert "host-1" not in habits
