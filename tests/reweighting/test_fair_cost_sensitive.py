"""Cost-sensitive training: the costs, the updates, and what it can be put on."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from fairsk import (
    BayesOptimalFairPostProcessor,
    FairCostSensitiveClassifier,
    fairness_violation,
    get_notion,
)
from fairsk.datasets import make_biased_classification
from fairsk.reweighting._dual_updates import DualUpdate, best_update, fair_costs
from fairsk.solvers import RuleProblem
from fairsk.utils import GroupEncoder

NOTIONS = ("demographic_parity", "equal_opportunity", "predictive_equality", "accuracy_parity")


@pytest.fixture(scope="module")
def data():
    X, y, A = make_biased_classification(2_000, bias=2.0, random_state=0)
    return X, y, np.asarray(A).ravel()


def paper_cost(notion, cost, multipliers, y, a, counts):
    """c + sum_a' lambda_a' phi_a'(y, a) of one labelled row, from the table of the notions."""
    n = counts.sum()
    p = counts / n
    result = cost
    for k, multiplier in enumerate(multipliers):
        own = float(a == k)
        if notion == "demographic_parity":
            phi = own / p[:, k].sum() - 1
        elif notion == "equal_opportunity":
            phi = (y == 1) * (own / p[1, k] - 1 / p[1].sum())
        elif notion == "predictive_equality":
            phi = (y == 0) * (own / p[0, k] - 1 / p[0].sum())
        else:
            sign = 1 if y == 0 else -1
            phi = sign * (own / p[:, k].sum() - 1)
        result += multiplier * phi
    return result


@pytest.mark.parametrize("notion", NOTIONS)
@pytest.mark.parametrize("cost", [0.5, 0.3])
def test_costs_are_the_papers(notion, cost, data):
    _, y, labels = data
    y, labels = y[:60], labels[:60]
    groups = GroupEncoder().fit_transform(labels)
    problem = RuleProblem(
        get_notion(notion), groups.family_of, "difference", "population", cost, groups.labels
    )
    multipliers = np.array([0.4, -0.3])
    target, weight = fair_costs(problem, 0.05, multipliers, y, groups, None)
    counts = np.zeros((2, 2))
    np.add.at(counts, (y, groups.codes[:, 0]), 1)
    flipped = 0
    for i in range(len(y)):
        c = paper_cost(notion, cost, multipliers, y[i], groups.codes[i, 0], counts)
        plain = 1 - c if y[i] == 1 else c
        # A negative cost on a label is a positive one on the other.
        expected = y[i] if plain > 0 else 1 - y[i]
        flipped += plain < 0
        assert target[i] == expected
        assert weight[i] == pytest.approx(2 * abs(plain), rel=1e-12)
    assert flipped or notion != "demographic_parity"


def test_without_multipliers_it_is_plain_training(data):
    X, y, groups = data
    model = FairCostSensitiveClassifier(LogisticRegression(), multipliers=[0.0, 0.0])
    model.fit(X, y, sensitive_features=groups)
    plain = LogisticRegression().fit(X, y)
    np.testing.assert_allclose(model.predict_proba(X), plain.predict_proba(X), atol=1e-12)
    assert model.history_ == []


def test_unknown_groups_keep_the_plain_cost(data):
    _, y, labels = data
    some = labels.astype(object)
    some[:10] = None
    groups = GroupEncoder().fit_transform(some)
    problem = RuleProblem(
        get_notion("demographic_parity"),
        groups.family_of,
        "difference",
        "population",
        0.5,
        groups.labels,
    )
    target, weight = fair_costs(problem, 0.05, np.array([0.4, -0.3]), y, groups, None)
    np.testing.assert_array_equal(target[:10], y[:10])
    np.testing.assert_allclose(weight[:10], 1.0)


@pytest.mark.parametrize("notion", ["demographic_parity"])
def test_it_is_fair_without_groups_at_prediction(notion, data):
    X, y, groups = data
    X_test, y_test, A_test = make_biased_classification(40_000, bias=2.0, random_state=1)
    plain = LogisticRegression().fit(X, y).predict(X_test)
    model = FairCostSensitiveClassifier(
        LogisticRegression(), notion=notion, tolerance=0.05, random_state=0
    ).fit(X, y, sensitive_features=groups)

    def violation(predicted):
        return fairness_violation(y_test, predicted, sensitive_features=A_test, notion=notion)

    # Three standard errors of a rate in a cell of some 500 training rows are about .06.
    assert violation(model.predict(X_test)) < 0.05 + 0.06
    assert violation(plain) > violation(model.predict(X_test)) + 0.05


def test_it_approaches_the_plug_in_rule():
    X, y, A = make_biased_classification(20_000, bias=2.0, random_state=0)
    X_test, y_test, _ = make_biased_classification(40_000, bias=2.0, random_state=1)
    # With squares and products a linear model can follow the Bayes rule's curved boundary.
    base = make_pipeline(PolynomialFeatures(2), StandardScaler(), LogisticRegression())
    settings = {"tolerance": 0.05, "random_state": 0, "cv": 3}
    post = BayesOptimalFairPostProcessor(base, **settings).fit(X, y, sensitive_features=A)
    trained = FairCostSensitiveClassifier(base, **settings).fit(X, y, sensitive_features=A)
    accuracy = [np.mean(model.predict(X_test) == y_test) for model in (post, trained)]
    # Both converge to the same rule; .015 is five standard errors of the difference and a bias.
    assert abs(accuracy[0] - accuracy[1]) < 0.015


def boosting():
    return HistGradientBoostingClassifier(max_iter=20, random_state=0)


@pytest.mark.parametrize(
    "base",
    [boosting(), make_pipeline(StandardScaler(), boosting()), "xgboost"],
    ids=["boosting", "pipeline", "xgboost"],
)
def test_any_weighted_estimator(base, data):
    X, y, groups = data
    if base == "xgboost":
        xgboost = pytest.importorskip("xgboost", reason="the xgboost extra is not installed")
        base = xgboost.XGBClassifier(n_estimators=20, n_jobs=1)
    model = FairCostSensitiveClassifier(
        base, tolerance=0.1, max_updates=4, cv=2, random_state=0
    ).fit(X, y, sensitive_features=groups)
    predicted = model.predict(X)
    assert np.mean(predicted == y) > 0.6
    plain = np.asarray(base.fit(X, y).predict(X))
    gap = {
        name: fairness_violation(y, p, sensitive_features=groups, notion="demographic_parity")
        for name, p in (("fair", predicted), ("plain", plain))
    }
    assert gap["fair"] < gap["plain"]


def test_best_update_is_the_most_accurate_within_the_bound():
    def update(excess, accuracy):
        return DualUpdate(np.zeros(1), excess + 0.05, excess, accuracy, grain=0.001)

    loose, good, tight = update(0.05, 0.9), update(0.0005, 0.8), update(-0.04, 0.7)
    assert best_update([loose, good, tight]) is good
    assert best_update([loose, update(0.02, 0.5)]).excess == 0.02


def test_out_of_reach_it_warns_with_the_violation(data):
    X, y, groups = data
    model = FairCostSensitiveClassifier(
        LogisticRegression(), tolerance=0.0, max_updates=0, random_state=0
    )
    with pytest.warns(ConvergenceWarning, match="has a violation of 0\\.\\d+ out of fold"):
        model.fit(X, y, sensitive_features=groups)
    assert len(model.history_) == 1


def test_history_tells_each_round(data):
    X, y, groups = data
    model = FairCostSensitiveClassifier(
        LogisticRegression(), tolerance=0.03, max_updates=4, random_state=0
    ).fit(X, y, sensitive_features=groups)
    assert 1 <= len(model.history_) <= 5
    chosen = best_update(model.history_)
    np.testing.assert_array_equal(chosen.multipliers, model.multipliers_)
    assert chosen.violation <= 0.03 + chosen.grain


def test_multipliers_that_leave_nothing_to_learn(data):
    X, y, groups = data
    # Ratio rows push every group's selection up: with large multipliers everybody is selected.
    model = FairCostSensitiveClassifier(measure="ratio", ratio_bound=0.5, multipliers=[1e3, 1e3])
    with pytest.raises(ValueError, match="every training row has the same fair label"):
        model.fit(X, y, sensitive_features=groups)


@pytest.mark.parametrize("updates", [-1, 1.5, "many"])
def test_bad_number_of_updates(updates, data):
    X, y, groups = data
    with pytest.raises(ValueError, match="max_updates must be an integer >= 0"):
        FairCostSensitiveClassifier(max_updates=updates).fit(X, y, sensitive_features=groups)
