"""Trade-offs: from searches, fronts, paths, arrays and predictions."""

import numpy as np
import pytest
from sklearn import config_context
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score

from fairsk import (
    BayesOptimalFairPostProcessor,
    FairGridSearchCV,
    ParetoFront,
    disparity_intervals,
    make_aware_scorer,
    make_fairness_scorer,
)
from fairsk.plotting import TradeOffCurve, TradeOffDisplay

OPTIONS = {"n_resamples": 200}


@pytest.fixture(scope="module")
def fitted():
    rng = np.random.default_rng(0)
    group = rng.choice(["a", "b"], 600)
    X = rng.normal(size=(600, 2)) + (group == "a")[:, None] * [1.0, 0.0]
    y = (X[:, 0] + rng.normal(size=600) > 0.5).astype(int)
    model = BayesOptimalFairPostProcessor(
        LogisticRegression(), attribute_aware=True, cv=2, random_state=0
    ).fit(X, y, sensitive_features=group)
    return model, X, y, group


def test_a_path_by_its_figures(fitted):
    model, *_ = fitted
    path = model.path([0.1, 0.01, 0.05])
    for figures in ("observed", "expected"):
        display = TradeOffDisplay.from_results(path, figures=figures, name="path")
        curve = display.curves["path"]
        np.testing.assert_array_equal(curve.objective, getattr(path, f"{figures}_accuracy"))
        np.testing.assert_array_equal(curve.violation, getattr(path, f"{figures}_violation"))
        # Drawn in order of violation, whatever the order of the bounds.
        drawn = display.lines_["path"].get_xdata()
        np.testing.assert_array_equal(drawn, np.sort(curve.violation))
    certificate = path.estimators[1].certificate_
    assert (
        TradeOffDisplay.from_results(path).curves["model"].violation_lower[1]
        == (certificate.interval[0])
    )


def test_ratios_are_drawn_as_distances_from_one(fitted):
    model, X, y, group = fitted
    ratio = BayesOptimalFairPostProcessor(
        LogisticRegression(), measure="ratio", attribute_aware=True, cv=2, random_state=0
    ).fit(X, y, sensitive_features=group)
    path = ratio.path([0.7, 0.9])
    curve = TradeOffDisplay.from_results(path).curves["model"]
    np.testing.assert_allclose(curve.violation, 1 - path.observed_violation)
    assert (curve.violation_lower <= curve.violation).all()
    assert (curve.violation <= curve.violation_upper).all()
    labels = model.predict(X, sensitive_features=group)
    drawn = TradeOffDisplay.from_predictions(
        y, labels, sensitive_features=group, measure="ratio", **OPTIONS
    ).curves["model"]
    report = disparity_intervals(y, labels, sensitive_features=group, measure="ratio", **OPTIONS)
    assert drawn.violation[0] == pytest.approx(1 - report.worst)
    assert drawn.violation_lower[0] == pytest.approx(1 - report.worst_upper)
    assert drawn.violation_upper[0] == pytest.approx(1 - report.worst_lower)


def test_a_search_and_its_front(fitted):
    model, X, y, group = fitted
    with config_context(enable_metadata_routing=True):
        search = FairGridSearchCV(
            model,
            {"tolerance": [0.01, 0.05, 0.2]},
            scoring={
                "accuracy": make_aware_scorer("accuracy"),
                "parity": make_fairness_scorer("demographic_parity"),
            },
            refit=False,
            cv=2,
        ).fit(X, y, sensitive_features=group)
    front = ParetoFront.from_cv_results(
        search.cv_results_, objective="accuracy", violation="parity"
    )
    frames = [
        TradeOffDisplay.from_results(result, violation="parity").to_frame()
        for result in (search, search.cv_results_, front)
    ]
    for frame in frames:
        np.testing.assert_array_equal(frame["violation"], front.violation)
        np.testing.assert_array_equal(frame["objective"], front.objective)
        assert set(np.flatnonzero(frame["efficient"])) == set(front.indices)
    # 1.96 standard errors over the two folds; the lower end cannot pass parity.
    np.testing.assert_allclose(
        frames[0]["objective_upper"] - front.objective, 1.959964 * front.objective_error, rtol=1e-6
    )
    assert (frames[0]["violation_lower"] >= 0).all()


def test_dominated_candidates_are_hollow():
    curve = TradeOffCurve.of([0.9, 0.8, 0.7], [0.2, 0.1, 0.15])
    display = TradeOffDisplay({"search": curve}).plot()
    np.testing.assert_array_equal(display.lines_["search"].get_xdata(), [0.1, 0.2])
    hollow = [line for line in display.ax_.lines if line.get_markerfacecolor() == "none"]
    np.testing.assert_array_equal(hollow[0].get_xdata(), [0.15])
    path = TradeOffCurve.of([0.9, 0.8, 0.7], [0.2, 0.1, 0.15], is_path=True)
    display = TradeOffDisplay({"path": path}).plot()
    np.testing.assert_array_equal(display.lines_["path"].get_xdata(), [0.1, 0.15, 0.2])


def test_front_of_all_methods():
    display = TradeOffDisplay(
        {
            "a": TradeOffCurve.of([0.9, 0.8], [0.2, 0.1]),
            "b": TradeOffCurve.of([0.85, 0.7], [0.1, 0.05]),
        }
    ).plot(front=True, tolerance=0.1)
    assert display.front_.indices.tolist() == [3, 2, 0]
    steps = [line for line in display.ax_.lines if line.get_label() == "Pareto front of all"]
    assert steps[0].get_drawstyle() == "steps-post"
    np.testing.assert_array_equal(steps[0].get_ydata(), [0.7, 0.85, 0.9, 0.9])
    at = [line for line in display.ax_.lines if line.get_label() == "tolerance 0.1"]
    assert at[0].get_xdata()[0] == 0.1


def test_estimators_paths_and_labels_agree(fitted):
    model, X, y, group = fitted
    path = model.path([0.02, 0.1])
    labels = [point.predict(X, sensitive_features=group) for point in path.estimators]
    settings = {"sensitive_features": group, **OPTIONS}
    for given in (path, list(path.estimators)):
        display = TradeOffDisplay.from_estimator({"m": given}, X, y, **settings)
        other = TradeOffDisplay.from_predictions(y, {"m": np.array(labels)}, **settings)
        assert display.to_frame().equals(other.to_frame())
        assert display.curves["m"].is_path
    one = TradeOffDisplay.from_estimator(model, X, y, **settings)
    assert list(one.curves) == ["BayesOptimalFairPostProcessor"]
    assert not one.curves["BayesOptimalFairPostProcessor"].is_path


def test_weights_and_other_objectives(fitted):
    model, X, y, group = fitted
    labels, weight = model.predict(X, sensitive_features=group), np.arange(len(y)) % 3 + 1.0
    settings = {"sensitive_features": group, **OPTIONS}
    weighted = TradeOffDisplay.from_predictions(y, labels, sample_weight=weight, **settings)
    curve = weighted.curves["model"]
    assert curve.objective[0] == pytest.approx(np.average(y == labels, weights=weight))
    # Kish's effective number of rows is what a weighted mean has for its standard error.
    effective = weight.sum() ** 2 / (weight**2).sum()
    p = curve.objective[0]
    half = 1.959964 * np.sqrt(p * (1 - p) / effective)
    assert curve.objective_upper[0] - p == pytest.approx(half, rel=1e-6)
    other = TradeOffDisplay.from_predictions(
        y, labels, objective=balanced_accuracy_score, **settings
    )
    assert other.curves["model"].objective[0] == balanced_accuracy_score(y, labels)
    assert np.isnan(other.curves["model"].objective_lower).all()
    assert other.ax_.get_ylabel() == "balanced accuracy score"


def test_errors(fitted):
    model, *_ = fitted
    with pytest.raises(TypeError, match="A trade-off is drawn from"):
        TradeOffDisplay.from_results(3)
    with pytest.raises(ValueError, match="figures must be one of"):
        TradeOffDisplay.from_results(model.path([0.1]), figures="best")
    with pytest.raises(ValueError, match="1-D of one length"):
        TradeOffDisplay.from_results(([0.9, 0.8], [0.1]))
    with pytest.raises(ValueError, match="at least 0"):
        TradeOffDisplay.from_results(([0.9], [-0.1]))
    with pytest.raises(ValueError, match=r"violation_interval must have shape \(2, 2\)"):
        TradeOffCurve.of([0.9, 0.8], [0.1, 0.2], violation_interval=[0.1, 0.2])
    with pytest.raises(ValueError, match="no curve to draw"):
        TradeOffDisplay({})
