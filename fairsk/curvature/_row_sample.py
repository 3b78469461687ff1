"""Unequal probability sampling of rows, without replacement and of a fixed size."""

from __future__ import annotations

import numpy as np


def inclusion_probabilities(amounts: np.ndarray, n_rows: int) -> np.ndarray:
    """Probabilities proportional to nonnegative amounts, at most one, that sum to n_rows.

    Where fewer amounts than that are positive, those have probability one.

    Parameters
    ----------
    amounts : ndarray of shape (n_samples,)
    n_rows : int

    Returns
    -------
    ndarray of shape (n_samples,)

    Examples
    --------
    >>> inclusion_probabilities(np.array([8.0, 1.0, 1.0, 0.0]), 2)
    array([1. , 0.5, 0.5, 0. ])
    """
    descending = np.sort(amounts)[::-1]
    if n_rows >= np.count_nonzero(amounts):
        return (amounts > 0).astype(float)
    # With the k largest drawn for certain, the others share what is left.
    rest = np.cumsum(descending[::-1])[::-1][:n_rows]
    n_certain = int(np.argmin(descending[:n_rows] * (n_rows - np.arange(n_rows)) > rest))
    return np.minimum(1.0, amounts * ((n_rows - n_certain) / rest[n_certain]))


def draw_rows(probability: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Sorted rows, each drawn with its probability: every unit step along them, in random order.

    References
    ----------
    Systematic sampling with unequal probabilities (Madow 1949), the order randomised.
    """
    order = rng.permutation(np.flatnonzero(probability))
    ends = np.cumsum(probability[order])
    steps = rng.random() + np.arange(round(ends[-1]) if len(ends) else 0)
    return np.sort(order[np.searchsorted(ends[:-1], steps, side="right")])
