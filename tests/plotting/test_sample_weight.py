"""Weights by cell of label and group."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fairsk import InfluenceReweighter
from fairsk.plotting import SampleWeightDisplay


def test_cells_shares_and_quantiles(sample):
    y, weight, group = sample
    display = SampleWeightDisplay.from_weights(weight, y, sensitive_features=group)
    assert display.cells == [(y_, a) for a in ("left", "middle", "right") for y_ in (0, 1)]
    assert display.n_unknown == 10
    known = np.array([a is not None for a in group])
    for i, (label, name) in enumerate(display.cells):
        mine = (y == label) & (group == name)
        assert display.counts[i] == mine.sum()
        assert display.mean[i] == pytest.approx(weight[mine].mean())
        assert display.weight_share[i] == pytest.approx(weight[mine].sum() / weight[known].sum())
        np.testing.assert_allclose(
            display.quantiles[i], np.quantile(weight[mine], [0.01, 0.25, 0.5, 0.75, 0.99])
        )
    bars = display.ax_.patches
    np.testing.assert_allclose([bar.get_x() for bar in bars], display.quantiles[:, 1])
    assert "10 rows of unknown group" in display.ax_.get_xlabel()


def test_of_a_fitted_reweighter_in_a_pipeline():
    rng = np.random.default_rng(0)
    group = rng.choice(["a", "b"], 400)
    X = rng.normal(size=(400, 2)) + (group == "a")[:, None]
    y = np.where(X[:, 0] + rng.normal(size=400) > 0.5, "yes", "no")
    model = InfluenceReweighter(LogisticRegression()).fit(X, y, sensitive_features=group)
    display = SampleWeightDisplay.from_estimator(model, X, y, sensitive_features=group)
    assert (display.mean * display.counts).sum() == pytest.approx(model.sample_weight_.sum())
    pipeline = make_pipeline(StandardScaler(), model)
    pipeline.steps[0][1].fit(X)
    again = SampleWeightDisplay.from_estimator(pipeline, X, y, sensitive_features=group)
    np.testing.assert_array_equal(again.mean, display.mean)
    with pytest.raises(ValueError, match="trained on 400 rows, but y has 399"):
        SampleWeightDisplay.from_estimator(model, X[1:], y[1:], sensitive_features=group[1:])


def test_errors():
    with pytest.raises(TypeError, match="has no sample_weight_"):
        SampleWeightDisplay.from_estimator(
            LogisticRegression(), [[0]], [0], sensitive_features=["a"]
        )
    with pytest.raises(ValueError, match="1-D of one length"):
        SampleWeightDisplay.from_weights([1, 1], [0], sensitive_features=["a"])
    with pytest.raises(ValueError, match="missing"):
        SampleWeightDisplay.from_weights([1.0], [0], sensitive_features=[None])
