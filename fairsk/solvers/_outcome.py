"""Where the solution of one problem ended, before it is made public."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fairsk.solvers._reduction import Reduction

__all__ = ["GAP", "Outcome"]

# Duality gap aimed at, relative to the unit of the objective: a hundredth of what
# is promised, a hundred times what float64 sums of two million terms resolve.
GAP = 1e-11
_VIOLATION = 1e-10


@dataclass(frozen=True)
class Outcome:
    """Rule and multipliers with the bounds that certify them.

    Attributes
    ----------
    multipliers : ndarray of shape (r,)
    decision : ndarray of shape (n,)
    moments : ndarray of shape (q,)
    objective, dual_bound, gap, violation : float
    n_rounds : int
    infeasible : bool
        The dual fell below what any rule can reach, so that no rule is feasible.
    reductions : tuple of Reduction
        What led from all rows to the n that the decision is for, first to last.
    """

    multipliers: np.ndarray
    decision: np.ndarray
    moments: np.ndarray
    objective: float
    dual_bound: float
    gap: float
    violation: float
    n_rounds: int
    infeasible: bool
    reductions: tuple[Reduction, ...] = ()

    @property
    def settled(self) -> bool:
        """Whether nothing is left to gain."""
        return self.gap <= GAP and self.violation <= _VIOLATION

    @property
    def loss(self) -> float:
        """What one outcome is preferred to another by."""
        return max(0.0, self.violation) + abs(self.gap)
