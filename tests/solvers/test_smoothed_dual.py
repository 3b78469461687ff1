"""The Newton steps of the smoothed dual, and where it stops when many rows are tied."""

from __future__ import annotations

import numpy as np
import pytest
from _problems import tied_problem

from fairsk.solvers._constraints import Constraints, support
from fairsk.solvers._rows import Rows
from fairsk.solvers._smoothed_dual import anneal, quadratic_step


@pytest.mark.parametrize("curvature", [1.0, 1e4, 1e8])
@pytest.mark.parametrize("seed", range(12))
def testquadratic_step_is_the_minimum(seed, curvature):
    rng = np.random.default_rng(seed)
    r = 6
    root = rng.normal(size=(r, r))
    hessian = curvature * (root @ root.T + 0.1 * np.eye(r))
    # Some coordinates at the kink, some about to cross it.
    start = rng.normal(size=r) * rng.choice([0.0, 1e-9, 1.0], size=r)
    linear = rng.normal(size=r)
    lower, upper = -rng.random(r), rng.random(r)
    upper[0] = lower[0]
    found = quadratic_step(hessian, linear, lower, upper, start)
    gradient = hessian @ (found - start) + linear
    residual = Constraints(np.eye(r), lower, upper).residual(found, -gradient)
    # The digits of a coordinate of size 1, times the curvature.
    assert residual.max() <= 1e-8 + 1e-14 * curvature
    d = found - start
    change = support(found, lower, upper) - support(start, lower, upper)
    assert d @ hessian @ d / 2 + linear @ d + change <= 0


def annealed_from_nothing(problem):
    scores, basis, *limits = problem
    n, r = len(scores), len(limits[1])
    rows = Rows(scores, basis, np.full(n, 1 / n))
    band = rows.band(rows.sweep(np.zeros(basis.shape[1])), n)
    found = anneal(
        band,
        Constraints(*limits),
        np.zeros(r),
        temperature=0.3,
        n_fractional=100,
        floor_curvature=np.ones(r),
    )
    margins = band.margins(limits[0].T @ found.multipliers)
    return found, margins[(found.decision > 0) & (found.decision < 1)]


def test_many_ties_stop_the_cooling():
    """Colder than the rows need that are not tied, multipliers would run out of digits."""
    found, margins = annealed_from_nothing(tied_problem(0, 60_000, 5, 0.0))
    assert found.converged and found.temperature > 1e-5
    assert len(margins) > 2_000
    # Tied rows spread over the width, whatever it is.
    assert np.mean(np.abs(margins) < found.temperature / 4) < 0.4


def test_without_ties_it_cools_down_to_few_rows():
    found, margins = annealed_from_nothing(tied_problem(1, 60_000, 5, 0.01))
    assert found.converged and len(margins) <= 100
