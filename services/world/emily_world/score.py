"""How a run went."""

from __future__ import annotations

import msgspec


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of a run of digits.

    Attributes:
        episodes: Finished by a report, or by too many looks.
        correct: Of them.
        looks: Stimuli of the finished episodes, those sent again not counted.
        retries: Stimuli sent again.
        failed: Episodes given up because no answer came.
    """

    episodes: int = 0
    correct: int = 0
    looks: int = 0
    retries: int = 0
    failed: int = 0

    @property
    def accuracy(self) -> float:
        """Share of correct reports; 0 before the first."""
        return self.correct / self.episodes if self.episodes else 0.0

    @property
    def mean_looks(self) -> float:
        """Looks of a finished episode; 0 before the first."""
        return self.looks / self.episodes if self.episodes else 0.0

    def __add__(self, other: Score) -> Score:
        return Score(**{name: getattr(self, name) + getattr(other, name) for name in self.__struct_fields__})
