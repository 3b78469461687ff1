"""Refit rules on hand-made results: what they pick, what they refuse."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import t as student_t

from fairsk.model_selection import ParetoFront, best_within_tolerance, knee_of_front

ACCURACY = np.array([0.90, 0.85, 0.85, 0.70])
VIOLATION = np.array([0.30, 0.10, 0.08, 0.01])
# Candidate 2's violation swings between splits, the others' hardly does.
SPREAD = np.array([0.01, 0.01, 0.08, 0.01])


def results(accuracy=ACCURACY, score=-VIOLATION, spread=SPREAD):
    """Three splits whose means are `accuracy` and `score`, standard deviation `spread`."""
    table = {"params": [{"C": i} for i in range(len(accuracy))]}
    for i, shift in enumerate((-1, 0, 1)):
        table[f"split{i}_test_accuracy"] = accuracy + 0.01 * shift
        table[f"split{i}_test_violation"] = score + spread * shift
    return table


@pytest.mark.parametrize(
    ("tolerance", "chosen"),
    [(0.3, 0), (0.29, 2), (0.1, 2), (0.09, 2), (0.05, 3), (0.01, 3)],
)
def test_best_within_tolerance(tolerance, chosen):
    # 1 and 2 are equally accurate: the fairer wins. At the tolerance exactly still counts.
    table = results(spread=np.zeros(4))
    assert best_within_tolerance(tolerance)(table) == chosen


def test_upper_confidence_bound():
    table = results(score=-VIOLATION - 0.1)
    table = {k: np.minimum(v, 0) if "violation" in k else v for k, v in table.items()}
    scores = np.column_stack([table[f"split{i}_test_violation"] for i in range(3)])
    bound = -scores.mean(axis=1) + student_t.ppf(0.9, 2) * scores.std(axis=1, ddof=1) / np.sqrt(3)
    within = bound <= 0.25
    assert within.tolist() == [False, True, False, True]
    assert best_within_tolerance(0.25)(table) == 2
    assert best_within_tolerance(0.25, upper_confidence=0.9)(table) == 1


def test_infeasible_takes_the_least_violation_and_says_so():
    table = results(spread=np.zeros(4))
    with pytest.warns(UserWarning, match=r"within 0\.005; the best violation is 0\.01.*'C': 3"):
        assert best_within_tolerance(0.005)(table) == 3
    with pytest.raises(ValueError, match="Widen the grid"):
        best_within_tolerance(0.005, on_infeasible="raise")(table)


def test_ratio_bound():
    table = results(score=1 - VIOLATION, spread=np.zeros(4))
    assert best_within_tolerance(ratio_bound=0.9)(table) == 2
    assert best_within_tolerance(ratio_bound=0.7)(table) == 0
    with pytest.warns(UserWarning, match=r"at least 0\.999; the best ratio is 0\.99 "):
        assert best_within_tolerance(ratio_bound=0.999)(table) == 3
    assert "ratio_bound=0.9" in repr(best_within_tolerance(ratio_bound=0.9))


@pytest.mark.parametrize("rule", [best_within_tolerance(0.1), knee_of_front()])
def test_nan_is_refused_by_name(rule):
    table = results(spread=np.zeros(4))
    table["split1_test_violation"][1] = np.nan
    with pytest.raises(ValueError, match=r"'violation' of candidates 1\. .*sensitive_columns"):
        rule(table)
    table["split0_test_accuracy"][:] = np.nan
    with pytest.raises(ValueError, match="'accuracy' of every candidate and 'violation'"):
        rule(table)


def test_sign_that_cannot_be_is_refused():
    with pytest.raises(ValueError, match="greater_is_better=False"):
        best_within_tolerance(0.1)(results(score=VIOLATION))
    with pytest.raises(ValueError, match="not ratios"):
        best_within_tolerance(ratio_bound=0.8)(results())
    with pytest.raises(ValueError, match="no test score 'f1'"):
        best_within_tolerance(0.1, objective="f1")(results())


@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=2, max_size=12, unique=True)
)
def test_rules_agree_with_the_front(points):
    accuracy, violation = np.array(points).T / 6
    table = results(accuracy, -violation, np.zeros(len(points)))
    front = ParetoFront.from_cv_results(table, objective="accuracy", violation="violation")
    assume(len(front) > 1)
    assert best_within_tolerance(0.5 + violation.min())(table) == front.within(
        0.5 + violation.min() + 1e-12
    )
    assert knee_of_front()(table) in front.indices
    # Equal heights over the chord are told apart by rounding only: compare heights.
    heights = dict(zip(front.indices, chord_heights(front), strict=True))
    assert heights[knee_of_front()(table)] == pytest.approx(heights[front.knee()], abs=1e-9)


def chord_heights(front):
    objective, violation = front.points.T
    slope = (objective[-1] - objective[0]) / (violation[-1] - violation[0])
    return objective - objective[0] - slope * (violation - violation[0])


def test_rule_equals_the_name_of_its_objective():
    rule = best_within_tolerance(0.1, objective="f1")
    assert {"f1": 1}[rule] == 1
    assert rule != "accuracy"
    copy = pickle.loads(pickle.dumps(rule))
    assert copy == rule != best_within_tolerance(0.2, objective="f1")
    assert repr(copy) == repr(rule)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "tolerance=0.1" in repr(rule)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "either tolerance"),
        ({"tolerance": 0.1, "ratio_bound": 0.8}, "either tolerance"),
        ({"tolerance": -0.1}, "at least 0"),
        ({"tolerance": float("nan")}, "at least 0"),
        ({"ratio_bound": 0.0}, "in \\(0, 1\\]"),
        ({"tolerance": 0.1, "upper_confidence": 1.0}, "upper_confidence"),
        ({"tolerance": 0.1, "on_infeasible": "ignore"}, "on_infeasible"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        best_within_tolerance(**arguments)


def test_other_bad_arguments():
    with pytest.raises(TypeError, match="keys of the scoring dict"):
        best_within_tolerance(0.1, objective=None)
    with pytest.raises(ValueError, match="measure must be"):
        knee_of_front(measure="log")
    one_split = {k: v for k, v in results().items() if not k.startswith(("split1", "split2"))}
    with pytest.raises(ValueError, match="at least two splits"):
        best_within_tolerance(0.5, upper_confidence=0.9)(one_split)
