"""Every estimator passes scikit-learn's own checks, with no expected failure."""

import pytest
from sklearn import config_context
from sklearn.utils.estimator_checks import parametrize_with_checks

from tests.estimators import ALL

# Without sensitive features, which the checks do not give, an estimator warns and is plain.
pytestmark = [
    pytest.mark.filterwarnings("ignore::fairsk.base.SensitiveFeaturesWarning"),
    # Raised by the checks' own tiny or separable data inside LogisticRegression.
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.DataConversionWarning"),
]


@parametrize_with_checks([make() for make in ALL.values()])
def test_without_routing(estimator, check):
    check(estimator)


@parametrize_with_checks([make() for make in ALL.values()])
def test_with_routing(estimator, check):
    with config_context(enable_metadata_routing=True):
        check(estimator)
