"""How many stimuli may be in flight: as many as minds answer in good time."""

from __future__ import annotations

GROWTH = 0.1
"""Places that each answer in good time adds."""
CUT = 0.5
FIRST = 512
LEAST = 32
GOOD_TIME = 0.5
"""Share of its deadline within which an answer comes in good time; later ones mean that too many wait."""


class Window:
    """Additive increase, multiplicative decrease (Jacobson 1988, Congestion avoidance and control).

    Without it a mind that is offered more than it can do works on what nobody waits for any more, and answers
    less the more it is asked. With it, what does not fit is refused at once. A late answer cuts only what is
    wider than the least: among so few, it is not late because too many wait.

    Args:
        most: In flight at once, however fast the answers are.

    Attributes:
        size: In flight at once now.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._least = min(LEAST, most)
        self._cut_at = float("-inf")
        self.size = float(min(FIRST, most))

    def answered(self, elapsed: float, *, in_flight: int, accepted_at: float, now: float) -> None:
        """Takes note of an answer, or of a deadline that passed without one.

        Args:
            elapsed: Share of its deadline that it took; at least 1 when it passed.
            in_flight: How many were owed then.
            accepted_at: When it was let in; what came in before the last cut tells nothing of the size since.
            now: On the same clock.
        """
        if elapsed < GOOD_TIME:
            self.size = min(float(self._most), self.size + GROWTH)
        elif accepted_at >= self._cut_at and in_flight > self._least:
            self.size = max(float(self._least), CUT * min(self.size, in_flight))
            self._cut_at = now
