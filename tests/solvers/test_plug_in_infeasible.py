"""Infeasible constraints, their smallest relaxation, and bad input."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from _problems import aware_problem, blind_problem
from naive_plug_in import whole_relaxation
from numpy.testing import assert_allclose

from fairsk.solvers import (
    InfeasibleConstraintsError,
    _plug_in,
    solve_plug_in,
    solve_plug_in_path,
)

GOOD = {
    "scores": [0.1, -0.2, 0.3],
    "basis": np.arange(6.0).reshape(3, 2),
    "contrasts": np.eye(2),
    "lower": -1.0,
    "upper": 9.0,
}


@pytest.mark.parametrize("make", [aware_problem, blind_problem])
@pytest.mark.parametrize(("n", "shift"), [(211, 0.9), (4001, 0.6), (60_011, 0.6)])
def test_smallest_relaxation(make, n, shift):
    scores, basis, contrasts, lower, upper = make(0, n, 5, 0.05)
    # One group is asked to be far above the population, the others near it.
    lower[1], upper[1] = shift, shift + 0.1
    with pytest.raises(InfeasibleConstraintsError, match="relaxed by 0") as caught:
        solve_plug_in(scores, basis, contrasts, lower, upper)
    found = caught.value.smallest_relaxation
    # The reference is HiGHS on the whole program, within 1e-7 per row of weight 1.
    assert_allclose(found, whole_relaxation(basis, contrasts, lower, upper), atol=1e-7)
    relaxed = solve_plug_in(scores, basis, contrasts, lower - found - 1e-8, upper + found + 1e-8)
    assert relaxed.violation <= 1e-9
    again = pickle.loads(pickle.dumps(caught.value))
    assert again.smallest_relaxation == found and str(again) == str(caught.value)


@pytest.mark.parametrize("n", [211, 60_011])
def test_relaxation_is_found_when_asked_for(n, monkeypatch):
    scores, basis, contrasts, lower, upper = blind_problem(0, n, 5, 0.05)
    lower[1], upper[1] = 0.6, 0.7
    crossed = lower.copy()
    crossed[0] = upper[0] + 0.3
    monkeypatch.setattr(_plug_in, "smallest_relaxation", None)
    for low in (lower, crossed):
        with pytest.raises(InfeasibleConstraintsError, match="^No decision rule") as caught:
            solve_plug_in(scores, basis, contrasts, low, upper, find_relaxation=False)
        assert np.isnan(caught.value.smallest_relaxation)


def test_crossed_bounds_are_infeasible():
    scores, basis, contrasts, lower, upper = blind_problem(1, 307, 3, 0.05)
    lower[0] = upper[0] + 0.3
    with pytest.raises(InfeasibleConstraintsError) as caught:
        solve_plug_in(scores, basis, contrasts, lower, upper)
    expected = whole_relaxation(basis, contrasts, lower, upper)
    assert expected >= 0.15 - 1e-7  # half the distance between the bounds
    assert_allclose(caught.value.smallest_relaxation, expected, atol=1e-7)


def test_barely_infeasible_and_barely_feasible():
    # The moment of the single column is at most its mean over the positive entries.
    rng = np.random.default_rng(2)
    basis = rng.normal(size=(5003, 1))
    highest = np.maximum(basis, 0).mean()
    scores = rng.normal(size=5003)
    at_limit = solve_plug_in(scores, basis, [[1.0]], highest - 1e-7, np.inf)
    assert at_limit.violation <= 1e-9
    with pytest.raises(InfeasibleConstraintsError) as caught:
        solve_plug_in(scores, basis, [[1.0]], highest + 1e-7, np.inf)
    # Rounding of a mean of 5,003 terms and HiGHS's 1e-10.
    assert_allclose(caught.value.smallest_relaxation, 1e-7, atol=1e-9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scores": [0.1, np.nan, 0.3]}, "scores contains NaN"),
        ({"scores": [[0.1], [0.2]]}, r"scores must have shape \(n,\), got \(2, 1\)"),
        ({"scores": ["a", "b", "c"]}, "scores must be numeric"),
        ({"scores": [], "basis": np.empty((0, 2))}, "scores is empty"),
        ({"basis": np.ones((2, 2))}, r"expected \(3, q\), got \(2, 2\)"),
        ({"basis": np.ones(3)}, r"basis must have shape \(n, q\)"),
        ({"basis": np.full((3, 2), np.inf)}, "basis contains NaN or infinite"),
        ({"contrasts": np.eye(3)}, r"one column per column of basis \(2\)"),
        ({"contrasts": [[np.nan, 1.0]]}, "contrasts contains NaN"),
        ({"lower": [0.0, 0.0, 0.0]}, r"lower must be a number or have shape \(2,\)"),
        ({"upper": np.nan}, "upper contains NaN"),
        ({"lower": np.inf}, "lower contains NaN or inf"),
        ({"sample_weight": [1.0, -1.0, 1.0]}, "must not be negative"),
        ({"sample_weight": [0.0, 0.0, 0.0]}, "sums to zero"),
        ({"sample_weight": [1.0, 1.0]}, r"sample_weight must have shape \(3,\), got \(2,\)"),
        ({"sample_weight": [1.0, np.inf, 1.0]}, "sample_weight contains NaN"),
        ({"initial_multipliers": [0.0]}, r"initial_multipliers must be finite and have shape"),
    ],
)
def test_bad_input_says_what_is_wrong(change, message):
    with pytest.raises(ValueError, match=message):
        solve_plug_in(**{**GOOD, **change})


def test_bad_path_entry():
    arguments = {name: GOOD[name] for name in ("scores", "basis", "contrasts")}
    with pytest.raises(ValueError, match=r"bounds\[0\] must be \(lower, upper\)"):
        solve_plug_in_path(**arguments, bounds=[(1.0,)])
