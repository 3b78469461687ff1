"""Thresholds calibrated to a rate, and what is said where they cannot reach it."""

import numpy as np
import pytest
from scipy.special import expit, logit

from fairsk.neural import ThresholdWarning
from fairsk.neural._thresholds import (
    calibrated_log_odds,
    check_thresholds,
    fixed_log_odds,
    system_log_odds,
)

NAMES = ("task 'toxic'", "task 'insult'")


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(400, 2))
    return scores, (rng.random((400, 2)) < expit(scores - 1)).astype(int)


def rates(flags, y, rule):
    return {
        "fpr": flags[y == 0].mean(),
        "tpr": flags[y == 1].mean(),
        "base_rate": flags.mean(),
    }[rule]


@pytest.mark.parametrize("rate", [0.05, 0.3, 0.95])
@pytest.mark.parametrize("rule", ["fpr", "tpr", "base_rate"])
def test_rates_are_reached(rule, rate, data):
    scores, Y = data
    flags = scores > calibrated_log_odds(scores, Y, rule=rule, rate=rate, names=NAMES)
    for t in range(2):
        y = Y[:, t]
        wanted = y.mean() if rule == "base_rate" else rate
        n = {"fpr": (y == 0).sum(), "tpr": y.sum(), "base_rate": len(y)}[rule]
        reached = rates(flags[:, t], y, rule)
        assert abs(reached - wanted) <= 1 / n
        assert rule != "fpr" or reached <= rate
        assert rule != "tpr" or reached >= rate


@pytest.mark.parametrize(("rule", "reached"), [("fpr", 0.0), ("tpr", 1.0)])
def test_ties_are_reported(rule, reached):
    scores, Y = np.zeros((20, 1)), np.arange(20)[:, None] % 2
    with pytest.warns(ThresholdWarning, match="of task 'a' was to be 0.5, but the nearest"):
        found = calibrated_log_odds(scores, Y, rule=rule, rate=0.5, names=["task 'a'"])
    assert np.mean(scores > found) == reached


def test_too_few_rows_for_the_rate(data):
    scores, Y = data
    with pytest.warns(ThresholdWarning, match="of task 'toxic' was to be 0.001"):
        calibrated_log_odds(scores[:, :1], Y[:, :1], rule="fpr", rate=0.001, names=NAMES[:1])
    with pytest.raises(ValueError, match="task 'toxic' cannot be calibrated: no validation row is"):
        calibrated_log_odds(scores, np.ones_like(Y), rule="fpr", rate=0.1, names=NAMES)


def test_fixed():
    np.testing.assert_allclose(expit(fixed_log_odds(0.3, 2)), [0.3, 0.3])
    np.testing.assert_allclose(expit(fixed_log_odds([0.3, 0.6], 2)), [0.3, 0.6])
    np.testing.assert_array_equal(fixed_log_odds("fpr", 2), [0, 0])
    with pytest.raises(ValueError, match="thresholds has 3 values, but there are 2 tasks"):
        fixed_log_odds([0.1, 0.2, 0.3], 2)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ((0.0, "task", 0.1), "must be probabilities in"),
        (([0.5, 1.0], "task", 0.1), "must be probabilities in"),
        ((None, "task", 0.1), "must be probabilities in"),
        (("f1", "task", 0.1), "one of \\['fpr', 'tpr', 'base_rate'\\]"),
        (("fpr", "group", 0.1), "threshold_level must be one of"),
        (("fpr", "task", 1.5), "target_rate is the false positive rate to reach"),
    ],
)
def test_bad_settings(arguments, match):
    with pytest.raises(ValueError, match=match):
        check_thresholds(*arguments, "max")


@pytest.mark.parametrize(("thresholds", "level"), [("fpr", "task"), ([0.3, 0.4], "system")])
def test_one_probability_needs_one_threshold(thresholds, level):
    check_thresholds(thresholds, level, 0.1, "max")
    check_thresholds([0.3], "task", 0.1, "noisy_or")
    check_thresholds("tpr", "system", 0.1, "noisy_or")
    with pytest.raises(ValueError, match="needs one threshold, but"):
        check_thresholds(thresholds, level, 0.1, "noisy_or")


def test_system_of_independent_tasks(data):
    scores, _ = data
    found = system_log_odds(scores, "noisy_or")
    np.testing.assert_allclose(expit(found), 1 - np.prod(1 - expit(scores), axis=1))
    np.testing.assert_array_equal(system_log_odds(scores, "max"), scores.max(axis=1))
    np.testing.assert_array_equal(system_log_odds(scores[:, :1], "noisy_or"), scores[:, 0])
    # Where probabilities are too near zero or one to be told from them.
    far = np.array([[-50.0, -50.0], [50.0, 50.0], [-2000.0, -2000.0], [2000.0, -2000.0]])
    with np.errstate(all="raise", under="ignore"):
        found = system_log_odds(far, "noisy_or")
    np.testing.assert_allclose(found[:2], [-50 + np.log(2), 100.0])
    assert found[2] < -700 and found[3] == 2000.0
    assert system_log_odds(logit([[0.5, 0.2]]), "noisy_or")[0] == pytest.approx(logit(0.6))
