"""The estimator contract: sensitive features in, validated, then the method."""

from fairsk.base._bracket import BracketSearch
from fairsk.base._channels import SensitiveFeaturesMixin, SensitiveFeaturesWarning, check_rows
from fairsk.base._contract import UNSEEN, BaseFairClassifier
from fairsk.base._label_constraints import (
    LabelRows,
    expected_values,
    label_rows,
    observed_accuracy,
    observed_violation,
    row_grain,
    solve_on_labels,
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
    "UNSEEN",
    "BaseFairClassifier",
    "BracketSearch",
    "JointModels",
    "JointSettings",
    "LabelRows",
    "RuleSettings",
    "SensitiveFeaturesMixin",
    "SensitiveFeaturesWarning",
    "TuningSample",
    "check_cv_and_calibration",
    "check_fraction",
    "check_has_probabilities",
    "check_rows",
    "choose_rule",
    "clone_for_groups",
    "expected_values",
    "fit_label_model",
    "fit_model",
    "label_rows",
    "make_tuning_sample",
    "observed_accuracy",
    "observed_violation",
    "positive_probability",
    "predict_joint",
    "row_grain",
    "solve_on_labels",
    "tuning_rows",
    "tuning_splits",
    "weight_parameter",
]
