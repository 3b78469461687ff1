"""How unequal it is: disparities in one number, rates of groups, and their uncertainty."""

from fairsk.metrics._angles import AngleReport, angles_by_group
from fairsk.metrics._auc import group_auc_gap
from fairsk.metrics._contrasts import ViolationBound, violation_interval, violation_upper_bound
from fairsk.metrics._disparities import fairness_violation, mean_difference, mean_ratio
from fairsk.metrics._disparity_intervals import disparity_intervals
from fairsk.metrics._group_rates import group_rates
from fairsk.metrics._identification import (
    IdentificationReport,
    make_identification_scorer,
    rank1_identification,
    rank1_identification_scorer,
)
from fairsk.metrics._intervals import Intervals, simultaneous_intervals
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
from fairsk.metrics._system_scorers import list_system_scores, make_system_scorer

__all__ = [
    "AngleReport",
    "ConfusionCells",
    "DisparityReport",
    "GroupRatesReport",
    "IdentificationReport",
    "Intervals",
    "ViolationBound",
    "accuracy_difference",
    "angles_by_group",
    "average_odds_difference",
    "demographic_parity_difference",
    "demographic_parity_ratio",
    "deo",
    "disparity_intervals",
    "equal_opportunity_difference",
    "equal_opportunity_ratio",
    "equalized_odds_difference",
    "equalized_odds_ratio",
    "fairness_violation",
    "get_fairness_scorer",
    "group_auc_gap",
    "group_rates",
    "list_fairness_scorers",
    "list_system_scores",
    "make_aware_scorer",
    "make_fairness_scorer",
    "make_identification_scorer",
    "make_system_scorer",
    "mean_difference",
    "mean_ratio",
    "overall_equal_opportunity_difference",
    "overall_equal_opportunity_ratio",
    "rank1_identification",
    "rank1_identification_scorer",
    "resample_cells",
    "simultaneous_intervals",
    "violation_interval",
    "violation_upper_bound",
]
