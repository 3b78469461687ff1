"""How unequal it is: disparities in one number, rates of groups, and their uncertainty."""

from fairsk.metrics._angles import AngleReport, angles_by_group
from fairsk.metrics._auc import auc_and_error, group_auc_gap
from fairsk.metrics._contrasts import (
    ContrastIntervals,
    ViolationBound,
    contrast_intervals,
    fold_to_worst,
    group_pairs,
    violation_interval,
    violation_upper_bound,
)
from fairsk.metrics._disparities import fairness_violation, mean_difference, mean_ratio
from fairsk.metrics._disparity_intervals import disparity_intervals, group_intervals
from fairsk.metrics._group_rates import group_rates, notion_of_rates, rate_intervals
from fairsk.metrics._identification import (
    IdentificationReport,
    make_identification_scorer,
    rank1_identification,
    rank1_identification_scorer,
)
from fairsk.metrics._inputs import (
    LabelledDecisions,
    check_binary,
    check_labelled_decisions,
    check_weight,
)
from fairsk.metrics._intervals import Intervals, check_confidence, simultaneous_intervals
from fairsk.metrics._multilabel import (
    overall_equal_opportunity_difference,
    overall_equal_opportunity_ratio,
)
from fairsk.metrics._odds import (
    average_odds_difference,
    deo,
    equalized_odds_difference,
    equalized_odds_ratio,
)
from fairsk.metrics._reports import DisparityReport, GroupRatesReport
from fairsk.metrics._resampling import ConfusionCells, resample_cells
from fairsk.metrics._routed_scorer import (
    RESPONSE_METHODS,
    inform,
    response_of,
    serving_estimator,
)
from fairsk.metrics._scorers import (
    get_fairness_scorer,
    list_fairness_scorers,
    make_aware_scorer,
    make_fairness_scorer,
)
from fairsk.metrics._shorthands import (
    accuracy_difference,
    demographic_parity_difference,
    demographic_parity_ratio,
    equal_opportunity_difference,
    equal_opportunity_ratio,
)
from fairsk.metrics._system_scorers import list_system_scores, make_system_scorer, task_scores

__all__ = [
    "RESPONSE_METHODS",
    "AngleReport",
    "ConfusionCells",
    "ContrastIntervals",
    "DisparityReport",
    "GroupRatesReport",
    "IdentificationReport",
    "Intervals",
    "LabelledDecisions",
    "ViolationBound",
    "accuracy_difference",
    "angles_by_group",
    "auc_and_error",
    "average_odds_difference",
    "check_binary",
    "check_confidence",
    "check_labelled_decisions",
    "check_weight",
    "contrast_intervals",
    "demographic_parity_difference",
    "demographic_parity_ratio",
    "deo",
    "disparity_intervals",
    "equal_opportunity_difference",
    "equal_opportunity_ratio",
    "equalized_odds_difference",
    "equalized_odds_ratio",
    "fairness_violation",
    "fold_to_worst",
    "get_fairness_scorer",
    "group_auc_gap",
    "group_intervals",
    "group_pairs",
    "group_rates",
    "inform",
    "list_fairness_scorers",
    "list_system_scores",
    "make_aware_scorer",
    "make_fairness_scorer",
    "make_identification_scorer",
    "make_system_scorer",
    "mean_difference",
    "mean_ratio",
    "notion_of_rates",
    "overall_equal_opportunity_difference",
    "overall_equal_opportunity_ratio",
    "rank1_identification",
    "rank1_identification_scorer",
    "rate_intervals",
    "resample_cells",
    "response_of",
    "serving_estimator",
    "simultaneous_intervals",
    "task_scores",
    "violation_interval",
    "violation_upper_bound",
]
