"""Thresholds calibrated to a rate, and what is said where they cannot reach it."""

import numpy as np
import pytest
from scipy.special import expit

from fairsk.neural import ThresholdWarning
from fairsk.neural._thresholds import calibrated_log_odds, check_thresholds, fixed_log_odds

NAMES = ("toxic", "insult")


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
    for level in ("task", "system"):
        found = calibrated_log_odds(scores, Y, rule=rule, level=level, rate=rate, names=NAMES)
        flags = scores > found
        if level == "system":
            assert found[0] == found[1]
            flags, y = flags.max(axis=1, keepdims=True), Y.max(axis=1, keepdims=True)
        else:
            y = Y
        for t in range(flags.shape[1]):
            wanted = y[:, t].mean() if rule == "base_rate" else rate
            n = {"fpr": (y[:, t] == 0).sum(), "tpr": y[:, t].sum(), "base_rate": len(y)}[rule]
            reached = rates(flags[:, t], y[:, t], rule)
            assert abs(reached - wanted) <= 1 / n
            assert rule != "fpr" or reached <= rate
            assert rule != "tpr" or reached >= rate


@pytest.mark.parametrize(("rule", "reached"), [("fpr", 0.0), ("tpr", 1.0)])
def test_ties_are_reported(rule, reached):
    scores, Y = np.zeros((20, 1)), np.arange(20)[:, None] % 2
    with pytest.warns(ThresholdWarning, match="of task 'a' was to be 0.5, but the nearest"):
        found = calibrated_log_odds(scores, Y, rule=rule, level="task", rate=0.5, names=["a"])
    assert np.mean(scores > found) == reached


def test_too_few_rows_for_the_rate(data):
    scores, Y = data
    with pytest.warns(ThresholdWarning, match="of the system was to be 0.001"):
        calibrated_log_odds(scores, Y, rule="fpr", level="system", rate=0.001, names=NAMES)
    with pytest.raises(ValueError, match="task 'toxic' cannot be calibrated: no validation row is"):
        calibrated_log_odds(
            scores, np.ones_like(Y), rule="fpr", level="task", rate=0.1, names=NAMES
        )


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
        check_thresholds(*arguments)
