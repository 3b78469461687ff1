"""The scorer of kernel partial correlation in searches, by both channels."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.svm import LinearSVC

from fairsk.independence import equalized_odds_kpc
from fairsk.model_selection import FairGridSearchCV, best_within_tolerance, make_kpc_scorer


class Mixture(RegressorMixin, BaseEstimator):
    """Predicts with the sensitive first column taken out by ``mu``."""

    def __init__(self, mu=0.0):
        self.mu = mu

    def fit(self, X, y):
        self.model_ = Ridge().fit(X, y)
        return self

    def predict(self, X):
        shrunken = np.array(X, dtype=float)
        shrunken[:, 0] *= 1 - self.mu
        return self.model_.predict(shrunken)


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 3))
    return X, X[:, 0] + X[:, 1] + 1.5 * rng.normal(size=600), X[:, 0]


def test_is_the_negated_metric_of_the_best_response(data):
    X, y, A = data
    scorer, label = make_kpc_scorer(clip=False), np.where(y > 0, "yes", "no")
    for model, method, target in (
        (Ridge(), "predict", y),
        (LogisticRegression(), "predict_proba", label),
        (LinearSVC(), "decision_function", label),
    ):
        model.fit(X, target)
        output = getattr(model, method)(X)
        expected = -equalized_odds_kpc(target, output, sensitive_features=A)
        # Of two classes one column is scored: the same distances but for a factor.
        assert scorer(model, X, target, sensitive_features=A) == pytest.approx(expected, abs=1e-12)
    many = np.digitize(y, [-1, 1])
    model = LogisticRegression().fit(X, many)
    expected = -equalized_odds_kpc(many, model.predict_proba(X), sensitive_features=A)
    assert scorer(model, X, many, sensitive_features=A) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("routing", [True, False])
def test_search_finds_the_knob_within_a_tolerance(data, routing):
    X, y, A = data
    scorer = make_kpc_scorer(sensitive_columns=None if routing else [0])
    scoring = {"r2": "r2", "violation": scorer}
    with config_context(enable_metadata_routing=routing):
        search = FairGridSearchCV(
            Mixture(), {"mu": [0.0, 0.35, 0.7, 1.0]}, cv=3, scoring=scoring,
            refit=best_within_tolerance(0.08, objective="r2"),
        ).fit(X, y, **({"sensitive_features": A} if routing else {}))  # fmt: skip
    # With c times the sensitive column in the prediction, their covariance given y is
    # c - (1 + c) / 4.25: zero at c = .31. Without it the model errs to the other side.
    scores = search.cv_results_["mean_test_violation"]
    assert scores[0] < -0.2 < -0.1 < scores[2] <= 0
    assert search.best_params_ == {"mu": 0.7}
    assert search.best_score_ == search.cv_results_["mean_test_r2"][2]


def test_chance_values_below_zero_are_clipped(data):
    X, y, _ = data
    model, A = Ridge().fit(X, y), np.random.default_rng(5).normal(size=600)
    raw = make_kpc_scorer(clip=False)(model, X, y, sensitive_features=A)
    clipped = make_kpc_scorer()(model, X, y, sensitive_features=A)
    assert clipped == min(raw, 0)


def test_clone_pickle_and_repr():
    scorer = make_kpc_scorer(n_neighbors=3)
    clone(GridSearchCV(Ridge(), {}, scoring=scorer))
    assert repr(pickle.loads(pickle.dumps(scorer))) == repr(scorer)
    assert "equalized_odds_kpc" in repr(scorer)
