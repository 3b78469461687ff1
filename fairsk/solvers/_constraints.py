"""The constraints on the moments, and the part of the dual that belongs to them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Constraints", "support"]


def support(multipliers: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> float:
    """Return ``upper . max(l, 0) + lower . min(l, 0)``, with 0 times inf being 0."""
    above, below = multipliers > 0, multipliers < 0
    return float(upper[above] @ multipliers[above] + lower[below] @ multipliers[below])


@dataclass(frozen=True)
class Constraints:
    """``lower <= contrasts @ moments <= upper``.

    Attributes
    ----------
    contrasts : ndarray of shape (r, q)
    lower, upper : ndarray of shape (r,)
    """

    contrasts: np.ndarray
    lower: np.ndarray
    upper: np.ndarray

    def prices(self, multipliers: np.ndarray) -> np.ndarray:
        """Return the price of each moment, ``contrasts.T @ multipliers``."""
        return self.contrasts.T @ multipliers

    def admissible(self, multipliers: np.ndarray) -> np.ndarray:
        """Return the multipliers without those that price a bound that is not there.

        A rounding error of the wrong sign on a one-sided row would make the dual infinite.
        """
        multipliers = np.where(np.isneginf(self.lower), np.maximum(multipliers, 0), multipliers)
        return np.where(np.isposinf(self.upper), np.minimum(multipliers, 0), multipliers)

    def support(self, multipliers: np.ndarray) -> float:
        """Return the support function of the box of bounds."""
        return support(multipliers, self.lower, self.upper)

    def violation(self, moments: np.ndarray) -> float:
        """Return how far the worst row is outside its bounds."""
        values = self.contrasts @ moments
        excess = np.maximum(self.lower - values, values - self.upper)
        return float(max(0.0, excess.max(initial=0.0)))

    def residual(self, multipliers: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Return how far ``values`` are from the subdifferential of the support function.

        Zero in every row is the optimality condition: the row's value lies within its
        bounds, and at the bound which the sign of its multiplier names.
        """
        floor = np.where(multipliers > 0, self.upper, self.lower)
        ceiling = np.where(multipliers < 0, self.lower, self.upper)
        return np.maximum(0.0, np.maximum(floor - values, values - ceiling))
