"""The rows that can change side between several vectors of prices, all others summed up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fairsk.solvers._rows import Rows

__all__ = ["Reduction", "reduce_rows"]

# Share of the room by which it may be widened to get by with fewer prices.
_BESIDE = 0.2


@dataclass(frozen=True)
class Reduction:
    """A problem on fewer rows that agrees with the whole one near given prices.

    Attributes
    ----------
    rows : Rows
        The rows whose side is open, with the sums of the others.
    index : ndarray of shape (m,)
        Which rows of the full data these are.
    accepted : ndarray of shape (n,), bool
        The rows accepted at all prices near the given ones.
    centers : ndarray of shape (L, q)
    room : ndarray of shape (q,)
        Objective, moments and dual are those of the whole data at all prices that
        differ from one of the centers by no more than this.
    """

    rows: Rows
    index: np.ndarray
    accepted: np.ndarray
    centers: np.ndarray
    room: np.ndarray

    def covers(self, prices: np.ndarray) -> bool:
        """Whether sums at these prices are those of the whole data."""
        return bool((np.abs(self.centers - prices) <= self.room).all(axis=1).any())

    def full_decision(self, decision: np.ndarray) -> np.ndarray:
        """Return the decision of every row, given that of the open ones."""
        full = self.accepted.astype(np.float64)
        full[self.index] = decision
        return full


def reduce_rows(rows: Rows, centers: np.ndarray, room: np.ndarray, most: float) -> Reduction | None:
    """Return the reduction to the rows whose side the prices leave open, in one pass.

    Parameters
    ----------
    rows : Rows
    centers : ndarray of shape (L, q)
    room : ndarray of shape (q,)
        Distance from a center, price by price, to be covered.
    most : float
        Share of the rows beyond which it isn't worth while.

    Returns
    -------
    Reduction or None
        None where more rows than that are open, or none at all.
    """
    middle = 0.5 * (centers.max(axis=0) + centers.min(axis=0))
    half = 0.5 * np.ptp(centers, axis=0) + room
    corners, around = _corners(centers, room)
    accepted, index = np.empty(len(rows), dtype=bool), []
    moments, value, n_open = np.zeros(rows.n_basis) + rows.base_moments, rows.base_value, 0
    for part, basis in rows.blocks():
        scores = rows.scores[part]
        if isinstance(basis, np.ndarray):
            low, high = _hull(scores, basis, corners, around)
        else:
            # A row with one entry meets the ends of an interval of prices exactly.
            at_middle, reach = scores - basis @ middle, abs(basis) @ half
            low, high = at_middle - reach, at_middle + reach
        # Sums of a few products in another order: rounding must not fix a tied row.
        slack = 1e-12 * (np.abs(scores) + high - low)
        accepted[part] = low > slack
        index.append(np.flatnonzero((low <= slack) & (high >= -slack)) + part.start)
        n_open += len(index[-1])
        if n_open > most * len(rows):
            return None
        chosen = np.where(accepted[part], rows.weights[part], 0.0)
        moments += basis.T @ chosen
        value += float(chosen @ scores)
    if n_open == 0:
        return None
    index = np.concatenate(index)
    scores, basis = rows.take(index)
    left = Rows(scores, basis, rows.weights[index], base_moments=moments, base_value=value)
    # Rounding of the prices in the test that they are covered.
    return Reduction(left, index, accepted, centers, room * (1 - 1e-9))


def _corners(centers: np.ndarray, room: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return few prices, and the room around the lines between them that holds all centers.

    Margins are linear in the prices: between two corners they are between those at either.
    """
    n_centers, count = len(centers), 3
    while count < n_centers:
        at = np.unique(np.linspace(0, n_centers - 1, count).round().astype(int))
        lines = np.array(
            [np.interp(np.arange(n_centers), at, column) for column in centers[at].T]
        ).T
        beside = np.abs(centers - lines).max(axis=0)
        if (beside <= _BESIDE * room).all():
            return centers[at], room + beside
        count = 2 * count - 1
    return centers, room


def _hull(scores, basis, corners, room) -> tuple[np.ndarray, np.ndarray]:
    """Return the lowest and highest margin around any of the corners."""
    payments = corners @ basis.T
    reach = np.abs(basis) @ room
    return scores - payments.max(axis=0) - reach, scores - payments.min(axis=0) + reach
