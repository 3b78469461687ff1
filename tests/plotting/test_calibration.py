"""Calibration by group against bins counted by hand."""

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.linear_model import LogisticRegression

from fairsk.plotting import GroupCalibrationDisplay


def by_hand(y, probability, group, n_bins, weight):
    """Means of the quantile bins of each group, row by row."""
    cells = {}
    for name in sorted(set(group) - {None}):
        mine = [i for i in range(len(y)) if group[i] == name and weight[i] > 0]
        edges = np.quantile(probability[mine], np.linspace(0, 1, n_bins + 1))[1:-1]
        for i in mine:
            cells.setdefault((name, int((probability[i] >= edges).sum())), []).append(i)
    return {
        cell: tuple(np.average(v[rows], weights=weight[rows]) for v in (probability, y))
        + (len(rows),)
        for cell, rows in cells.items()
    }


@pytest.mark.parametrize("weighted", [False, True])
def test_bins_are_those_counted_by_hand(sample, weighted):
    y, probability, group = sample
    weight = np.arange(len(y)) % 4 * 0.5 if weighted else None
    display = GroupCalibrationDisplay.from_predictions(
        y, probability, sensitive_features=group, n_bins=5, sample_weight=weight
    )
    expected = by_hand(y, probability, group, 5, np.ones(len(y)) if weight is None else weight)
    assert len(expected) == 15
    for (name, b), (predicted, observed, count) in expected.items():
        a = display.group_labels.index(name)
        assert display.predicted[a, b] == pytest.approx(predicted)
        assert display.observed[a, b] == pytest.approx(observed)
        assert display.counts[a, b] == count
        assert display.lower[a, b] <= observed <= display.upper[a, b]


def test_intervals_hold_together(sample):
    """Wider than Wilson's interval of each bin on its own, and not absurdly so."""
    y, probability, group = sample
    display = GroupCalibrationDisplay.from_predictions(y, probability, sensitive_features=group)
    for a in range(3):
        for b in range(8):
            rows = int(display.counts[a, b])
            hits = round(display.observed[a, b] * rows)
            alone = binomtest(hits, rows).proportion_ci(0.95, method="wilson")
            ratio = (display.upper - display.lower)[a, b] / (alone.high - alone.low)
            # Of 24 independent intervals each is at 3.1 standard errors instead of 1.96.
            assert 1.2 < ratio < 1.9


def test_equal_probabilities_stay_together():
    probability = np.repeat([0.2, 0.8], 50)
    y = np.tile([0, 1], 50)
    display = GroupCalibrationDisplay.from_predictions(
        y, probability, sensitive_features=np.tile(["a", "a", "b", "b"], 25), n_bins=4
    )
    assert (display.counts > 0).sum(axis=1).tolist() == [2, 2]
    seen = display.counts > 0
    np.testing.assert_allclose(display.predicted[seen], [0.2, 0.8, 0.2, 0.8])
    assert len(display.errorbars_[0][0].get_xdata()) == 2


def test_calibration_error_by_hand():
    display = GroupCalibrationDisplay.from_predictions(
        [0, 0, 1, 1, 0, 1],
        [0.1, 0.1, 0.9, 0.9, 0.5, 0.5],
        sensitive_features=list("aaaabb"),
        n_bins=2,
        strategy="uniform",
    )
    np.testing.assert_allclose(display.calibration_error, [0.1, 0.0])


def test_from_estimator_takes_the_class_asked_for(sample):
    y, probability, group = sample
    X, labels = probability[:, None], np.where(y == 1, "yes", "no")
    model = LogisticRegression().fit(X, labels)
    of_yes = GroupCalibrationDisplay.from_estimator(model, X, labels, sensitive_features=group)
    of_no = GroupCalibrationDisplay.from_estimator(
        model, X, labels, sensitive_features=group, pos_label="no"
    )
    np.testing.assert_allclose(
        np.nansum(of_yes.observed * of_yes.counts, axis=1)
        + np.nansum(of_no.observed * of_no.counts, axis=1),
        of_yes.counts.sum(axis=1),
    )
    with pytest.raises(ValueError, match="is not one of the classes"):
        GroupCalibrationDisplay.from_estimator(
            model, X, labels, sensitive_features=group, pos_label="maybe"
        )


def test_errors(sample):
    y, probability, group = sample
    settings = {"sensitive_features": group}
    with pytest.raises(ValueError, match="strategy must be one of"):
        GroupCalibrationDisplay.from_predictions(y, probability, strategy="equal", **settings)
    with pytest.raises(ValueError, match="at least 1"):
        GroupCalibrationDisplay.from_predictions(y, probability, n_bins=0, **settings)
    with pytest.raises(ValueError, match="must hold probabilities"):
        GroupCalibrationDisplay.from_predictions(y, 3 * probability, **settings)
    X, three = probability[:, None], np.arange(len(y)) % 3
    with pytest.raises(ValueError, match="must have two classes, it has 3"):
        GroupCalibrationDisplay.from_estimator(
            LogisticRegression().fit(X, three), X, three, **settings
        )
