"""Whether a new colour is as good as the old one: statistics that may be looked at all the time.

A test that is peeked at again and again errs far more often than it says. These do not: each bound holds at
all sample sizes at once (Ville's inequality), so a verdict may be asked for after every single stimulus.
"""

from emily_deployer.judging.criteria import Criteria
from emily_deployer.judging.evidence import Evidence, Observation
from emily_deployer.judging.finding import Finding, Standing
from emily_deployer.judging.patience import Patience, Undecided, settled
from emily_deployer.judging.verdict import Action, Verdict, judge, judge_shadow

__all__ = [
    "Action",
    "Criteria",
    "Evidence",
    "Finding",
    "Observation",
    "Patience",
    "Standing",
    "Undecided",
    "Verdict",
    "judge",
    "judge_shadow",
    "settled",
]
