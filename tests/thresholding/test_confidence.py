"""`confidence`: the promise is kept in simulation, and refused where it cannot be."""

from __future__ import annotations

import re

import numpy as np
import pytest

from fairsk import BayesOptimalFairPostProcessor
from fairsk.solvers import InfeasibleConstraintsError
from tests.thresholding._known import Population, simulate

N_REPETITIONS = 40
N_ROWS = 1500
# Binds for the models of this distribution, and leaves room for the sampling error of 1,500 rows.
TOLERANCE = {"demographic_parity": 0.1, "equal_opportunity": 0.14}


@pytest.fixture(scope="module")
def population():
    return Population(30_000)


@pytest.mark.parametrize(
    ("notion", "aware"), [("demographic_parity", True), ("equal_opportunity", False)]
)
def test_coverage(notion, aware, population):
    tolerance = TOLERANCE[notion]
    kept = {None: 0, 0.95: 0}
    given = {"sensitive_features": population.group} if aware else {}
    for seed in range(N_REPETITIONS):
        data = simulate(N_ROWS, seed)
        model = BayesOptimalFairPostProcessor(
            notion=notion, tolerance=tolerance, attribute_aware=aware, cv=2, random_state=seed
        ).fit(data.data, data.target, sensitive_features=data.group)
        for confidence in kept:
            point = model.set_params(confidence=confidence).path([tolerance]).estimators[0]
            decision = point.selection_probability(population.X, **given)
            kept[confidence] += population.violation(notion, decision) <= tolerance
    error = np.sqrt(0.95 * 0.05 / N_REPETITIONS)
    assert kept[0.95] / N_REPETITIONS >= 0.95 - 3 * error
    # Aiming at the bound itself misses it about half of the time: the simulation can fail.
    assert kept[None] / N_REPETITIONS < 0.95 - 3 * error


@pytest.mark.parametrize("aware", [True, False], ids=["aware", "blind"])
@pytest.mark.parametrize("notion", ["demographic_parity", "equal_opportunity", "equalized_odds"])
def test_margin_is_kept_on_the_tuning_sample(notion, aware):
    data = simulate(N_ROWS, 1)
    model = BayesOptimalFairPostProcessor(
        notion=notion, tolerance=0.15, confidence=0.9, attribute_aware=aware, cv=3, random_state=0
    ).fit(data.data, data.target, sensitive_features=data.group)
    certificate = model.certificate_
    assert certificate.confidence == certificate.interval_confidence == 0.9
    assert "with confidence 0.9" in str(certificate)
    # The two-sided interval of the violation is wider than the margin, of one side.
    assert certificate.observed_violation < 0.15 < certificate.interval[1] + 0.02


def test_more_confidence_is_a_wider_margin():
    data = simulate(N_ROWS, 2)
    model = BayesOptimalFairPostProcessor(tolerance=0.12, attribute_aware=True, cv=3)
    model.fit(data.data, data.target, sensitive_features=data.group)
    observed = [
        model.set_params(confidence=level).path([0.12]).observed_violation[0]
        for level in (None, 0.7, 0.9, 0.99)
    ]
    assert (np.diff(observed) < 0).all()


@pytest.mark.parametrize("aware", [True, False], ids=["aware", "blind"])
@pytest.mark.parametrize("notion", ["demographic_parity", "equal_opportunity"])
def test_promise_that_cannot_be_kept(notion, aware):
    data = simulate(400, 3)
    model = BayesOptimalFairPostProcessor(
        notion=notion,
        tolerance=0.01,
        confidence=0.95,
        attribute_aware=aware,
        cv=3,
        random_state=0,
    )
    fit = {"X": data.data, "y": data.target, "sensitive_features": data.group}
    with pytest.raises(InfeasibleConstraintsError, match="cannot be promised") as caught:
        model.fit(**fit)
    found = re.search(
        r"smallest tolerance found that it can promise is ([\d.]+)\. ", str(caught.value)
    )
    smallest = float(found.group(1))
    assert 0.01 < smallest < 0.3
    assert caught.value.smallest_relaxation > 0
    for factor in (1, 1.01):
        certificate = model.set_params(tolerance=factor * smallest).fit(**fit).certificate_
        assert certificate.observed_violation < smallest


def test_ratio_that_cannot_be_promised():
    data = simulate(400, 3)
    fit = {"X": data.data, "y": data.target, "sensitive_features": data.group}
    model = BayesOptimalFairPostProcessor(
        measure="ratio", ratio_bound=0.99, confidence=0.95, cv=3, random_state=0
    )
    with pytest.raises(InfeasibleConstraintsError, match="ratio_bound=0.99 cannot") as caught:
        model.fit(**fit)
    largest = float(re.search(r"it can promise is ([\d.]+)\. ", str(caught.value)).group(1))
    assert 0.3 < largest < 0.99
    assert (
        model.set_params(ratio_bound=largest).fit(**fit).certificate_.observed_violation > largest
    )
