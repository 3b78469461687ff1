"""From the smoothed rule to an exact vertex: sifting with small linear programs.

A linear program over a few rows near the boundary, all others held at the value
they have, gives a rule that is feasible for the whole band and multipliers to test
it with. Rows on the wrong side of the new boundary join the next program. Since
every iterate is feasible and each program can only raise the objective, the duality
gap of the band falls to rounding error, usually after one or two programs.
"""

from __future__ import annotations

import numpy as np
from scipy import optimize, sparse

from fairsk.solvers._constraints import Constraints
from fairsk.solvers._rows import Band

__all__ = ["exact_on_band"]

_SNAP = 1e-10
_MAX_PROGRAMS = 40


def _vertex(
    band: Band, chosen: np.ndarray, decision: np.ndarray, limits: Constraints, spread: float
) -> tuple[np.ndarray, np.ndarray] | None:
    """Solve the program over the ``chosen`` atoms, the others held at ``decision``.

    Returns the decision of the chosen atoms and the multipliers, or None when HiGHS
    finds no optimum.
    """
    others = decision.copy()
    others[chosen] = 0.0
    held = limits.contrasts @ band.total_moments(others)
    # HiGHS's tolerances are absolute: weights are brought to 1, each row's largest
    # entry to 1 and the scores to their spread, so that 1e-10 is small everywhere.
    weights = band.weights[chosen]
    unit = weights.mean()
    rows = (band.basis[chosen] @ limits.contrasts.T) * (weights / unit)[:, None]
    size = np.abs(rows).max(axis=0)
    size[size == 0] = 1.0
    n_rows = len(size)
    eye = sparse.eye_array(n_rows)
    # Columns: the decisions, the value of each row, and what it misses its bounds by.
    matrix = sparse.hstack([sparse.csr_array((rows / size).T), -eye, eye, -eye], format="csc")
    gain = band.scores[chosen] * (weights / unit) / spread
    penalty = 1e4 * max(1.0, np.abs(gain).max())
    cost = np.concatenate([-gain, np.zeros(n_rows), np.full(2 * n_rows, penalty)])
    bounds = np.zeros((len(cost), 2))
    bounds[:, 1] = np.inf
    bounds[: len(gain), 1] = 1.0
    value = slice(len(gain), len(gain) + n_rows)
    bounds[value, 0] = (limits.lower - held) / (unit * size)
    bounds[value, 1] = (limits.upper - held) / (unit * size)
    tight = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}
    result = optimize.linprog(
        cost, A_eq=matrix, b_eq=np.zeros(n_rows), bounds=bounds, method="highs-ds", options=tight
    )
    if result.status != 0:
        return None
    found = result.x[: len(gain)]
    found = np.where(found < _SNAP, 0.0, np.where(found > 1 - _SNAP, 1.0, found))
    return found, limits.admissible(-result.eqlin.marginals * spread / size)


def _thin_out(
    band: Band, decision: np.ndarray, limits: Constraints, spread: float, size: int
) -> np.ndarray:
    """Bring the number of fractional atoms down to ``size``, chunk by chunk.

    Needed where the boundary holds very many atoms, as when an active constraint
    ties a whole group. Each program leaves at most one fractional atom per row.
    """
    for _ in range(20):
        fractional = np.flatnonzero((decision > 0) & (decision < 1))
        if len(fractional) <= size:
            break
        for start in range(0, len(fractional), size):
            chunk = fractional[start : start + size]
            found = _vertex(band, chunk, decision, limits, spread)
            if found is not None:
                decision[chunk] = found[0]
    return decision


def exact_on_band(
    band: Band,
    limits: Constraints,
    decision: np.ndarray,
    multipliers: np.ndarray,
    *,
    spread: float,
    size: int,
    tolerance: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Sift until the rule on the band is a vertex with no duality gap.

    Parameters
    ----------
    band : Band
    limits : Constraints
    decision : ndarray of shape (m,)
        Feasible rule to start from, mostly 0 and 1.
    multipliers : ndarray of shape (r,)
        Multipliers of that rule.
    spread : float
        Unit of the scores.
    size : int
        Number of atoms in a program.
    tolerance : float
        Duality gap at which to stop, in units of the objective.

    Returns
    -------
    decision : ndarray of shape (m,)
    multipliers : ndarray of shape (r,)
    """
    decision = _thin_out(band, decision.copy(), limits, spread, 2 * size)
    distance = np.abs(band.margins(limits.prices(multipliers)))
    chosen = _with_nearest(distance, (decision > 0) & (decision < 1), size)
    for _ in range(_MAX_PROGRAMS):
        found = _vertex(band, chosen, decision, limits, spread)
        if found is None:
            break
        decision[chosen], multipliers = found
        margins = band.margins(limits.prices(multipliers))
        loss = band.weights * (np.maximum(margins, 0.0) - margins * decision)
        loss[chosen] = 0.0
        if loss.sum() <= tolerance:
            break
        worst = np.argsort(loss)[-2 * size :]
        keep = (decision > 0) & (decision < 1)
        keep[worst[loss[worst] > 0]] = True
        # Programs only ever grow: dropping atoms could cycle.
        keep[chosen] = True
        chosen = _with_nearest(np.abs(margins), keep, size)
    return decision, multipliers


def _with_nearest(distance: np.ndarray, keep: np.ndarray, size: int) -> np.ndarray:
    """Return the kept atoms and the ``size`` nearest to the boundary."""
    if size < len(distance):
        keep = keep.copy()
        keep[np.argpartition(distance, size)[:size]] = True
        return np.flatnonzero(keep)
    return np.arange(len(distance))
