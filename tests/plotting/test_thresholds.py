"""Thresholds: the rule's own, those that labels show, and margins."""

import numpy as np
import pytest
from sklearn import config_context
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fairsk import BayesOptimalFairPostProcessor
from fairsk.plotting import ThresholdsDisplay


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(1)
    group = rng.choice(["a", "b", "c"], 900, p=[0.5, 0.3, 0.2])
    X = rng.normal(size=(900, 3)) + (group == "a")[:, None] * [1.0, 0.0, 0.5]
    y = np.where(X[:, 0] + rng.normal(size=900) > 0.5, "yes", "no")
    return X, y, group


def fit(data, **options):
    X, y, group = data
    model = BayesOptimalFairPostProcessor(
        LogisticRegression(), tolerance=0.03, cv=2, random_state=0, **options
    )
    return model.fit(X, y, sensitive_features=group)


@pytest.mark.parametrize("notion", ["demographic_parity", "equal_opportunity", "equalized_odds"])
def test_aware_thresholds_decide(data, notion):
    X, _, group = data
    model = fit(data, notion=notion, attribute_aware=True)
    display = ThresholdsDisplay.from_estimator(model, X, sensitive_features=group)
    assert display.kind == "thresholds"
    at = display.thresholds[display.codes]
    selected = model.predict(X, sensitive_features=group) == "yes"
    away = np.abs(display.posterior - at) > 1e-9
    np.testing.assert_array_equal(selected[away], (display.posterior > at)[away])
    shown = [line.get_xdata()[0] for line in display.ax_.lines if line.get_linewidth() == 2]
    np.testing.assert_allclose(shown, display.thresholds)


def test_labels_show_the_same_thresholds(data):
    X, _, group = data
    model = fit(data, attribute_aware=True)
    exact = ThresholdsDisplay.from_estimator(model, X, sensitive_features=group)
    found = ThresholdsDisplay.from_predictions(
        exact.posterior, model.predict(X, sensitive_features=group), sensitive_features=group
    )
    for a in range(3):
        near = np.sort(np.abs(exact.posterior[exact.codes == a] - exact.thresholds[a]))[1]
        # Between the two probabilities around it.
        assert abs(found.thresholds[a] - exact.thresholds[a]) <= near
    np.testing.assert_array_equal(found.selected, exact.selected)


def test_a_blind_rule_has_margins_and_no_group_thresholds(data):
    X, _, group = data
    model = fit(data)
    display = ThresholdsDisplay.from_estimator(model, X, sensitive_features=group)
    assert display.kind == "regions"
    assert np.isnan(display.thresholds).all()
    np.testing.assert_array_equal(display.margin, model.decision_function(X))
    np.testing.assert_array_equal(display.margin > 0, display.selected)
    drawn = np.concatenate(
        [line.get_ydata() for line in display.ax_.lines if line.get_linestyle() == "None"]
    )
    assert sorted(drawn) == sorted(display.margin)
    few = display.plot(max_points=100)
    drawn = sum(len(line.get_ydata()) for line in few.ax_.lines if line.get_linestyle() == "None")
    assert 50 < drawn <= 100
    other = ThresholdsDisplay.from_estimator(model, X, sensitive_features=group, kind="thresholds")
    assert not other.ax_.texts


def test_inside_a_pipeline_and_with_columns(data):
    X, y, group = data
    inner = BayesOptimalFairPostProcessor(
        LogisticRegression(), attribute_aware=True, cv=2, random_state=0
    )
    with config_context(enable_metadata_routing=True):
        pipeline = make_pipeline(StandardScaler(), inner).fit(X, y, sensitive_features=group)
        display = ThresholdsDisplay.from_estimator(pipeline, X, sensitive_features=group)
        selected = pipeline.predict(X, sensitive_features=group) == "yes"
    np.testing.assert_array_equal(display.selected, selected)
    wide = np.column_stack([X, group == "a"]).astype(float)
    columns = BayesOptimalFairPostProcessor(
        LogisticRegression(), attribute_aware=True, sensitive_columns=[3], cv=2, random_state=0
    ).fit(wide, y)
    display = ThresholdsDisplay.from_estimator(columns, wide, sensitive_features=wide[:, 3])
    np.testing.assert_array_equal(display.selected, columns.predict(wide) == "yes")


def test_errors(data):
    X, y, group = data
    with pytest.raises(TypeError, match="has no row_thresholds"):
        ThresholdsDisplay.from_estimator(
            LogisticRegression().fit(X, y), X, sensitive_features=group
        )
    with pytest.raises(ValueError, match="kind must be one of"):
        ThresholdsDisplay.from_estimator(fit(data), X, sensitive_features=group, kind="all")
    with pytest.raises(ValueError, match="needs the margin of each row"):
        ThresholdsDisplay(
            np.array([0.5]),
            np.array([True]),
            np.array([0]),
            ("a",),
            np.array([0.5]),
            kind="regions",
        )


def test_scores_that_are_no_probabilities_and_overlapping_decisions():
    score = np.array([-3.0, -1.0, 2.0, 4.0, -2.0, 1.0, 0.0, 5.0])
    label = np.array([0, 0, 1, 1, 1, 0, 0, 1])
    group = np.repeat(["whole", "mixed"], 4)
    display = ThresholdsDisplay.from_predictions(score, label, sensitive_features=group)
    assert display.group_labels == ("mixed", "whole")
    np.testing.assert_array_equal(display.thresholds, [np.nan, 0.5])
    assert display.ax_.get_xlabel() == "score"
    assert display.ax_.get_xlim() == (-3.0, 5.0)
    assert display.to_frame()["selection_rate"].tolist() == [0.5, 0.5]
