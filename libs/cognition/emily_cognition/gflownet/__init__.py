"""Hypotheses drawn in proportion to their reward: a GFlowNet in NumPy."""

from emily_cognition.gflownet.bit_sequence import BitSequence
from emily_cognition.gflownet.diversity import Diversity, diversity
from emily_cognition.gflownet.environment import Environment
from emily_cognition.gflownet.errors import GFlowNetError
from emily_cognition.gflownet.hypergrid import HyperGrid
from emily_cognition.gflownet.hypothesis_set import HypothesisSet
from emily_cognition.gflownet.model import GFlowNet, Sample
from emily_cognition.gflownet.recipe import RECIPES, Objective, Recipe
from emily_cognition.gflownet.training import History, fit

__all__ = [
    "RECIPES",
    "BitSequence",
    "Diversity",
    "Environment",
    "GFlowNet",
    "GFlowNetError",
    "History",
    "HyperGrid",
    "HypothesisSet",
    "Objective",
    "Recipe",
    "Sample",
    "diversity",
    "fit",
]
