"""The smallest reweighting: optimality conditions, a general solver, and gradient descent."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import LinearConstraint, minimize

from fairsk.solvers import solve_least_change
from tests._reference.naive_influence import gradient_descent, paper_objective


def problem(r, n, seed):
    rng = np.random.RandomState(seed)
    return rng.normal(size=(r, n)), 0.3 * rng.normal(size=r)


def objective(x, A, d, penalty):
    return np.sum((A @ x - d) ** 2) + penalty * np.linalg.norm(x)


def check_optimal(found, A, d, penalty, lower):
    """Stationarity with a multiplier of the bound that is not negative and sits on it only."""
    x = found.change
    gradient = 2 * A.T @ (A @ x - d) + penalty * x / np.linalg.norm(x)
    # Residual of the scalar root, 1e-13 relative, times the size of the terms.
    tolerance = 1e-9 * np.linalg.norm(A.T @ d)
    bound = np.full(len(x), -np.inf) if lower is None else lower
    free = x > bound
    assert (x >= bound).all()
    np.testing.assert_allclose(gradient[free], 0, atol=tolerance)
    assert (gradient[~free] >= -tolerance).all()


@pytest.mark.parametrize(("r", "n"), [(1, 7), (2, 50), (5, 3), (7, 400)])
@pytest.mark.parametrize("share", [0.001, 0.1, 0.9])
@pytest.mark.parametrize("bound", [None, 1.0, 0.3])
def test_optimality_conditions(r, n, share, bound):
    A, d = problem(r, n, r * n)
    penalty = share * 2 * np.linalg.norm(A.T @ d)
    lower = None
    if bound is not None:
        scale = np.abs(solve_least_change(A, d, penalty).change).max()
        lower = -bound * scale * np.random.RandomState(1).uniform(0.1, 1, n)
    found = solve_least_change(A, d, penalty, lower)
    assert found.residual < 1e-10
    assert 2 * found.ridge * np.linalg.norm(found.change) == pytest.approx(penalty, rel=1e-9)
    check_optimal(found, A, d, penalty, lower)
    if bound == 0.3 and n > 10:
        assert (found.change == lower).any()


def test_zero_if_and_only_if_the_penalty_is_large():
    A, d = problem(2, 30, 0)
    edge = 2 * np.linalg.norm(A.T @ d)
    lower = np.full(30, -0.01)
    for bound in (None, lower):
        assert not solve_least_change(A, d, edge * (1 + 1e-9), bound).change.any()
        assert solve_least_change(A, d, edge * (1 - 1e-6), bound).change.any()
        assert np.linalg.norm(solve_least_change(A, d, edge, bound).change) < 1e-9
    assert not solve_least_change(A, np.zeros(2), 0.0).change.any()
    assert not solve_least_change(np.zeros((2, 3)), d, 0.0).change.any()


def test_without_a_penalty_it_is_the_smallest_fit():
    A, d = problem(2, 30, 1)
    found = solve_least_change(A, d, 0.0)
    # The ridge in its place is 1e-12 of the eigenvalues.
    np.testing.assert_allclose(found.change, np.linalg.pinv(A) @ d, atol=1e-10)
    bounded = solve_least_change(A, d, 0.0, np.full(30, -0.01))
    np.testing.assert_allclose(A @ bounded.change, d, atol=1e-9)
    assert bounded.change.min() == -0.01


def test_repeated_targets_are_no_trouble():
    A, d = problem(2, 30, 2)
    twice, d_twice = np.concatenate([A, -A]), np.concatenate([d, -d])
    lower = np.full(30, -0.02)
    for bound in (None, lower):
        found = solve_least_change(twice, d_twice, 0.2, bound)
        # Counting each target twice doubles the squares: half the penalty on them once.
        expected = solve_least_change(A, d, 0.1, bound)
        np.testing.assert_allclose(found.change, expected.change, atol=1e-9)


@pytest.mark.parametrize("bounded", [False, True])
def test_a_general_solver_finds_nothing_better(bounded):
    A, d = problem(3, 12, 3)
    penalty = 0.1
    lower = np.full(12, -0.015) if bounded else None
    found = solve_least_change(A, d, penalty, lower)
    constraints = [LinearConstraint(np.eye(12), lower, np.inf)] if bounded else []
    general = minimize(
        objective,
        np.full(12, 0.01),
        args=(A, d, penalty),
        method="SLSQP",
        constraints=constraints,
        options={"ftol": 1e-14, "maxiter": 500},
    )
    assert objective(found.change, A, d, penalty) <= general.fun + 1e-9
    np.testing.assert_allclose(found.change, general.x, atol=1e-4)  # SLSQP differences gradients


@pytest.mark.parametrize("lower", [-np.inf, -0.02])
def test_the_papers_gradient_descent_ends_there(lower):
    A, d = problem(2, 20, 4)
    penalty = 0.05
    bound = np.full(20, lower) if np.isfinite(lower) else None
    found = solve_least_change(A, d, penalty, bound)
    descended = gradient_descent(d, A, penalty, 3_000, lower)
    # Gradient descent is near the minimum after 3,000 steps; the exact one is never above it.
    value = paper_objective(found.change, d, A, penalty)
    assert value <= paper_objective(descended, d, A, penalty) + 1e-12
    np.testing.assert_allclose(found.change, descended, atol=1e-4)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"A": np.zeros(3)}, "A must be"),
        ({"d": np.zeros(3)}, "A must be"),
        ({"d": np.array([np.nan, 0])}, "must be finite"),
        ({"penalty": -1}, "penalty must be a number >= 0"),
        ({"lower": np.zeros(30)}, "below zero"),
        ({"lower": np.full(2, -1.0)}, "lower must have shape"),
    ],
)
def test_bad_input(change, match):
    A, d = problem(2, 30, 0)
    with pytest.raises(ValueError, match=match):
        solve_least_change(**({"A": A, "d": d, "penalty": 0.1, "lower": None} | change))
