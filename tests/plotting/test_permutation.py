"""Permutation tests: the result that was drawn, and the marked copies."""

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import permutation_test_score

from fairsk import equalized_odds_test
from fairsk.plotting import PermutationTestDisplay

OPTIONS = {"n_permutations": 40, "random_state": 0}


def test_the_result_is_drawn(sample):
    y, probability, group = sample
    models = {"fair": probability, "unfair": probability + (group == "left")}
    tests = equalized_odds_test(y, models, sensitive_features=group, **OPTIONS)
    display = PermutationTestDisplay.from_result(tests)
    assert display.pvalue == tests.pvalue
    for name in models:
        np.testing.assert_array_equal(
            display.permuted_statistics[name], tests[name].permuted_statistics
        )
    labels = [tick.get_text() for tick in display.ax_.get_yticklabels()]
    assert labels == [f"{name}\np = {tests.pvalue[name]:.3g}" for name in models]
    assert display.ax_.get_xlabel() == "kernel partial correlation"
    again = PermutationTestDisplay.from_predictions(y, models, sensitive_features=group, **OPTIONS)
    assert again.to_frame().equals(display.to_frame())
    # The data and 40 copies a model.
    assert len(again.to_frame()) == 82


def test_the_marked_copies_are_those_of_the_p_value():
    rng = np.random.default_rng(0)
    copies = rng.normal(size=200)
    pvalue = (1 + (copies >= 1.0).sum()) / 201
    display = PermutationTestDisplay({"m": 1.0}, {"m": copies}, {"m": pvalue}).plot()
    rest, marked = [patch for patch in display.ax_.patches if hasattr(patch, "get_data")]
    heights = [np.abs(p.get_data().values - p.get_data().baseline).sum() for p in (rest, marked)]
    # Bars of both parts are on one scale, and each bar's height is its number of copies.
    assert heights[1] / sum(heights) == pytest.approx((pvalue * 201 - 1) / 200)


def test_what_an_estimator_is_tested_by(sample):
    y, probability, group = sample
    X = np.column_stack([probability, np.arange(len(y)) % 5])
    classifier, regressor = LogisticRegression().fit(X, y), LinearRegression().fit(X, y)
    display = PermutationTestDisplay.from_estimator(
        {"class": classifier, "number": regressor}, X, y, sensitive_features=group, **OPTIONS
    )
    expected = equalized_odds_test(
        y,
        {"class": classifier.predict_proba(X)[:, 1], "number": regressor.predict(X)},
        sensitive_features=group,
        **OPTIONS,
    )
    assert display.statistic == expected.statistic
    three = LogisticRegression().fit(X, np.arange(len(y)) % 3)
    one = PermutationTestDisplay.from_estimator(three, X, y, sensitive_features=group, **OPTIONS)
    assert list(one.statistic) == ["LogisticRegression"]


def test_result_of_scikit_learn(sample):
    y, probability, _ = sample
    result = permutation_test_score(
        LogisticRegression(), probability[:, None], y, n_permutations=20, cv=2, random_state=0
    )
    display = PermutationTestDisplay.from_result(result, name="a model")
    assert display.statistic["a model"] == result[0]
    assert display.pvalue["a model"] == result[2]
    assert display.ax_.get_xlabel() == "score"


def test_constant_copies_and_errors():
    display = PermutationTestDisplay({"m": 1.0}, {"m": np.zeros(20)}, {"m": 1 / 21}).plot()
    assert display.ax_.get_xlim()[0] < 0 < 1 < display.ax_.get_xlim()[1]
    with pytest.raises(ValueError, match="different models"):
        PermutationTestDisplay({"m": 1.0}, {"n": np.zeros(20)}, {"m": 0.05})
    with pytest.raises(TypeError, match="must come from equalized_odds_test"):
        PermutationTestDisplay.from_result(0.05)
