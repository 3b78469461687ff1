"""The costs as an expectation, and the search for multipliers whose model is near the bound."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fairsk import FairCostSensitiveClassifier, get_notion
from fairsk.datasets import load_compas, make_biased_classification
from fairsk.reweighting._dual_updates import best_update, fair_costs
from fairsk.solvers import RuleProblem
from fairsk.utils import GroupEncoder
from tests._reference.naive_bayes_rule import RATES, comparisons, margin, naive_masses

N_CELLS = 6
FAMILIES = {"intersectional": [list(range(N_CELLS))], "independent": [[0, 1], [2, 3, 4]]}


@pytest.fixture(scope="module")
def compas():
    data = load_compas(sensitive_features=("race",))
    X = StandardScaler().fit_transform(data.data)
    return X, data.target, data.sensitive_features


@pytest.mark.parametrize("notion", list(RATES))
@pytest.mark.parametrize("measure", ["difference", "ratio"])
@pytest.mark.parametrize("contrast", ["population", "groups"])
@pytest.mark.parametrize("grouping", list(FAMILIES))
def test_costs_are_the_theorem_of_one_labelled_row(notion, measure, contrast, grouping):
    """Theorem 3 with P(Y, A | x) put on the row's own cell: v = y - c - sum lambda phi(y, a)."""
    cost, bound = 0.4, 0.8 if measure == "ratio" else 0.1
    _, y, A = make_biased_classification(150, n_groups=(2, 3), random_state=1)
    weight = np.random.default_rng(2).random(150) + 0.5
    groups = GroupEncoder(grouping).fit_transform(A)
    families = FAMILIES[grouping]
    multipliers = np.random.default_rng(3).normal(
        scale=0.1, size=len(list(comparisons(notion, families, contrast)))
    )
    problem = RuleProblem(
        get_notion(notion), groups.family_of, measure, contrast, cost, groups.labels
    )
    target, found = fair_costs(problem, bound, multipliers, y, groups, weight)

    cells = np.zeros((150, 2, groups.n_groups))
    for i, codes in enumerate(groups.flat_codes()):
        cells[i, y[i], codes] = 1.0
    masses = naive_masses(cells, weight / weight.sum())
    value = margin(notion, y, cells, masses, families, cost, measure, contrast, bound, multipliers)
    # Rounding of sums of a dozen products.
    assert_allclose(found, 2 * np.abs(value) * weight, atol=1e-12)
    assert_array_equal(target, (value > 0).astype(int))


def test_expected_value_is_the_margin_of_the_bayes_rule():
    """E[v | x] = eta - c - lambda.phi(x), so the weighted risk is minimised by the fair rule."""
    data = make_biased_classification(
        200_000, n_groups=2, n_features=2, random_state=4, return_probabilities=True
    )
    groups = GroupEncoder().fit_transform(data.sensitive_features)
    problem = RuleProblem(
        get_notion("demographic_parity"),
        groups.family_of,
        "difference",
        "population",
        0.5,
        ("a", "b"),
    )
    multipliers = np.array([0.3, -0.2])
    target, weight = fair_costs(problem, 0.1, multipliers, data.target, groups, None)
    value = np.where(target == 1, weight, -weight) / 2
    masses = naive_masses(data.joint_probabilities, np.full(200_000, 1 / 200_000))
    eta = data.joint_probabilities[:, 1].sum(axis=1)
    expected = margin(
        "demographic_parity",
        eta,
        data.joint_probabilities,
        masses,
        [[0, 1]],
        0.5,
        "difference",
        "population",
        0.1,
        multipliers,
    )
    # Means over bins of x of 20,000 values with a standard deviation below 1: four errors.
    bins = np.argsort(data.data[:, 0]).reshape(10, -1)
    assert_allclose(value[bins].mean(axis=1), expected[bins].mean(axis=1), atol=4 / np.sqrt(20_000))


@pytest.mark.parametrize("notion", list(RATES))
@pytest.mark.parametrize("tolerance", [0.03, 0.06])
def test_chosen_round_is_near_the_bound(notion, tolerance, compas):
    X, y, A = compas
    model = FairCostSensitiveClassifier(
        notion=notion, tolerance=tolerance, max_updates=8, random_state=0
    ).fit(X, y, sensitive_features=A)
    best = best_update(model.history_)
    assert 1 <= len(model.history_) <= model.max_updates + 1
    # Inside, up to the step of one row in the smallest cell.
    assert best.excess <= best.grain
    # And near: what is farther inside pays for it. Equalized odds changes the constraint that
    # binds between two rounds.
    assert best.excess >= -0.012 or not best.multipliers.any()


def test_history_records_what_the_rounds_did(compas):
    X, y, A = compas
    model = FairCostSensitiveClassifier(
        notion="equal_opportunity", tolerance=0.03, max_updates=3, random_state=0
    ).fit(X, y, sensitive_features=A)
    assert len(model.history_) > 1
    for update in model.history_:
        assert update.multipliers.shape == (2,)
        # Both are about the same worst difference.
        assert_allclose(update.violation - 0.03, update.excess, atol=1e-12)
        assert 0.4 < update.accuracy < 0.7 and 0 < update.grain < 0.01
    first = model.history_[0]
    again = FairCostSensitiveClassifier(
        notion="equal_opportunity", tolerance=0.03, max_updates=0, random_state=0
    )
    with pytest.warns(ConvergenceWarning, match=f"has a violation of {first.violation:.4f}"):
        again.fit(X, y, sensitive_features=A)
    # The first round is the plug-in's multipliers, with no update allowed the only one.
    assert_array_equal(again.multipliers_, first.multipliers)


def test_loose_bound_stops_at_plain_training(compas):
    X, y, A = compas
    model = FairCostSensitiveClassifier(tolerance=0.9).fit(X, y, sensitive_features=A)
    assert len(model.history_) == 1
    assert_array_equal(model.multipliers_, 0.0)
    assert_array_equal(model.predict(X), LogisticRegression().fit(X, y).predict(X))


def test_ratio_is_met_out_of_fold(compas):
    X, y, A = compas
    model = FairCostSensitiveClassifier(measure="ratio", ratio_bound=0.9, random_state=0)
    model.fit(X, y, sensitive_features=A)
    # Rates are about a half, so that a row's step doubles in the ratio.
    best = best_update(model.history_)
    assert 0.9 - 4 * best.grain <= best.violation <= 0.95


def test_confidence_asks_for_a_margin(compas):
    X, y, A = compas
    plain, careful = (
        best_update(
            FairCostSensitiveClassifier(tolerance=0.08, confidence=confidence, random_state=0)
            .fit(X, y, sensitive_features=A)
            .history_
        )
        for confidence in (None, 0.95)
    )
    assert careful.violation < plain.violation - 0.01


def test_prediction_in_a_pipeline_and_a_search_needs_no_groups(compas):
    X, y, A = compas
    pipeline = make_pipeline(StandardScaler(), FairCostSensitiveClassifier(cv=2))
    wide = np.column_stack([X, A[:, 0] == A[0, 0]])
    pipeline.set_params(
        faircostsensitiveclassifier__sensitive_columns=[X.shape[1]],
        faircostsensitiveclassifier__max_updates=1,
        faircostsensitiveclassifier__tolerance=0.1,
    )
    search = GridSearchCV(
        pipeline, {"faircostsensitiveclassifier__multipliers": [[0.0, 0.0], [0.0, 0.2]]}, cv=2
    ).fit(wide, y)
    inner = search.best_estimator_[-1]
    assert inner.multipliers_.tolist() in ([0.0, 0.0], [0.0, 0.2])
    # The group's column is not given to the model.
    assert inner.estimator_.n_features_in_ == X.shape[1]
    with pytest.raises(TypeError, match="sensitive_features"):
        inner.predict(wide, sensitive_features=A)
