"""The estimator contract: sensitive features in, validated, then the method."""

from fairsk.base._bracket import BracketSearch
from fairsk.base._channels import SensitiveFeaturesMixin, SensitiveFeaturesWarning, check_rows
from fairsk.base._contract import UNSEEN, BaseFairClassifier
from fairsk.base._group_values import check_group_values, values_by_group
from fairsk.base._label_constraints import (
    BOUND_PARAMETERS,
    LabelRows,
    expected_values,
    label_rows,
    observed_violation,
    row_grain,
    solve_on_labels,
)
from fairsk.base._label_flips import LabelFlips, check_label_flips, make_label_flips
from fairsk.base._label_objective import (
    LabelObjective,
    evolve_multipliers,
    observed_accuracy,
)
from fairsk.base._models import (
    check_has_probabilities,
    fit_model,
    positive_probability,
    weight_parameter,
)
from fairsk.base._rule_settings import (
    RuleSettings,
    check_cv_and_calibration,
    check_fraction,
    choose_rule,
)
from fairsk.base._tuning import (
    JointModels,
    JointSettings,
    TuningSample,
    clone_for_groups,
    fit_label_model,
    make_tuning_sample,
    predict_joint,
    tuning_rows,
    tuning_splits,
)

__all__ = [
    "BOUND_PARAMETERS",
    "UNSEEN",
    "BaseFairClassifier",
    "BracketSearch",
    "JointModels",
    "JointSettings",
    "LabelFlips",
    "LabelObjective",
    "LabelRows",
    "RuleSettings",
    "SensitiveFeaturesMixin",
    "SensitiveFeaturesWarning",
    "TuningSample",
    "check_cv_and_calibration",
    "check_fraction",
    "check_group_values",
    "check_has_probabilities",
    "check_label_flips",
    "check_rows",
    "choose_rule",
    "clone_for_groups",
    "evolve_multipliers",
    "expected_values",
    "fit_label_model",
    "fit_model",
    "label_rows",
    "make_label_flips",
    "make_tuning_sample",
    "observed_accuracy",
    "observed_violation",
    "positive_probability",
    "predict_joint",
    "row_grain",
    "solve_on_labels",
    "tuning_rows",
    "tuning_splits",
    "values_by_group",
    "weight_parameter",
]
