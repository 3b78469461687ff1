"""Refit rules inside scikit-learn's searches and the fair searches."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV

from fairsk.metrics import make_aware_scorer, make_fairness_scorer
from fairsk.model_selection import (
    FairGridSearchCV,
    FairHalvingGridSearchCV,
    FairRandomizedSearchCV,
    ParetoFront,
    best_within_tolerance,
    knee_of_front,
)

GRID = {"shift": [0.0, 0.3, 0.6, 1.0]}


class Shifted(ClassifierMixin, BaseEstimator):
    """Accepts x > .5, after taking `shift` from group 1's x: the price of parity is accuracy."""

    __metadata_request__fit = {"sensitive_features": True}  # noqa: RUF012
    __metadata_request__predict = {"sensitive_features": True}  # noqa: RUF012

    def __init__(self, shift=0.0):
        self.shift = shift

    def fit(self, X, y, sensitive_features=None):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X, sensitive_features=None):
        if sensitive_features is None:
            raise ValueError("Shifted needs sensitive_features to predict.")
        return (X[:, 0] - self.shift * np.ravel(sensitive_features) > 0.5).astype(int)


@pytest.fixture
def data():
    rng = np.random.default_rng(5)
    group = rng.integers(0, 2, 600)
    x = rng.normal(size=600) + group
    y = (x + 0.3 * rng.normal(size=600) > 0.5).astype(int)
    return np.column_stack([x, group]), y, group


@pytest.fixture
def routing():
    with config_context(enable_metadata_routing=True):
        yield


SCORING = {
    "accuracy": make_aware_scorer("accuracy"),
    "violation": make_fairness_scorer("demographic_parity"),
}
SEARCHES = [GridSearchCV, FairGridSearchCV, FairRandomizedSearchCV, FairHalvingGridSearchCV]


def make_search(search, rule, **options):
    if search is FairRandomizedSearchCV:
        options |= {"n_iter": 4, "random_state": 0}
    if search is FairHalvingGridSearchCV:
        options |= {"factor": 2, "random_state": 0}
    return search(Shifted(), GRID, scoring=SCORING, refit=rule, cv=3, **options)


@pytest.mark.usefixtures("routing")
@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize("rule", [best_within_tolerance(0.15), knee_of_front()])
def test_rule_in_every_search(data, search, rule):
    X, y, group = data
    fitted = make_search(search, rule).fit(X, y, sensitive_features=group)
    table = fitted.cv_results_
    accuracy = table["mean_test_accuracy"][fitted.best_index_]
    if isinstance(rule, type(best_within_tolerance(0.1))):
        last = table["iter"] == table["iter"].max() if "iter" in table else np.ones(4, bool)
        within = last & (table["mean_test_violation"] >= -0.15)
        assert accuracy == table["mean_test_accuracy"][within].max()
        assert not within.all()
    if search is not GridSearchCV:
        assert fitted.best_score_ == accuracy
    # With several scorers and any other callable this is a KeyError.
    assert fitted.score(X, y, sensitive_features=group) == SCORING["accuracy"](
        fitted, X, y, sensitive_features=group
    )
    again = pickle.loads(pickle.dumps(fitted))
    assert again.best_index_ == fitted.best_index_
    assert clone(fitted).refit == rule


@pytest.mark.usefixtures("routing")
def test_halving_keeps_what_the_rule_ranks_first(data):
    X, y, group = data
    fitted = make_search(FairHalvingGridSearchCV, best_within_tolerance(0.15))
    table = fitted.fit(X, y, sensitive_features=group).cv_results_
    assert fitted.n_candidates_ == [4, 2, 1]
    first = table["iter"] == 0
    place = -table["mean_test_score"][first]
    within = table["mean_test_violation"][first] >= -0.15
    assert sorted(place) == [0, 1, 2, 3]
    assert place[within].max() < place[~within].min()
    kept = {params["shift"] for params in np.array(table["params"])[table["iter"] == 1]}
    assert kept == {p["shift"] for p in np.array(table["params"])[np.flatnonzero(first)[place < 2]]}


@pytest.mark.usefixtures("routing")
def test_infeasible_in_halving(data):
    X, y, group = data
    X = np.column_stack([X[:, 0] + 3 * group, group])
    with pytest.warns(
        UserWarning, match="No candidate in the running has a 'violation' violation within 0"
    ):
        make_search(FairHalvingGridSearchCV, best_within_tolerance(0.0)).fit(
            X, y, sensitive_features=group
        )


@pytest.mark.filterwarnings("ignore:Scoring failed", "ignore:One or more of the")
@pytest.mark.usefixtures("routing")
@pytest.mark.parametrize("search", SEARCHES)
def test_aware_model_with_built_in_scorer_is_refused(data, search):
    X, y, group = data
    fitted = make_search(search, best_within_tolerance(0.1))
    fitted.set_params(scoring={**SCORING, "accuracy": "accuracy"})
    with pytest.raises(ValueError, match=r"'accuracy' of every candidate.*make_aware_scorer"):
        fitted.fit(X, y, sensitive_features=group)


@pytest.mark.filterwarnings("ignore:Scoring failed", "ignore:One or more of the")
def test_scorer_without_groups_is_refused(data):
    X, y, _ = data
    search = GridSearchCV(
        LogisticRegression(),
        {"C": [0.1, 1.0]},
        scoring={"accuracy": "accuracy", "violation": SCORING["violation"]},
        refit=best_within_tolerance(0.1),
    )
    with pytest.raises(ValueError, match=r"'violation' of every candidate.*sensitive_columns="):
        search.fit(X, y)


@pytest.mark.parametrize("search", [FairGridSearchCV, FairHalvingGridSearchCV])
def test_columns_with_routing_off_and_two_jobs(data, search):
    X, y, _ = data
    fitted = search(
        LogisticRegression(),
        {"C": [1e-4, 1e-2, 1.0]},
        scoring={
            "accuracy": "accuracy",
            "violation": make_fairness_scorer("demographic_parity", sensitive_columns=[1]),
        },
        refit=best_within_tolerance(0.5, upper_confidence=0.9),
        cv=3,
        n_jobs=2,
    ).fit(X, y)
    assert fitted.best_score_ == fitted.cv_results_["mean_test_accuracy"][fitted.best_index_]
    assert 0.5 < fitted.score(X, y) <= 1


def test_one_score_and_no_rule_work_as_in_scikit_learn(data):
    X, y, _ = data
    scorer = make_fairness_scorer("demographic_parity", sensitive_columns=[1])
    grid, options = {"C": [1e-4, 1.0]}, {"scoring": scorer, "cv": 3}
    ours = FairGridSearchCV(LogisticRegression(), grid, **options).fit(X, y)
    theirs = GridSearchCV(LogisticRegression(), grid, **options).fit(X, y)
    assert ours.best_score_ == theirs.best_score_
    options |= {"random_state": 0, "factor": 2}
    ours = FairHalvingGridSearchCV(LogisticRegression(), grid, **options).fit(X, y)
    theirs = HalvingGridSearchCV(LogisticRegression(), grid, **options).fit(X, y)
    assert ours.best_score_ == theirs.best_score_
    with pytest.raises(ValueError, match="needs a rule"):
        FairHalvingGridSearchCV(LogisticRegression(), grid, scoring={"v": scorer}).fit(X, y)


@pytest.mark.usefixtures("routing")
def test_front_of_a_search(data):
    X, y, group = data
    fitted = make_search(FairGridSearchCV, best_within_tolerance(0.15))
    table = fitted.fit(X, y, sensitive_features=group).cv_results_
    front = ParetoFront.from_cv_results(table, objective="accuracy", violation="violation")
    assert front.within(0.15) == fitted.best_index_
    np.testing.assert_allclose(front.violation, -table["mean_test_violation"])
