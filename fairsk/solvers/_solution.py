"""What the plug-in solver returns, and what it raises."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from fairsk.solvers._reduction import Reduction

__all__ = ["CompactDecision", "InfeasibleConstraintsError", "PlugInSolution"]


class InfeasibleConstraintsError(ValueError):
    """No decision rule meets the constraints.

    Parameters
    ----------
    message : str
    smallest_relaxation : float
        Smallest ``t >= 0`` for which ``lower - t`` and ``upper + t`` can be met; NaN if it was
        not asked for.
    """

    def __init__(self, message: str, smallest_relaxation: float):
        super().__init__(message)
        self.smallest_relaxation = smallest_relaxation

    def __reduce__(self):
        return type(self), (self.args[0], self.smallest_relaxation)


@dataclass(frozen=True, eq=False)
class CompactDecision:
    """The decision of all rows, kept as that of the rows which were in play.

    On a path of millions of rows, writing every level's decision out would take as long as
    finding it.

    Attributes
    ----------
    values : ndarray of shape (m,)
        Probability of accepting the rows that the last reduction left.
    reductions : tuple of Reduction
        From all rows, or atoms, to these, first to last.
    atom : ndarray of shape (n,) or None
        The atom of each row where identical rows were merged.
    """

    values: np.ndarray
    reductions: tuple[Reduction, ...]
    atom: np.ndarray | None

    def full(self) -> np.ndarray:
        """Return the probability of accepting each of the n rows."""
        decision = self.values
        for reduction in reversed(self.reductions):
            decision = reduction.full_decision(decision)
        return decision if self.atom is None else decision[self.atom]

    def randomized(self) -> np.ndarray:
        """Return the rows decided by chance, in order."""
        rows = np.flatnonzero((self.values > 0) & (self.values < 1))
        for reduction in reversed(self.reductions):
            rows = reduction.index[rows]
        return rows if self.atom is None else np.flatnonzero(np.isin(self.atom, rows))


@dataclass(frozen=True, eq=False)
class PlugInSolution:
    """Optimal rule of a plug-in problem, with its certificate.

    Attributes
    ----------
    multipliers : ndarray of shape (r,)
        Signed Lagrange multipliers: positive where the upper bound is active,
        negative where the lower one is.
    decision : ndarray of shape (n,)
        Probability of accepting each row, put together when it is first read. Identical
        rows have equal decisions.
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
    objective: float
    dual_bound: float
    gap: float
    violation: float
    n_randomized: int
    randomized: np.ndarray
    moments: np.ndarray
    n_rounds: int
    exact: bool
    compact: CompactDecision = field(repr=False)

    @cached_property
    def decision(self) -> np.ndarray:
        """Probability of accepting each row."""
        return self.compact.full()
