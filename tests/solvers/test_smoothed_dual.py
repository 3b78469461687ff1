"""The Newton steps of the smoothed dual, and where it stops when many rows are tied."""

from __future__ import annotations

import numpy as np
import pytest
from _problems import tied_problem

from fairsk.solvers._constraints import Constraints, support
from fairsk.solvers._rows import Rows
from fairsk.solvers._smoothed_dual import _quadratic_step, anneal


@pytest.mark.parametrize("curvature", [1.0, 1e4, 1e8])
@pytest.mark.parametrize("seed", range(12))
def test_quadratic_step_is_the_minimum(seed, curvature):
    rng = np.random.default_rng(seed)
    r = 6
    root = rng.normal(size=(r, r))
    hessian = curvature * (root @ root.T + 0.1 * np.eye(r))
    # Some coordinates at the kink, some about to cross it.
    start = rng.normal(size=r) * rng.choice([0.0, 1e-9, 1.0], size=r)
    linear = rng.normal(size=r)
    lower, upper = -rng.random(r), rng.random(r)
    upper[0] = lower[0]
    found = _quadratic_step(hessian, linear, lower, upper, start)
    gradient = hessian @ (found - start) + linear
    residual = Constraints(np.eye(r), lower, upper).residual(found, -gradient)
    # The digits of a coordinate of size 1, times the curvature.
    assert residual.max() <= 1e-8 + 1e-14 * curvature
    d = found - start
    change = support(found, lower, upper) - support(start, lower, upper)
    assert d @ hessian @ d / 2 + linear @ d + change <= 0


def test_many_ties_stop_the_cooling():
    """Colder than the rows need that are not tied, multipliers would run out of digits."""
    scores, basis, contrasts, lower, upper = tied_problem(0, 60_000, 5, 0.0)
    rows = Rows(scores, basis, np.full(60_000, 1 / 60_000))
    band = rows.band(rows.sweep(np.zeros(10)), 60_000)
    settings = {"n_fractional": 100, "floor_curvature": np.ones(10)}
    found = anneal(
        band, Constraints(contrasts, lower, upper), np.zeros(10), temperature=0.3, **settings
    )
    assert found.converged and found.temperature > 1e-5
    fractional = (found.decision > 0) & (found.decision < 1)
    # The others decide themselves: at a quarter of the width as many would be left.
    assert np.count_nonzero(fractional) > 2_000
    margins = np.abs(band.margins(contrasts.T @ found.multipliers))[fractional]
    assert np.mean(margins < found.temperature / 4) < 0.4
    # Where nothing is tied it goes on down to the few that were asked for.
    scores, basis, contrasts, lower, upper = tied_problem(1, 60_000, 5, 0.01)
    rows = Rows(scores, basis, np.full(60_000, 1 / 60_000))
    band = rows.band(rows.sweep(np.zeros(10)), 60_000)
    found = anneal(
        band, Constraints(contrasts, lower, upper), np.zeros(10), temperature=0.3, **settings
    )
    assert found.converged
    assert np.count_nonzero((found.decision > 0) & (found.decision < 1)) <= 100
