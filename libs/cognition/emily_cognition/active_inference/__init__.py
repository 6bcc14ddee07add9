"""Active inference over discrete states: beliefs, policies, expected free energy, learning."""

from emily_cognition.active_inference.agent import Agent
from emily_cognition.active_inference.errors import ModelError
from emily_cognition.active_inference.expected_free_energy import (
    PolicyReport,
    Terms,
    decompose,
    negative_expected_free_energy,
    policy_posterior,
)
from emily_cognition.active_inference.inductive import Reachability, generate_I_matrix
from emily_cognition.active_inference.looking import information_gain
from emily_cognition.active_inference.model import GenerativeModel
from emily_cognition.active_inference.policies import PolicyTree, construct_policies
from emily_cognition.active_inference.precision import Precision, update_precision
from emily_cognition.active_inference.search import Pruning, SearchResult, search
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
    "FreeEnergy",
    "GenerativeModel",
    "ModelError",
    "PolicyReport",
    "PolicyTree",
    "Precision",
    "Pruning",
    "Reachability",
    "SearchResult",
    "Terms",
    "construct_policies",
    "decompose",
    "free_energy",
    "generate_I_matrix",
    "infer_states",
    "information_gain",
    "joint_posterior",
    "marginals",
    "negative_expected_free_energy",
    "policy_posterior",
    "predict_states",
    "search",
    "update_precision",
]
