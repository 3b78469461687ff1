"""Rules held against the observed labels many at a time, and the search among them."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from fairsk import BayesOptimalFairPostProcessor
from fairsk.base import (
    LabelObjective,
    _label_objective,
    evolve_multipliers,
    label_rows,
    observed_accuracy,
)
from fairsk.solvers import rule_from_multipliers
from tests.thresholding._known import simulate


def tuned(notion="demographic_parity", measure="difference", aware=False, **options):
    """The problem and the sample that a fitted post-processor chose its rule on."""
    data = simulate(1_500, 4)
    features = data.group.astype(object)
    weight = np.where(np.arange(1_500) % 3 == 0, 2.0, 1.0)
    if options.pop("independent", False):
        features = np.column_stack([features, np.arange(1_500) % 2])
        features[::7, 0] = None
        options["groups"] = "independent"
    bound = {"tolerance": 0.03} if measure == "difference" else {"ratio_bound": 0.9}
    model = BayesOptimalFairPostProcessor(
        LogisticRegression(),
        notion=notion,
        measure=measure,
        attribute_aware=aware,
        constrain="probabilities",
        cv=2,
        random_state=0,
        **bound,
        **options,
    ).fit(data.data, data.target, sensitive_features=features, sample_weight=weight)
    problem = model._rule_settings().problem(model._tuning_sample.groups)
    return problem, model._tuning_sample, next(iter(bound.values()))


def evolve(problem, sample, bound, centre, random_state=0):
    return evolve_multipliers(
        problem, sample, bound, centre, allowed=0.0, random_state=random_state
    )


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"notion": "equalized_odds", "aware": True},
        {"notion": "accuracy_parity", "measure": "ratio"},
        {"notion": "equal_opportunity", "independent": True, "cost": 0.3},
        {"notion": "predictive_equality", "contrast": "groups", "measure": "ratio"},
    ],
    ids=lambda options: "-".join(map(str, options.values())) or "default",
)
def test_agrees_with_one_rule_at_a_time(options):
    problem, sample, bound = tuned(**options)
    objective = LabelObjective(problem, sample, bound)
    n_multipliers = problem.constraints(
        sample.joint.masses(sample.sample_weight, len(problem.family_of)), bound
    ).n_multipliers
    candidates = np.random.default_rng(0).normal(scale=0.3, size=(10, n_multipliers))
    excess, accuracy = objective(candidates)
    for place, multipliers in enumerate(candidates):
        rule = rule_from_multipliers(
            problem, sample.joint, sample.sample_weight, bound, multipliers
        )
        decision = rule.decide(sample.joint)
        rows, _ = label_rows(problem, sample, decision, bound, confidence=None, random_state=None)
        assert_allclose(excess[place], rows.excess, atol=1e-5)
        assert_allclose(accuracy[place], observed_accuracy(problem, sample, decision), atol=1e-5)
    assert len(np.unique(excess)) > 5


def test_finds_what_a_grid_finds():
    problem, sample, bound = tuned("equal_opportunity")
    objective = LabelObjective(problem, sample, bound)
    line = np.linspace(-0.8, 0.8, 161)
    best = 0.0
    for price in line:
        excess, accuracy = objective(np.column_stack([np.full_like(line, price), line]))
        best = max(best, accuracy[excess <= 0].max(initial=0.0))
    start = np.array([0.2, 0.0])
    found = evolve(problem, sample, bound, start)
    excess, accuracy = objective(np.stack([start, found]))
    assert excess[0] > 0 >= excess[1]
    # Within a row or two of a grid of 26,000 rules.
    assert accuracy[1] >= best - 2 / len(sample.y)


def test_nothing_to_search_for():
    problem, sample, bound = tuned()
    assert evolve(problem, sample, bound, np.zeros(2)) is None


def test_samples_that_would_take_long_are_left_alone(monkeypatch):
    problem, sample, bound = tuned()
    start = np.array([0.1, 0.0])
    assert evolve(problem, sample, bound, start) is not None
    monkeypatch.setattr(_label_objective, "MOST_WORK", 1e5)
    assert evolve(problem, sample, bound, start) is None


def test_same_seed_same_multipliers():
    problem, sample, bound = tuned()
    found = [
        evolve(problem, sample, bound, np.array([0.1, -0.1]), random_state=seed)
        for seed in (None, 0, 1)
    ]
    assert_allclose(found[0], found[1], rtol=0, atol=0)
    assert (found[0] != found[2]).any()


class Misled(LogisticRegression):
    """Holds the feature that tells the groups apart against one of them."""

    def predict_proba(self, X):
        logit = self.decision_function(X) - 1.5 * X[:, 1]
        positive = 1 / (1 + np.exp(-logit))
        return np.column_stack([1 - positive, positive])


@pytest.mark.parametrize("notion", ["demographic_parity", "equalized_odds"])
def test_misleading_probabilities_are_made_up_for(notion, monkeypatch):
    """Where they are off in more than a shift, no corrected program has the best multipliers."""
    data = simulate(3_000, 5)
    model = BayesOptimalFairPostProcessor(
        Misled(),
        group_estimator=LogisticRegression(),
        notion=notion,
        tolerance=0.05,
        cv=3,
        random_state=0,
    )
    searched = model.fit(data.data, data.target, sensitive_features=data.group).certificate_
    monkeypatch.setattr(_label_objective, "MOST_WORK", 0.0)
    with warnings.catch_warnings():
        # The corrected programs alone miss the bound of equalized odds.
        warnings.simplefilter("ignore", ConvergenceWarning)
        corrected = model.fit(data.data, data.target, sensitive_features=data.group).certificate_
    row = 1 / searched.smallest_cell[1]
    assert searched.observed_violation <= max(0.05, corrected.observed_violation) + row
    assert searched.observed_accuracy > corrected.observed_accuracy + 0.03


def test_a_group_model_that_knows_nothing():
    """Its rules shift one threshold, so that parity is had by selecting nearly nobody."""
    data = simulate(2_000, 6)
    model = BayesOptimalFairPostProcessor(
        group_estimator=DummyClassifier(strategy="prior"), tolerance=0.01, cv=2, random_state=0
    ).fit(data.data, data.target, sensitive_features=data.group)
    assert model.certificate_.observed_violation <= 0.011
    assert not 0.05 < model.predict(data.data).mean() < 0.95
