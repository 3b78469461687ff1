"""From the smoothed rule to an exact vertex: sifting with small linear programs.

A linear program over a few rows near the boundary, all others held at the value
they have, gives a rule that is feasible for the whole band and multipliers to test
it with. Rows on the wrong side of the new boundary join the next program. Since
every iterate is feasible and each program can only raise the objective, the duality
gap of the band falls to rounding error, usually after one or two programs.
"""

from __future__ import annotations

import numpy as np
from scipy import optimize

from fairsk.solvers._constraints import Constraints
from fairsk.solvers._rows import Band

__all__ = ["exact_on_band"]

_SNAP = 1e-10
_TIGHT = 1e-10
_MAX_PROGRAMS = 40
# Residuals up to this are HiGHS's to leave and ours to remove; larger ones are a program
# that was not solved.
_ROUNDING = 1e-6
_EXACT = 1e-13
_MAX_POLISH = 3
# Margins, in spreads of the scores, that are zero but for rounding, and how many atoms of
# such margins take part in a correction.
_TIED = 1e-12
_MOST_TIED = 2_000


class _Program:
    """A linear program over a few atoms, scaled so that HiGHS's tolerances are small in it.

    Its tolerances are absolute: weights are brought to 1 and each row's largest entry to 1,
    so that 1e-10 is small everywhere.
    """

    def __init__(self, band: Band, chosen: np.ndarray, limits: Constraints):
        weights = band.weights[chosen]
        self.unit = weights.mean()
        self.weights = weights / self.unit
        rows = (band.basis[chosen] @ limits.contrasts.T) * self.weights[:, None]
        self.size = np.abs(rows).max(axis=0)
        self.size[self.size == 0] = 1.0
        eye = np.eye(len(self.size))
        # Columns: the decisions, the value of each row, and what it misses its bounds by. They
        # are few: to put sparse ones side by side takes longer than to solve the program.
        self.matrix = np.hstack([(rows / self.size).T, -eye, eye, -eye])

    def solve(self, gain, low, high, lower, upper):
        """Maximise the gain of decisions in [low, high] whose values are in [lower, upper].

        Returns the decisions and the prices of the rows, in units of the scaled program, or
        None when HiGHS finds no optimum.
        """
        n_atoms, n_rows = len(gain), len(self.size)
        penalty = 1e4 * max(1.0, np.abs(gain).max(initial=0.0))
        cost = np.concatenate([-gain, np.zeros(n_rows), np.full(2 * n_rows, penalty)])
        bounds = np.zeros((len(cost), 2))
        bounds[:, 1] = np.inf
        bounds[:n_atoms] = np.column_stack([low, high])
        value = slice(n_atoms, n_atoms + n_rows)
        bounds[value] = np.column_stack([lower, upper]) / (self.unit * self.size)[:, None]
        tight = dict.fromkeys(
            ["primal_feasibility_tolerance", "dual_feasibility_tolerance"], _TIGHT
        )
        # Degenerate programs of tied atoms can stall the simplex method; the interior point
        # method, which ends in a vertex too, is the slower one.
        for method in ("highs-ds", "highs-ipm"):
            result = optimize.linprog(
                cost,
                A_eq=self.matrix,
                b_eq=np.zeros(n_rows),
                bounds=bounds,
                method=method,
                options=tight,
            )
            if result.status == 0:
                return result.x[:n_atoms], -result.eqlin.marginals
        return None


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
    program = _Program(band, chosen, limits)
    gain = band.scores[chosen] * program.weights / spread
    low, high = np.zeros(len(chosen)), np.ones(len(chosen))
    solved = program.solve(gain, low, high, limits.lower - held, limits.upper - held)
    if solved is None:
        return None
    found, prices = solved
    found = np.where(found < _SNAP, 0.0, np.where(found > 1 - _SNAP, 1.0, found))
    # What HiGHS's tolerance does not tell from zero is no multiplier.
    prices[np.abs(prices) <= _TIGHT * max(1.0, np.abs(prices).max(initial=0.0))] = 0.0
    return found, limits.admissible(prices * spread / program.size)


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
    return _polished(band, limits, decision, multipliers, spread), multipliers


def _polished(
    band: Band,
    limits: Constraints,
    decision: np.ndarray,
    multipliers: np.ndarray,
    spread: float,
) -> np.ndarray:
    """Bring the rows that miss their bounds by HiGHS's tolerance to the last digit.

    HiGHS keeps its tolerance on the problem as it scales it, which can be a thousand times
    more on ours. A second program, for the change of the atoms on the boundary in units of
    what is missing, has the same tolerance in those units.
    """
    values = limits.contrasts @ band.total_moments(decision)
    missing = limits.residual(multipliers, values).max(initial=0.0)
    if not _EXACT < missing < _ROUNDING:
        return decision
    floor = np.where(multipliers > 0, limits.upper, limits.lower)
    ceiling = np.where(multipliers < 0, limits.lower, limits.upper)
    margins = band.margins(limits.prices(multipliers))
    fractional = (decision > 0) & (decision < 1)
    tied = np.flatnonzero(~fractional & (np.abs(margins) <= _TIED * spread))
    few = tied[:: 1 + len(tied) // _MOST_TIED]
    chosen = np.sort(np.concatenate([np.flatnonzero(fractional), few]))
    if len(chosen) == 0:
        return decision
    program = _Program(band, chosen, limits)
    for _ in range(_MAX_POLISH):
        if missing <= _EXACT:
            break
        solved = program.solve(
            np.zeros(len(chosen)),
            -decision[chosen] / missing,
            (1.0 - decision[chosen]) / missing,
            (floor - values) / missing,
            (ceiling - values) / missing,
        )
        if solved is None:
            break
        polished = decision.copy()
        polished[chosen] = np.clip(decision[chosen] + missing * solved[0], 0.0, 1.0)
        before, values = missing, limits.contrasts @ band.total_moments(polished)
        missing = limits.residual(multipliers, values).max()
        if missing >= before:
            break
        decision = polished
    return decision


def _with_nearest(distance: np.ndarray, keep: np.ndarray, size: int) -> np.ndarray:
    """Return the kept atoms and the ``size`` nearest to the boundary."""
    if size < len(distance):
        keep = keep.copy()
        keep[np.argpartition(distance, size)[:size]] = True
        return np.flatnonzero(keep)
    return np.arange(len(distance))
