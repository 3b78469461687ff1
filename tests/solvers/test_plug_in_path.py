"""Paths of bounds, the ratio form with contrasts of its own at each level."""

from __future__ import annotations

import numpy as np
import pytest
from _problems import aware_problem, blind_problem, tied_problem
from numpy.testing import assert_allclose

from fairsk.solvers import InfeasibleConstraintsError, solve_plug_in, solve_plug_in_path
from fairsk.solvers._constraints import Constraints
from fairsk.solvers._driver import Driver
from fairsk.solvers._rows import Rows


@pytest.mark.parametrize("make", [aware_problem, blind_problem])
def test_path_equals_single_solutions(make):
    scores, basis, contrasts, _, _ = make(0, 40_009, 5, 0.0)
    levels = [(np.full(5, -t), np.full(5, t)) for t in np.linspace(0.0, 0.2, 6)]
    path = solve_plug_in_path(scores, basis, contrasts, levels)
    objectives = np.array([solution.objective for solution in path])
    # Each program contains the one before; the gap of 1e-9 is all that could hide it.
    assert (np.diff(objectives) >= -1e-9).all()
    for solution, bounds in zip(path, levels, strict=True):
        single = solve_plug_in(scores, basis, contrasts, *bounds)
        assert solution.exact
        assert_allclose(solution.objective, single.objective, atol=2e-9)


@pytest.mark.parametrize("make", [aware_problem, blind_problem])
@pytest.mark.parametrize("order", [1, -1])
def test_levels_that_share_the_rows_left_are_exact(make, order):
    """Enough rows and levels for several stages of rows left out, from either end."""
    scores, basis, contrasts, _, _ = make(4, 50_021, 9, 0.0)
    # Uneven steps: the straight line from the last two levels misses, as does the sample.
    levels = [(-t, t) for t in (0.0, 1e-4, 0.003, 0.01, 0.02, 0.05, 0.06, 0.1, 0.15)][::order]
    path = solve_plug_in_path(scores, basis, contrasts, levels)
    for solution, bounds in zip(path, levels, strict=True):
        single = solve_plug_in(scores, basis, contrasts, *bounds)
        decided = solution.decision
        assert solution.exact
        # Both are certified to 1e-9 of a mean score of about 1.
        assert_allclose(solution.objective, single.objective, atol=2e-9)
        # The decision of all rows, put together from the stages, has the moments it claims.
        assert_allclose(decided @ basis / len(scores), solution.moments, atol=1e-12)


@pytest.mark.parametrize("make", [aware_problem, blind_problem])
def test_many_rows_are_led_by_samples_of_growing_size(make):
    scores, basis, contrasts, _, _ = make(5, 250_007, 3, 0.0)
    levels = [(-t, t) for t in (0.1, 0.04, 0.01, 0.0)]
    path = solve_plug_in_path(scores, basis, contrasts, levels)
    for solution, bounds in zip(path, levels, strict=True):
        assert solution.exact
        single = solve_plug_in(scores, basis, contrasts, *bounds)
        assert_allclose(solution.objective, single.objective, atol=2e-9)


def test_guesses_are_corrected_only_where_there_is_curvature():
    """Rows tied on the boundary have none: a Newton step from them leads anywhere."""
    scores, basis, contrasts, _, _ = tied_problem(2, 45_011, 9, 0.0)
    levels = [(-t, t) for t in (0.12, 0.06, 0.05, 0.005)]
    for solution in solve_plug_in_path(scores, basis, contrasts, levels):
        assert solution.exact


@pytest.mark.parametrize("make", [aware_problem, blind_problem])
def test_a_correction_leaves_a_small_part_of_the_error(make):
    scores, basis, contrasts, _, _ = make(3, 100_003, 4, 0.0)
    limits = Constraints(contrasts, np.full(4, -0.02), np.full(4, 0.02))
    driver = Driver(Rows(scores, basis, np.full(len(scores), 1 / len(scores))))
    multipliers = driver.solve(limits, None, exact=True).multipliers
    rng = np.random.default_rng(0)
    guess = multipliers * (1 + 0.05 * rng.standard_normal(4))

    def missed(point):
        # Parity of all groups has one constraint too many: margins tell, not multipliers.
        change = np.abs(basis @ limits.prices(point - multipliers))
        return float((change / driver.rows.reach).mean())

    assert missed(driver.corrected(limits, guess, missed(guess))) < 0.3 * missed(guess)


def test_ratio_levels_bring_their_contrasts():
    scores, basis, _, _, _ = blind_problem(1, 9001, 4, 0.0)
    shares = np.full(4, 0.25)
    population = basis.mean(axis=0) * 0 + shares
    levels = []
    for ratio in (0.7, 0.8, 0.9):
        low = np.eye(4) - ratio * population
        high = ratio * np.eye(4) - population
        contrasts = np.vstack([low, high])
        open_side = np.full(4, np.inf)
        levels.append(
            (
                contrasts,
                np.concatenate([np.zeros(4), -open_side]),
                np.concatenate([open_side, np.zeros(4)]),
            )
        )
    path = solve_plug_in_path(scores, basis, None, levels)
    for solution, (ratio) in zip(path, (0.7, 0.8, 0.9), strict=True):
        rates = solution.moments
        assert solution.exact
        # The bounds hold to 1e-9; rates are of order 0.1 to 1.
        assert (rates / (population @ rates)).min() >= ratio - 1e-7
        assert (rates / (population @ rates)).max() <= 1 / ratio + 1e-7
    assert np.diff([solution.objective for solution in path]).max() <= 1e-9


def test_smoothed_path_is_near_the_exact_one():
    scores, basis, contrasts, _, _ = blind_problem(2, 50_003, 4, 0.0)
    levels = [(-t, t) for t in (0.01, 0.05, 0.1)]
    exact = solve_plug_in_path(scores, basis, contrasts, levels)
    smooth = solve_plug_in_path(scores, basis, contrasts, levels, exact=False)
    for one, two in zip(exact, smooth, strict=True):
        # At most 4 r + 100 = 116 of 50,003 rows are on the wrong side.
        assert_allclose(one.objective, two.objective, atol=116 / 50_003)


def test_infeasible_level_is_named():
    scores, basis, contrasts, _, _ = blind_problem(3, 2003, 4, 0.0)
    with pytest.raises(InfeasibleConstraintsError, match=r"bounds\[1\]: No decision rule"):
        solve_plug_in_path(scores, basis, contrasts, [(-0.1, 0.1), (5.0, 6.0)])


def test_a_program_of_ties_that_stalls_the_simplex_method_is_solved():
    """Scores and probabilities in tenths, of the seed whose program HiGHS's simplex gives up."""
    rng = np.random.default_rng(170)
    n, n_groups = 20_000, 8
    group = rng.integers(n_groups, size=n)
    scores = np.round(rng.normal(size=n) + rng.normal(size=n_groups)[group], 1)
    logits = rng.normal(size=(n, n_groups))
    logits[np.arange(n), group] += 2
    chances = np.exp(logits)
    chances = np.round(chances / chances.sum(axis=1, keepdims=True), 1) + 0.01
    contrasts = np.eye(n_groups) - 1 / n_groups
    levels = [(-t, t) for t in np.linspace(0.001, 0.1, 7)]
    path = solve_plug_in_path(scores, chances / chances.mean(axis=0), contrasts, levels)
    assert all(solution.exact for solution in path)
