"""Training histories: networks, rounds of multipliers, rounds of weights."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fairsk import FairCostSensitiveClassifier, FairICPClassifier, InfluenceReweighter
from fairsk.plotting import TrainingHistoryDisplay


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    group = rng.choice(["a", "b"], 300)
    X = rng.normal(size=(300, 2)) + (group == "a")[:, None]
    y = (X[:, 0] + rng.normal(size=300) > 0.5).astype(int)
    return X, y, group


def test_a_network(data):
    X, y, group = data
    model = FairICPClassifier(
        mu=0.5, max_epochs=6, batch_size=64, early_stopping=True, patience=5, random_state=0
    )
    pipeline = make_pipeline(StandardScaler(), model)
    pipeline.fit(X, y, fairicpclassifier__sensitive_features=group)
    display = TrainingHistoryDisplay.from_estimator(pipeline)
    assert display.panels["loss"] == ["loss", "validation_loss"]
    assert display.panels["penalty"] == ["penalty", "validation_penalty"]
    np.testing.assert_array_equal(display.series["loss"], model.loss_curve_)
    np.testing.assert_array_equal(
        display.lines_["loss"].get_xdata(), np.arange(1, model.n_iter_ + 1)
    )
    kept = [line for line in display.ax_.lines if line.get_linestyle() == "--"]
    assert model.best_epoch_ + 1 in [line.get_xdata()[0] for line in kept]
    at = display.axes_[list(display.panels).index("discriminator_loss")]
    assert np.log(2) in [line.get_ydata()[0] for line in at.lines]
    assert display.axes_[-1].get_xlabel() == "epoch"


def test_rounds_of_multipliers_and_of_weights(data):
    X, y, group = data
    trained = FairCostSensitiveClassifier(
        LogisticRegression(), tolerance=0.1, cv=2, max_updates=2, random_state=0
    ).fit(X, y, sensitive_features=group)
    display = TrainingHistoryDisplay.from_estimator(trained)
    assert list(display.series) == ["violation", "accuracy"]
    assert display.series["violation"].tolist() == [u.violation for u in trained.history_]
    assert display.lines_["violation"].get_xdata()[0] == 0
    multipliers = TrainingHistoryDisplay.from_estimator(trained, quantities=["multipliers"])
    assert list(multipliers.series) == ["multipliers[0]", "multipliers[1]"]
    assert len(multipliers.axes_) == 1
    weighted = InfluenceReweighter(LogisticRegression(), n_rounds=2, l2=1e-3)
    weighted.fit(X, y, sensitive_features=group)
    display = TrainingHistoryDisplay.from_estimator(weighted)
    assert list(display.panels) == ["gap"]
    assert f"achieved_gap[{weighted.gap_names_[0]}]" in display.series


def test_axes_given():
    history = [{"loss": 1.0, "penalty": 0.5}, {"loss": 0.5, "penalty": 0.4}]
    one = TrainingHistoryDisplay.from_history(history, ax=Figure().subplots())
    assert len(one.axes_) == 1
    assert set(one.lines_) == {"loss", "penalty"}
    assert one.ax_.get_ylabel() == "value"
    axes = Figure().subplots(2)
    two = TrainingHistoryDisplay.from_history(history, ax=axes)
    assert list(two.axes_) == list(axes)
    with pytest.raises(ValueError, match="There are 2 panels"):
        TrainingHistoryDisplay.from_history(history, ax=Figure().subplots(3))


def test_what_stays_the_same_is_left_out_unless_asked_for():
    history = [{"loss": 1.0, "penalty": 0.5}, {"loss": 0.5, "penalty": 0.5}]
    assert list(TrainingHistoryDisplay.from_history(history).series) == ["loss"]
    asked = TrainingHistoryDisplay.from_history(history, quantities=["penalty"])
    assert list(asked.series) == ["penalty"]


def test_errors(data):
    X, y, _ = data
    with pytest.raises(ValueError, match="has no history_ to draw"):
        TrainingHistoryDisplay.from_estimator(LogisticRegression().fit(X, y))
    with pytest.raises(ValueError, match="has no 'loss'"):
        TrainingHistoryDisplay.from_history([{"a": 1.0}], quantities=["loss"])
    with pytest.raises(ValueError, match="quantities is empty"):
        TrainingHistoryDisplay.from_history([{"a": 1.0}], quantities=[])
