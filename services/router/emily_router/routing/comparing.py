"""What a shadow would have answered, held against what was answered."""

from __future__ import annotations

from collections import OrderedDict
from uuid import UUID

from emily_contracts.decision import Decision
from emily_runtime.logs import get_logger

MOST_WAITING = 2048
CLOSE = 1e-6
"""Difference of two posteriors up to which they count as one."""
TOLD = 16
"""Disagreements of one shadow that are logged."""

_log = get_logger(__name__)


class Comparison:
    """Pairs answers by their stimulus; those without a partner are forgotten, the oldest first.

    Args:
        shadow: The colour that is compared.

    Attributes:
        compared: Pairs.
        agreed: Those of them that chose the same act.
        believed: Those of them whose posteriors were the same, too.
    """

    def __init__(self, shadow: str) -> None:
        self.shadow = shadow
        self.compared = 0
        self.agreed = 0
        self.believed = 0
        self._waiting: OrderedDict[tuple[UUID, bool], Decision] = OrderedDict()

    def given(self, decision: Decision) -> None:
        """Note an answer that was given."""
        self._pair(decision, of_shadow=False)

    def withheld(self, decision: Decision) -> None:
        """Note an answer of the shadow."""
        self._pair(decision, of_shadow=True)

    def _pair(self, decision: Decision, *, of_shadow: bool) -> None:
        other = self._waiting.pop((decision.stimulus_id, not of_shadow), None)
        if other is None:
            self._waiting[decision.stimulus_id, of_shadow] = decision
            if len(self._waiting) > MOST_WAITING:
                self._waiting.popitem(last=False)
            return
        self.compared += 1
        if decision.act == other.act:
            self.agreed += 1
            self.believed += _as_one(decision, other)
        elif self.compared - self.agreed <= TOLD:
            shadow, active = (decision, other) if of_shadow else (other, decision)
            _log.info(
                "the shadow would have answered otherwise",
                shadow=self.shadow,
                stimulus_id=str(decision.stimulus_id),
                act=str(shadow.act),
                given=str(active.act),
            )


def _as_one(one: Decision, other: Decision) -> bool:
    if one.posterior.keys() != other.posterior.keys():
        return False
    return all(
        len(belief) == len(other.posterior[factor])
        and max((abs(a - b) for a, b in zip(belief, other.posterior[factor], strict=True)), default=0.0)
        <= CLOSE
        for factor, belief in one.posterior.items()
    )
