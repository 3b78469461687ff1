"""Group-fair machine learning for scikit-learn.

Every public name can be imported from here, lazily: importing fairsk imports no method.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

# Public name -> the room that defines it.
_ROOMS = {
    "audit": ("fairness_report", "generalization_report", "gerrymandering_audit"),
    "curvature": ("TrainingObjective", "influence_of_rows", "trained_model"),
    "datasets": (),
    "independence": (
        "ClassifierDensity",
        "ConditionalPermutation",
        "CrossValidatedDensity",
        "HeteroscedasticGaussianDensity",
        "InverseConditionalPermutation",
        "KnownGaussianDensity",
        "LinearGaussianDensity",
        "MaskedAutoregressiveFlow",
        "MixtureDensityNetwork",
        "default_density",
        "density_check",
        "equalized_odds_kpc",
        "equalized_odds_test",
        "hgr_correlation",
        "kernel_partial_correlation",
        "kernel_partial_correlation_report",
        "mixing_diagnostic",
    ),
    "metrics": (
        "demographic_parity_difference",
        "equal_opportunity_difference",
        "equalized_odds_difference",
        "average_odds_difference",
        "accuracy_difference",
        "angles_by_group",
        "disparity_intervals",
        "fairness_violation",
        "get_fairness_scorer",
        "group_auc_gap",
        "group_rates",
        "list_fairness_scorers",
        "make_aware_scorer",
        "make_fairness_scorer",
        "make_identification_scorer",
        "make_system_scorer",
        "mean_difference",
        "mean_ratio",
        "rank1_identification",
        "rank1_identification_scorer",
    ),
    "model_selection": (
        "FairGridSearchCV",
        "FairHalvingGridSearchCV",
        "FairRandomizedSearchCV",
        "ParetoFront",
        "best_within_tolerance",
        "knee_of_front",
        "make_kpc_scorer",
    ),
    "neural": (
        "CosineMarginClassifier",
        "FairICPClassifier",
        "FairICPRegressor",
        "FairPenaltyClassifier",
        "FairPenaltyRegressor",
        "FairnessPenalty",
        "GroupMeanPenalty",
        "GroupValues",
        "MinDiffIOClassifier",
        "PenaltyBatch",
        "SensitiveInformationRemover",
        "list_penalties",
    ),
    "notions": ("FairnessNotion", "GroupRate", "get_notion", "list_notions"),
    "plotting": (
        "DisparityDisplay",
        "GroupCalibrationDisplay",
        "GroupRatesDisplay",
        "PermutationTestDisplay",
        "SampleWeightDisplay",
        "ThresholdsDisplay",
        "TradeOffCurve",
        "TradeOffDisplay",
        "TrainingHistoryDisplay",
    ),
    "reweighting": (
        "FairCostSensitiveClassifier",
        "InfluenceReweighter",
        "InfluenceWeights",
        "LabelFlipper",
        "LabelFlippingClassifier",
        "ReweightingRound",
        "SharedRowsWarning",
        "influence_weights",
    ),
    "solvers": ("solve_plug_in", "solve_plug_in_path"),
    "thresholding": ("BayesOptimalFairPostProcessor",),
    "utils": ("skops_trusted_types",),
}
_PUBLIC = {name: room for room, names in _ROOMS.items() for name in names}

__all__ = ["__version__", *sorted(_ROOMS), *sorted(_PUBLIC)]


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(f"fairsk.{name}")
    if name in _PUBLIC:
        return getattr(importlib.import_module(f"fairsk.{_PUBLIC[name]}"), name)
    raise AttributeError(f"module 'fairsk' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
