"""The plug-in problem solved the slow ways, to hold the fast one against."""

from __future__ import annotations

from itertools import product

import numpy as np
from scipy import optimize


def _halves(basis, contrasts, lower, upper, weights):
    """Return one-sided constraints ``rows @ f <= limits``, finite ones only."""
    basis = basis.toarray() if hasattr(basis, "toarray") else np.asarray(basis, dtype=float)
    rows = np.asarray(contrasts) @ (basis * weights[:, None]).T
    above, below = np.isfinite(upper), np.isfinite(lower)
    return np.vstack([rows[above], -rows[below]]), np.concatenate([upper[above], -lower[below]])


def _weights(sample_weight, n):
    weights = np.ones(n) if sample_weight is None else np.asarray(sample_weight, dtype=float)
    return weights / weights.sum()


def whole_program(scores, basis, contrasts, lower, upper, sample_weight=None):
    """Solve the plug-in problem as one linear program over all rows.

    Returns
    -------
    objective : float or None
        None when the constraints are infeasible.
    decision : ndarray of shape (n,) or None
    """
    weights = _weights(sample_weight, len(scores))
    rows, limits = _halves(basis, contrasts, lower, upper, weights)
    # Weights of 1 / n are lost in HiGHS's absolute tolerances: bring them to 1.
    n = len(scores)
    result = optimize.linprog(-weights * scores * n, rows * n, limits * n, bounds=(0, 1))
    if result.status == 2:
        return None, None
    return float(weights * scores @ result.x), result.x


def whole_relaxation(basis, contrasts, lower, upper, sample_weight=None):
    """Return the smallest t for which bounds relaxed by t are feasible."""
    n = basis.shape[0]
    weights = _weights(sample_weight, n)
    rows, limits = _halves(basis, contrasts, lower, upper, weights)
    cost = np.zeros(n + 1)
    cost[-1] = 1.0
    slack = np.hstack([rows * n, -np.ones((len(rows), 1))])
    bounds = [(0, 1)] * n + [(0, None)]
    return float(optimize.linprog(cost, slack, limits * n, bounds=bounds).x[-1]) / n


def grid_search(scores, basis, contrasts, lower, upper, grid, slack=0.0):
    """Try every vector of multipliers on a grid, as the paper does.

    For each, the rule accepts where ``scores > basis @ contrasts.T @ multipliers``;
    the best of those within the bounds, up to ``slack``, is kept.

    Returns
    -------
    float or None
        Best objective, or None when no point is feasible.
    """
    directions = np.asarray(basis) @ np.asarray(contrasts).T
    best = None
    for multipliers in product(grid, repeat=directions.shape[1]):
        accepted = scores > directions @ np.array(multipliers)
        values = directions[accepted].sum(axis=0) / len(scores)
        if (values >= lower - slack).all() and (values <= upper + slack).all():
            objective = scores[accepted].sum() / len(scores)
            best = objective if best is None else max(best, objective)
    return best
