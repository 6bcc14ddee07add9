"""Promote, wait or roll back, with the reason in words and numbers."""

from __future__ import annotations

import enum

import msgspec

from emily_deployer.judging.comparison import Comparison, agreement
from emily_deployer.judging.criteria import Criteria
from emily_deployer.judging.evidence import Evidence
from emily_deployer.judging.finding import Finding, Standing


class Action(enum.Enum):
    """What to do with a new colour."""

    PROMOTE = "promote"
    WAIT = "wait"
    ROLL_BACK = "roll back"


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What to do, and why.

    Attributes:
        reason: In words and numbers: of the harm, or else of what is still open.
        findings: Of each metric that has been seen.
    """

    action: Action
    reason: str
    findings: tuple[Finding, ...] = ()


def judge(new: Evidence, old: Evidence, criteria: Criteria, *, names: tuple[str, str]) -> Verdict:
    """What to do with a new colour that answers some of the traffic beside the old one.

    It waits until stimuli of both were seen, and no metric that both have is open.

    Args:
        new, old: Seen in the same time.
        criteria: Of both.
        names: Of the new and of the old colour, for the words.
    """
    found = tuple(Comparison(new=new, old=old, criteria=criteria, names=names).findings())
    missing = [name for name, seen in zip(names, (new, old), strict=True) if not seen.stimuli]
    if missing:
        reason = f"no stimulus of {' and '.join(missing)} was seen yet"
        return Verdict(action=Action.WAIT, reason=reason, findings=found)
    return _decided(found)


def judge_shadow(compared: int, agreed: int, criteria: Criteria, *, names: tuple[str, str]) -> Verdict:
    """What to do with a shadow whose answers are compared with those of the active colour.

    Args:
        compared: How many were.
        agreed: How many of them were the same.
        criteria: The least agreement.
        names: Of the shadow and of the active colour.
    """
    if not compared:
        return Verdict(action=Action.WAIT, reason="nothing was compared yet")
    return _decided((agreement(compared, agreed, criteria, names),))


def _decided(found: tuple[Finding, ...]) -> Verdict:
    harm = [finding.words for finding in found if finding.standing is Standing.HARMFUL]
    if harm:
        return Verdict(action=Action.ROLL_BACK, reason="; ".join(harm), findings=found)
    still = [finding.words for finding in found if finding.standing is Standing.OPEN]
    if still:
        return Verdict(action=Action.WAIT, reason="; ".join(still), findings=found)
    return Verdict(action=Action.PROMOTE, reason="; ".join(each.words for each in found), findings=found)
