"""Picking a model: accuracy against unfairness, and the best within a tolerance."""

from fairsk.model_selection._kpc_scorer import make_kpc_scorer
from fairsk.model_selection._pareto import ParetoFront
from fairsk.model_selection._refit import RefitRule, best_within_tolerance, knee_of_front
from fairsk.model_selection._search import (
    FairGridSearchCV,
    FairHalvingGridSearchCV,
    FairRandomizedSearchCV,
)

__all__ = [
    "FairGridSearchCV",
    "FairHalvingGridSearchCV",
    "FairRandomizedSearchCV",
    "ParetoFront",
    "RefitRule",
    "best_within_tolerance",
    "knee_of_front",
    "make_kpc_scorer",
]
