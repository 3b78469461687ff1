"""Every estimator passes scikit-learn's own checks, with no expected failure but the networks'."""

import pytest
from sklearn import config_context
from sklearn.utils.estimator_checks import parametrize_with_checks

from fairsk.neural._base import BaseFairNetwork
from tests.estimators import (
    ALL,
    NETWORKS,
    REGRESSORS,
    REWEIGHTERS,
    SAMPLERS,
    TRANSFORMERS,
    WRAPPERS,
)

# Without sensitive features, which the checks do not give, an estimator warns and is plain.
pytestmark = [
    pytest.mark.filterwarnings("ignore::fairsk.base.SensitiveFeaturesWarning"),
    # Raised by the checks' own tiny or separable data inside LogisticRegression.
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.DataConversionWarning"),
]


FAMILIES = (ALL, REWEIGHTERS, WRAPPERS, SAMPLERS, NETWORKS, REGRESSORS, TRANSFORMERS)
ESTIMATORS = [make() for family in FAMILIES for make in family.values()]
MINIBATCH = (
    "trained by minibatches in a random order: repeated rows fall into other batches than one row "
    "with a weight, and rows of weight zero leave the order of the others, as in MLPClassifier"
)


def expected_failures(estimator):
    if not isinstance(estimator, BaseFairNetwork):
        return {}
    return {
        "check_sample_weight_equivalence_on_dense_data": MINIBATCH,
        "check_sample_weight_equivalence_on_sparse_data": MINIBATCH,
    }


@parametrize_with_checks(ESTIMATORS, expected_failed_checks=expected_failures)
def test_without_routing(estimator, check):
    check(estimator)


@parametrize_with_checks(ESTIMATORS, expected_failed_checks=expected_failures)
def test_with_routing(estimator, check):
    with config_context(enable_metadata_routing=True):
        check(estimator)
