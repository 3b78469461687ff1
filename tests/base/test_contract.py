"""The estimator contract: inputs, channels, errors, determinism, persistence."""

from __future__ import annotations

import pickle
import warnings

import joblib
import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fairsk import BayesOptimalFairPostProcessor
from fairsk.base import SensitiveFeaturesWarning
from fairsk.datasets import make_biased_classification
from tests.estimators import ALL as RULES
from tests.estimators import AWARE, REWEIGHTERS
from tests.estimators import BLIND as BLIND_RULES

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
ALL = RULES | REWEIGHTERS
BLIND = BLIND_RULES | REWEIGHTERS
EVERY = pytest.mark.parametrize("name", ALL)
# Those with a tolerance, a notion and folds.
EVERY_RULE = pytest.mark.parametrize("name", RULES)


@pytest.fixture(scope="module")
def data():
    X, y, groups = make_biased_classification(300, n_groups=2, n_features=3, random_state=1)
    return X, y, np.asarray(groups).ravel()


def predictions(model, name, X, groups, method="predict"):
    given = {"sensitive_features": groups} if name in AWARE else {}
    return getattr(model, method)(X, **given)


@EVERY
@pytest.mark.parametrize(
    "labels", [(0, 1), (-1, 1), ("no", "yes"), (False, True), (2.0, 7.0)], ids=str
)
def test_any_two_labels(name, labels, data):
    X, y, groups = data
    target = np.array(labels)[y]
    model = ALL[name]().fit(X, target, sensitive_features=groups)
    predicted = predictions(model, name, X, groups)
    assert list(model.classes_) == list(labels)
    assert set(predicted) <= set(labels)
    reference = ALL[name]().fit(X, y, sensitive_features=groups)
    np.testing.assert_array_equal(predicted == labels[1], predictions(reference, name, X, groups))


@EVERY
def test_containers_agree(name, data):
    X, y, groups = data
    pandas = pytest.importorskip("pandas")
    polars = pytest.importorskip("polars")
    expected = predictions(ALL[name]().fit(X, y, sensitive_features=groups), name, X, groups)
    columns = [f"x{j}" for j in range(X.shape[1])]
    variants = {
        "list": (X, list(groups)),
        "2-D array": (X, groups[:, None]),
        "pandas": (pandas.DataFrame(X, columns=columns), pandas.Series(groups, name="g")),
        "categorical": (
            pandas.DataFrame(X, columns=columns),
            pandas.DataFrame({"g": pandas.Categorical(groups)}),
        ),
        "polars": (polars.DataFrame(X, schema=columns), polars.DataFrame({"g": groups.tolist()})),
    }
    for X_variant, groups_variant in variants.values():
        model = ALL[name]().fit(X_variant, y, sensitive_features=groups_variant)
        np.testing.assert_array_equal(predictions(model, name, X_variant, groups_variant), expected)


@EVERY
def test_sparse_and_float32(name, data):
    X, y, groups = data
    dense = ALL[name]().fit(X, y, sensitive_features=groups)
    scores = predictions(dense, name, X, groups, "predict_proba")
    for matrix in (sparse.csr_matrix(X), sparse.csr_array(X), X.astype(np.float32)):
        model = ALL[name]().fit(matrix, y, sensitive_features=groups)
        # lbfgs stops at a gradient of 1e-4, and single precision has 1e-7 relative.
        np.testing.assert_allclose(
            predictions(model, name, matrix, groups, "predict_proba"), scores, atol=0.02
        )


@EVERY
def test_unknown_groups_train_the_model_but_not_the_constraint(name, data):
    X, y, groups = data
    some = groups.astype(object)
    some[::7] = None
    model = ALL[name]().fit(X, y, sensitive_features=some)
    assert len(model.group_encoder_.families_[0]) == 2
    assert predictions(model, name, X, some).shape == y.shape
    if hasattr(model, "certificate_"):
        assert model.certificate_.n_samples == np.sum(some != None)  # noqa: E711


@EVERY_RULE
def test_sample_weight_counts_like_repetition(name, data):
    X, y, groups = data
    X, y, groups = X[:120], y[:120], groups[:120]
    weight = np.random.RandomState(0).randint(1, 3, len(y)).astype(float)
    rows = np.repeat(np.arange(len(y)), weight.astype(int))

    # The same original rows in each fold, whether weighted or repeated.
    fold = np.arange(len(y)) % 3
    splits = [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(3)]
    repeated = [
        (np.flatnonzero(fold[rows] != k), np.flatnonzero(fold[rows] == k)) for k in range(3)
    ]
    estimator = LogisticRegression(tol=1e-10, max_iter=2000)
    weighted = ALL[name](estimator=estimator, cv=splits).fit(
        X, y, sensitive_features=groups, sample_weight=weight
    )
    plain = ALL[name](estimator=estimator, cv=repeated).fit(
        X[rows], y[rows], sensitive_features=groups[rows]
    )
    assert (
        np.mean(predictions(weighted, name, X, groups) == predictions(plain, name, X, groups))
        >= 0.97
    )  # rows at the boundary may be rounded the other way


@EVERY
def test_same_predictions_call_after_call_and_after_pickling(name, data, tmp_path):
    X, y, groups = data
    model = ALL[name]().fit(X, y, sensitive_features=groups)
    again = ALL[name]().fit(X, y, sensitive_features=groups)
    first = predictions(model, name, X, groups, "predict_proba")
    np.testing.assert_array_equal(first, predictions(model, name, X, groups, "predict_proba"))
    np.testing.assert_array_equal(first, predictions(again, name, X, groups, "predict_proba"))
    restored = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(first, predictions(restored, name, X, groups, "predict_proba"))
    joblib.dump(model, tmp_path / "model.joblib")
    loaded = joblib.load(tmp_path / "model.joblib")
    np.testing.assert_array_equal(first, predictions(loaded, name, X, groups, "predict_proba"))
    assert clone(model).get_params().keys() == model.get_params().keys()


@EVERY_RULE
def test_parallel_folds_give_the_same(name, data):
    X, y, groups = data
    one = ALL[name]().fit(X, y, sensitive_features=groups)
    two = ALL[name](n_jobs=2).fit(X, y, sensitive_features=groups)
    np.testing.assert_array_equal(one.multipliers_, two.multipliers_)


@EVERY
def test_columns_and_metadata_are_the_same_channel(name, data):
    X, y, groups = data
    codes = (groups == groups[0]).astype(float)
    wide = np.column_stack([X, codes])
    by_column = ALL[name](sensitive_columns=[3], drop_sensitive_columns=True).fit(wide, y)
    by_metadata = ALL[name]().fit(X, y, sensitive_features=codes)
    np.testing.assert_array_equal(by_column.predict(wide), predictions(by_metadata, name, X, codes))


# --------------------------------------------------------------------- errors


def fit_error(name, match, X, y, groups, error=ValueError, **parameters):
    with pytest.raises(error, match=match):
        ALL[name](**parameters).fit(X, y, sensitive_features=groups)


@EVERY
def test_bad_targets(name, data):
    X, y, groups = data
    fit_error(name, "Only binary classification is supported", X, np.arange(len(y)) % 3, groups)
    fit_error(name, "one class only", X, np.zeros(len(y)), groups)


@EVERY
def test_bad_groups(name, data):
    X, y, groups = data
    fit_error(name, "is constant: every known value is 'a'", X, y, ["a"] * len(y))
    fit_error(name, "Every value of sensitive feature .* is missing", X, y, [None] * len(y))
    fit_error(name, "looks continuous .* Bin it first", X, y, X[:, 0])
    ages = np.random.RandomState(0).randint(18, 90, len(y))
    fit_error(name, "looks continuous .*KBinsDiscretizer", X, y, ages)
    fit_error(name, "but sensitive_features has 10", X, y, groups[:10])
    with pytest.raises(ValueError, match="groups must be one of"):
        ALL[name](groups="both").fit(X, y, sensitive_features=groups)


@EVERY_RULE
def test_group_without_positives(name, data):
    X, y, groups = data
    target = np.where(groups == groups[0], 0, y)
    fit_error(
        name, "has no positive rows \\(y = 1\\)", X, target, groups, notion="equal_opportunity"
    )


@EVERY
def test_mismatched_indices(name, data):
    X, y, groups = data
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=list("uvw"))
    shuffled = pandas.Series(groups).sample(frac=1, random_state=0)
    fit_error(name, "pandas indices of X and sensitive_features differ", frame, y, shuffled)


@EVERY_RULE
@pytest.mark.parametrize(
    ("parameters", "match"),
    [
        ({"tolerance": -0.1}, "tolerance is the largest difference"),
        ({"tolerance": 1.5}, "tolerance is the largest difference"),
        ({"tolerance": "a"}, "tolerance is the largest difference"),
        ({"measure": "ratio", "ratio_bound": 0}, "ratio_bound is the smallest ratio"),
        ({"measure": "ratio", "ratio_bound": 1.2}, "ratio_bound is the smallest ratio"),
        ({"measure": "quotient"}, "measure must be one of"),
        ({"contrast": "neighbours"}, "contrast must be one of"),
        ({"notion": "parity"}, "notion must be one of \\['demographic_parity'"),
        ({"notion": "overall_equal_opportunity"}, "takes 'predictive_equality'"),
        ({"cost": 0}, "cost must be between 0 and 1"),
        ({"confidence": 1.0}, "confidence must be between 0 and 1"),
        ({"confidence": 0.9, "multipliers": [0, 0]}, "cannot be promised"),
        ({"multipliers": [0.1]}, "multipliers must be 2 finite numbers"),
        ({"cv": 1}, "cv must be at least 2 folds"),
        ({"cv": 1.5}, "cv must be between 0 and 1"),
        ({"calibration": "platt"}, "calibration must be one of"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_bad_parameters(name, parameters, match, data):
    X, y, groups = data
    fit_error(name, match, X, y, groups, **parameters)


@EVERY
def test_model_without_probabilities(name, data):
    X, y, groups = data
    fit_error(name, "has no predict_proba", X, y, groups, TypeError, estimator=RidgeClassifier())


@pytest.mark.parametrize("value", [np.nan, np.inf])
@EVERY_RULE
def test_nan_or_infinite_probabilities(name, value, data):
    X, y, groups = data
    fit_error(
        name,
        "predict_proba returned NaN or infinite values",
        X,
        y,
        groups,
        estimator=_Returning(value),
    )


class _Returning(LogisticRegression):
    """Trains as usual and returns one value for every probability."""

    def __init__(self, value=np.nan):
        super().__init__()
        self.value = value

    def predict_proba(self, X):
        return np.full((len(X), len(self.classes_)), self.value)


@EVERY
def test_unfitted(name, data):
    X, _, groups = data
    with pytest.raises(NotFittedError):
        predictions(ALL[name](), name, X, groups)


@EVERY
def test_without_sensitive_features_it_warns_and_is_plain(name, data):
    X, y, _ = data
    with pytest.warns(SensitiveFeaturesWarning, match="without sensitive features"):
        model = ALL[name]().fit(X, y)
    plain = LogisticRegression().fit(X, y)
    np.testing.assert_allclose(model.predict_proba(X), plain.predict_proba(X), atol=1e-12)
    np.testing.assert_array_equal(model.predict(X), plain.predict(X))


@EVERY
def test_both_channels_at_once(name, data):
    X, y, groups = data
    fit_error(name, "given twice", X, y, groups, sensitive_columns=[0])
    with pytest.raises(ValueError, match="without column names"):
        ALL[name](sensitive_columns=["g"]).fit(X, y)
    with pytest.raises(ValueError, match="but X has 3 columns"):
        ALL[name](sensitive_columns=[7]).fit(X, y)


@pytest.mark.parametrize("name", AWARE)
def test_aware_needs_groups_and_refuses_new_ones(name, data):
    X, y, groups = data
    model = ALL[name]().fit(X, y, sensitive_features=groups)
    with pytest.raises(ValueError, match="attribute-aware: give predict"):
        model.predict(X)
    with pytest.raises(ValueError, match="was not seen in fit"):
        model.predict(X, sensitive_features=["new"] * len(y))
    lenient = ALL[name](unseen="blind").fit(X, y, sensitive_features=groups)
    unknown = lenient.predict(X, sensitive_features=[None] * len(y))
    np.testing.assert_array_equal(lenient.predict(X), unknown)
    np.testing.assert_array_equal(lenient.predict(X, sensitive_features=["new"] * len(y)), unknown)


@pytest.mark.parametrize("name", BLIND)
def test_blind_prediction_does_not_read_groups(name, data):
    X, y, groups = data
    model = ALL[name]().fit(X, y, sensitive_features=groups)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert model.predict(X).shape == y.shape


def test_estimator_that_takes_no_weights(data):
    from sklearn.neighbors import KNeighborsClassifier

    X, y, groups = data
    fit_error(
        "cost-sensitive",
        "does not take sample_weight",
        X,
        y,
        groups,
        TypeError,
        estimator=KNeighborsClassifier(),
    )
    pipeline = make_pipeline(StandardScaler(), KNeighborsClassifier())
    fit_error(
        "cost-sensitive", "does not take sample_weight", X, y, groups, TypeError, estimator=pipeline
    )


def test_frozen_estimator_of_other_classes(data):
    X, y, groups = data
    frozen = FrozenEstimator(LogisticRegression().fit(X, np.array(["a", "b"])[y]))
    with pytest.raises(ValueError, match="was fitted on classes \\['a', 'b'\\]"):
        BayesOptimalFairPostProcessor(frozen).fit(X, y, sensitive_features=groups)


def test_splitter_as_cv(data):
    X, y, groups = data
    model = BayesOptimalFairPostProcessor(cv=KFold(4, shuffle=True, random_state=0))
    model.fit(X, y, sensitive_features=groups)
    assert model.certificate_.n_samples == len(y)
    held_out = BayesOptimalFairPostProcessor(cv=0.5, random_state=0)
    held_out.fit(X, y, sensitive_features=groups)
    assert held_out.certificate_.n_samples == len(y) // 2
