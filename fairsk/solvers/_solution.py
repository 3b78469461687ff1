"""What the plug-in solver returns, and what it raises."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["InfeasibleConstraintsError", "PlugInSolution"]


class InfeasibleConstraintsError(ValueError):
    """No decision rule meets the constraints.

    Parameters
    ----------
    message : str
    smallest_relaxation : float
        Smallest ``t >= 0`` for which ``lower - t`` and ``upper + t`` can be met.
    """

    def __init__(self, message: str, smallest_relaxation: float):
        super().__init__(message)
        self.smallest_relaxation = smallest_relaxation

    def __reduce__(self):
        return type(self), (self.args[0], self.smallest_relaxation)


@dataclass(frozen=True, eq=False)
class PlugInSolution:
    """Optimal rule of a plug-in problem, with its certificate.

    Attributes
    ----------
    multipliers : ndarray of shape (r,)
        Signed Lagrange multipliers: positive where the upper bound is active,
        negative where the lower one is.
    decision : ndarray of shape (n,)
        Probability of accepting each row. Identical rows have equal decisions.
    objective : float
        Weighted mean of ``decision * scores``.
    dual_bound : float
        No rule that meets the constraints has a larger objective.
    gap : float
        ``(dual_bound - objective) / max(|dual_bound|, weighted mean of |scores|)``,
        and not divided where all scores are zero. Below zero only by rounding or where
        the rule is not feasible.
    violation : float
        How far the worst constraint is outside its bounds.
    n_randomized : int
        Number of rows decided by chance.
    randomized : ndarray of shape (n_randomized,)
        Which rows these are.
    moments : ndarray of shape (q,)
        Weighted mean of ``decision * basis``.
    n_rounds : int
        Rounds of narrowing and widening the band of rows in play.
    exact : bool
        Whether gap and violation are both below 1e-9.
    """

    multipliers: np.ndarray
    decision: np.ndarray
    objective: float
    dual_bound: float
    gap: float
    violation: float
    n_randomized: int
    randomized: np.ndarray
    moments: np.ndarray
    n_rounds: int
    exact: bool
