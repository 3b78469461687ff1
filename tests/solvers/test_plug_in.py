"""The plug-in solver against the whole linear program, and its optimality conditions."""

from __future__ import annotations

import numpy as np
import pytest
from _problems import aware_problem, blind_problem, tied_problem
from hypothesis import given, settings
from hypothesis import strategies as st
from naive_plug_in import grid_search, whole_program
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from fairsk.solvers import _sifting, solve_plug_in

# HiGHS solves the reference to an absolute 1e-7 per row and column of weight 1; the
# means of such errors over n rows are far below this.
REFERENCE = 1e-8
# The promise of the solver.
PROMISE = 1e-9


def assert_certified(solution, scores, basis, contrasts, lower, upper, weights=None):
    """Check the certificate and the optimality conditions from the definitions."""
    n = len(scores)
    weights = np.full(n, 1 / n) if weights is None else weights / weights.sum()
    contrasts = np.asarray(contrasts)
    decision, multipliers = solution.decision, solution.multipliers
    assert decision.min() >= 0 and decision.max() <= 1
    moments = basis.T @ (weights * decision)
    # Sums of n terms of order 1 in another order: rounding only.
    assert_allclose(solution.moments, moments, atol=1e-12, rtol=1e-12)
    assert_allclose(solution.objective, (weights * decision) @ scores, atol=1e-13)
    values = contrasts @ moments
    assert (values >= lower - PROMISE).all() and (values <= upper + PROMISE).all()
    assert abs(solution.gap) <= PROMISE and solution.violation <= PROMISE and solution.exact
    # Complementary slackness: a multiplier names the bound that is active. HiGHS's
    # feasibility tolerance of 1e-10 and the rounding of the sums are below 1e-8.
    assert_allclose(values[multipliers > 0], upper[multipliers > 0], atol=1e-8)
    assert_allclose(values[multipliers < 0], lower[multipliers < 0], atol=1e-8)
    # Off the boundary the rule is a sign. HiGHS's dual tolerance is 1e-10 of the
    # spread of the scores times the largest entry of a row.
    margins = scores - basis @ (contrasts.T @ multipliers)
    clear = (np.abs(margins) > 1e-8) & (weights > 0)
    assert_array_equal(decision[clear], (margins[clear] > 0).astype(float))
    assert_array_equal(solution.randomized, np.flatnonzero((decision > 0) & (decision < 1)))
    assert solution.n_randomized == len(solution.randomized)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("make", [aware_problem, blind_problem])
@pytest.mark.parametrize(("n", "n_groups"), [(157, 2), (1811, 5), (4973, 13)])
def test_agrees_with_whole_program(make, n, n_groups, seed):
    tolerance = [0.0, 0.01, 0.05, 5.0][seed]
    problem = make(seed, n, n_groups, tolerance)
    solution = solve_plug_in(*problem)
    assert_certified(solution, *problem)
    assert solution.n_randomized <= np.count_nonzero(solution.multipliers)
    assert_allclose(solution.objective, whole_program(*problem)[0], atol=REFERENCE)


def test_large_problem_goes_through_samples_and_bands():
    problem = blind_problem(1, 150_000, 3, 0.02)
    solution = solve_plug_in(*problem)
    assert_certified(solution, *problem)
    assert solution.n_randomized <= np.count_nonzero(solution.multipliers)


def test_multipliers_in_large_aware_problem_certify_optimum():
    problem = aware_problem(2, 120_000, 11, 0.01)
    assert_certified(solve_plug_in(*problem), *problem)


@pytest.mark.parametrize("seed", range(3))
def test_whole_tied_groups_are_settled_at_once(seed, monkeypatch):
    problem = tied_problem(seed, 60_000, 5, 0.0)
    calls, vertex = [], _sifting._vertex
    monkeypatch.setattr(_sifting, "_vertex", lambda *given: calls.append(0) or vertex(*given))
    solution = solve_plug_in(*problem)
    assert_certified(solution, *problem)
    assert solution.n_randomized <= len(solution.multipliers)
    margins = problem[0] - problem[1] @ (problem[2].T @ solution.multipliers)
    assert np.count_nonzero(np.abs(margins) < 1e-9) > 10_000
    # One small program for every chunk of the tied rows would be dozens.
    assert len(calls) <= 6


def test_loose_bounds_leave_the_unconstrained_rule():
    scores, basis, contrasts, lower, upper = blind_problem(3, 3001, 4, 50.0)
    solution = solve_plug_in(scores, basis, contrasts, lower, upper)
    assert_array_equal(solution.multipliers, 0.0)
    assert_array_equal(solution.decision, (scores > 0).astype(float))


@pytest.mark.parametrize("side", ["upper", "lower", "mixed"])
def test_open_sides(side):
    scores, basis, contrasts, lower, upper = blind_problem(4, 2903, 7, 0.02)
    if side == "upper":
        lower = np.full(7, -np.inf)
    elif side == "lower":
        upper = np.full(7, np.inf)
    else:
        lower[:3], upper[2:5] = -np.inf, np.inf
    problem = scores, basis, contrasts, lower, upper
    solution = solve_plug_in(*problem)
    assert_certified(solution, *problem)
    assert (solution.multipliers[np.isinf(lower)] >= 0).all()
    assert (solution.multipliers[np.isinf(upper)] <= 0).all()
    assert_allclose(solution.objective, whole_program(*problem)[0], atol=REFERENCE)


def test_one_constraint_between_two_groups():
    scores, basis, _, _, _ = aware_problem(5, 5003, 2, 0.0)
    contrasts, lower, upper = np.array([[1.0, -1.0]]), np.array([-0.03]), np.array([0.03])
    solution = solve_plug_in(scores, basis, contrasts, lower, upper)
    assert_certified(solution, scores, basis, contrasts, lower, upper)
    assert solution.n_randomized <= 1


def test_more_constraints_than_moments():
    # All pairs of six groups, two-sided: 15 rows of rank 5.
    scores, basis, _, _, _ = blind_problem(6, 6007, 6, 0.0)
    pairs = np.array([(i, j) for i in range(6) for j in range(i)])
    contrasts = np.eye(6)[pairs[:, 0]] - np.eye(6)[pairs[:, 1]]
    lower, upper = np.full(15, -0.02), np.full(15, 0.02)
    solution = solve_plug_in(scores, basis, contrasts, lower, upper)
    assert_certified(solution, scores, basis, contrasts, lower, upper)
    reference, _ = whole_program(scores, basis, contrasts, lower, upper)
    assert_allclose(solution.objective, reference, atol=REFERENCE)


def test_no_constraint():
    scores = np.array([1.0, -2.0, 0.5])
    solution = solve_plug_in(scores, np.ones((3, 2)), np.empty((0, 2)), [], [])
    assert_array_equal(solution.decision, [1, 0, 1])


def test_weights_count_like_repeated_rows():
    scores, basis, contrasts, lower, upper = blind_problem(7, 2111, 4, 0.01)
    counts = np.random.default_rng(7).integers(0, 4, size=len(scores))
    weighted = solve_plug_in(scores, basis, contrasts, lower, upper, sample_weight=counts)
    assert_certified(weighted, scores, basis, contrasts, lower, upper, counts)
    repeated = np.repeat(np.arange(len(scores)), counts)
    plain = solve_plug_in(scores[repeated], basis[repeated], contrasts, lower, upper)
    # The same program, solved in two ways to a gap below 1e-9.
    assert_allclose(weighted.objective, plain.objective, atol=2 * PROMISE)
    reference, _ = whole_program(scores, basis, contrasts, lower, upper, counts)
    assert_allclose(weighted.objective, reference, atol=REFERENCE)


def test_single_precision_is_enough():
    problem = blind_problem(8, 45_007, 5, 0.02, dtype=np.float32)
    solution = solve_plug_in(*problem)
    scores, basis, *limits = problem
    assert_certified(solution, scores, basis.astype(np.float64), *limits)


def test_sparse_equals_dense():
    scores, basis, *limits = aware_problem(9, 3209, 8, 0.02)
    one = solve_plug_in(scores, basis, *limits)
    two = solve_plug_in(scores, basis.toarray(), *limits)
    assert_allclose(one.objective, two.objective, atol=2 * PROMISE)


@pytest.mark.parametrize("n", [1200, 30_011, 150_001])
def test_ties_are_decided_together(n):
    problem = aware_problem(10, n, 6, 0.01, decimals=2)
    scores, basis, *_ = problem
    solution = solve_plug_in(*problem)
    assert_certified(solution, *problem)
    rows = np.column_stack([scores, basis.indices])
    _, atom = np.unique(rows, axis=0, return_inverse=True)
    for boundary in np.unique(atom[solution.randomized]):
        assert np.ptp(solution.decision[atom == boundary]) == 0
    assert len(np.unique(atom[solution.randomized])) <= np.count_nonzero(solution.multipliers)


@pytest.mark.parametrize(("seed", "score"), [(68, 0.7), (509, 1.2), (538, 0.7), (788, 0.7)])
def test_equal_scores(seed, score):
    """A model that says the same of everybody: the variance of its scores is rounding error."""
    n, rng = 485, np.random.default_rng(seed)
    basis, contrasts = 4 * rng.dirichlet(np.ones(4), size=n), rng.normal(size=(3, 4))
    weight = rng.random(n) if seed % 2 else None
    solution = solve_plug_in(np.full(n, score), basis, contrasts, -0.05, 0.05, sample_weight=weight)
    assert solution.exact
    low, high = np.full(3, -0.05), np.full(3, 0.05)
    best, _ = whole_program(np.full(n, score), basis, contrasts, low, high, weight)
    assert_allclose(solution.objective, best, atol=1e-7)


def test_one_heavy_tie_among_distinct_rows():
    # Nine tenths of the rows are distinct, so that they aren't merged at the outset.
    scores, basis, *limits = aware_problem(11, 60_013, 4, 0.0)
    tied = np.flatnonzero(basis.indices == 1)[:5000]
    scores[tied] = scores[tied].mean()
    solution = solve_plug_in(scores, basis, *limits)
    assert_certified(solution, scores, basis, *limits)
    assert np.ptp(solution.decision[tied]) == 0


def test_a_whole_group_on_the_boundary():
    # Accuracy parity at a cost of 1/2: direction and score are proportional within a
    # group, so that an active constraint leaves the whole group on equality.
    rng = np.random.default_rng(12)
    n, n_groups = 30_001, 3
    groups = rng.integers(n_groups, size=n)
    eta = rng.beta(1 + groups, 2.0)
    shares = np.bincount(groups) / n
    basis = sparse.csr_array(((1 - 2 * eta) / shares[groups], (np.arange(n), groups)))
    base = np.bincount(groups, weights=eta) / n / shares
    contrasts = np.eye(n_groups) - shares
    offset = base - eta.mean()
    problem = eta - 0.5, basis, contrasts, -0.01 - offset, 0.01 - offset
    solution = solve_plug_in(*problem)
    assert_certified(solution, *problem)
    assert solution.n_randomized <= np.count_nonzero(solution.multipliers)
    assert_allclose(solution.objective, whole_program(*problem)[0], atol=REFERENCE)


def test_start_changes_the_way_not_the_optimum():
    problem = blind_problem(13, 20_011, 5, 0.02)
    cold = solve_plug_in(*problem)
    warm = solve_plug_in(*problem, initial_multipliers=cold.multipliers + 0.05)
    assert_certified(warm, *problem)
    assert_allclose(warm.objective, cold.objective, atol=2 * PROMISE)


def test_same_seed_same_rule():
    problem = blind_problem(14, 60_017, 4, 0.02)
    one, two = solve_plug_in(*problem), solve_plug_in(*problem)
    assert_array_equal(one.decision, two.decision)
    assert_array_equal(one.multipliers, two.multipliers)


def test_smoothed_rule_is_a_sign_and_reports_its_error():
    scores, basis, contrasts, lower, upper = blind_problem(15, 50_021, 4, 0.02)
    solution = solve_plug_in(scores, basis, contrasts, lower, upper, exact=False)
    margins = scores - basis @ (contrasts.T @ solution.multipliers)
    clear = np.abs(margins) > 1e-12  # rounding of a sum of four products
    assert_array_equal(solution.decision[clear], (margins[clear] > 0).astype(float))
    assert solution.n_randomized == 0 and not solution.exact
    # At most 4 r + 100 rows are left fractional: their share bounds the error.
    assert solution.violation < 116 / 50_021 / 0.05
    values = contrasts @ (basis.T @ solution.decision) / len(scores)
    assert_allclose(solution.violation, max(0, (np.abs(values) - 0.02).max()), atol=1e-12)


def test_grid_search_is_never_better():
    problem = blind_problem(16, 1999, 3, 0.05)
    scores, basis, contrasts, lower, upper = problem
    best = grid_search(*problem, grid=np.arange(-0.6, 0.61, 0.1))
    assert best is not None
    assert best <= solve_plug_in(*problem).objective + PROMISE


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    n=st.integers(1, 60),
    q=st.integers(1, 4),
    r=st.integers(1, 5),
    seed=st.integers(0, 2**16),
    decimals=st.integers(0, 3),
)
def test_random_problems_agree_with_whole_program(n, q, r, seed, decimals):
    rng = np.random.default_rng(seed)
    scores = np.round(rng.normal(size=n), decimals)
    basis = np.round(rng.normal(size=(n, q)), decimals)
    contrasts = rng.normal(size=(r, q))
    # Bounds around the values of some rule: feasible by construction.
    values = contrasts @ (basis.T @ rng.random(n)) / n
    lower, upper = values - rng.random(r) * 0.2, values + rng.random(r) * 0.2
    lower[rng.random(r) < 0.3] = -np.inf
    solution = solve_plug_in(scores, basis, contrasts, lower, upper)
    assert_certified(solution, scores, basis, contrasts, lower, upper)
    reference, _ = whole_program(scores, basis, contrasts, lower, upper)
    # Here n is small, so that HiGHS's own 1e-7 shows.
    assert_allclose(solution.objective, reference, atol=1e-6)
