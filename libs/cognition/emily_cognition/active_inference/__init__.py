"""Active inference over discrete states: exact, reproducible, in NumPy alone.

Names, shapes and conventions are those of pymdp 1.x, without the batch axis: `neg_efe` is -G, higher is
better.
"""

from emily_cognition.active_inference.agent import Agent, AgentState, Step
from emily_cognition.active_inference.errors import ModelError
from emily_cognition.active_inference.expected_free_energy import ExpectedFreeEnergy, PolicyReport
from emily_cognition.active_inference.inductive import Intention, generate_I_matrix
from emily_cognition.active_inference.information_gain import conditional_entropy, information_gain
from emily_cognition.active_inference.learning import Rate, update_A, update_B, update_D
from emily_cognition.active_inference.model import GenerativeModel
from emily_cognition.active_inference.policies import Policies, construct_policies
from emily_cognition.active_inference.precision import Precision, update_precision
from emily_cognition.active_inference.search import Plan, Pruning, Search
from emily_cognition.active_inference.sequence import (
    filter_states,
    hmm_filter,
    hmm_smoother,
    marginal_message_passing,
    sequence_free_energy,
    variational_message_passing,
)
from emily_cognition.active_inference.states import (
    FreeEnergy,
    free_energy,
    infer_states,
    joint_posterior,
    marginals,
    predict_states,
)

__all__ = [
    "Agent",
    "AgentState",
    "ExpectedFreeEnergy",
    "FreeEnergy",
    "GenerativeModel",
    "Intention",
    "ModelError",
    "Plan",
    "Policies",
    "PolicyReport",
    "Precision",
    "Pruning",
    "Rate",
    "Search",
    "Step",
    "conditional_entropy",
    "construct_policies",
    "filter_states",
    "free_energy",
    "generate_I_matrix",
    "hmm_filter",
    "hmm_smoother",
    "infer_states",
    "information_gain",
    "joint_posterior",
    "marginal_message_passing",
    "marginals",
    "predict_states",
    "sequence_free_energy",
    "update_A",
    "update_B",
    "update_D",
    "update_precision",
    "variational_message_passing",
]
