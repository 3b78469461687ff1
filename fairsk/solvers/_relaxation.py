"""The smallest relaxation that makes constraints feasible: a plug-in problem itself."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from fairsk.solvers._constraints import Constraints
from fairsk.solvers._driver import Driver
from fairsk.solvers._rows import Rows

__all__ = ["smallest_relaxation"]


def smallest_relaxation(rows: Rows, limits: Constraints) -> float:
    """Return the smallest ``t >= 0`` for which relaxed bounds can be met.

    Minimise t subject to ``lower - t <= M m(f) <= upper + t``. With one extra row,
    which has the only non-zero score, is accepted to the degree ``t / worst`` and adds
    t to the slack of every one-sided constraint, this is the plug-in problem again.

    Parameters
    ----------
    rows : Rows
    limits : Constraints
        Bounds may cross.

    Returns
    -------
    float
    """
    above, below = np.isfinite(limits.upper), np.isfinite(limits.lower)
    upper = np.concatenate([limits.upper[above], -limits.lower[below]])
    matrix = np.vstack([limits.contrasts[above], -limits.contrasts[below]])
    # Rejecting everybody violates the bounds by this much: t need not be larger.
    worst = max(0.0, float((-upper).max(initial=0.0)))
    if worst == 0.0:
        return 0.0
    scores = np.zeros(len(rows) + 1)
    scores[-1] = -worst
    weights = np.append(rows.weights, 1.0)
    extended = Rows(scores, _with_corner(rows.basis), weights, np.array([len(rows)]))
    slack = Constraints(
        np.hstack([matrix, np.full((len(upper), 1), -worst)]), np.full(len(upper), -np.inf), upper
    )
    outcome = Driver(extended).solve(slack, None, True)
    return max(0.0, -outcome.objective)


def _with_corner(basis):
    """Return the basis with one more row and column, zero but for a 1 where they meet."""
    n, q = basis.shape
    if isinstance(basis, np.ndarray):
        extended = np.zeros((n + 1, q + 1), dtype=basis.dtype)
        extended[:n, :q] = basis
        extended[n, q] = 1.0
        return extended
    last = sparse.csr_array(([1.0], ([0], [q])), shape=(1, q + 1))
    wide = sparse.csr_array((basis.data, basis.indices, basis.indptr), shape=(n, q + 1))
    return sparse.vstack([wide, last], format="csr")
