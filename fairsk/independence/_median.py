"""Median of pairwise distances without the n x n matrix."""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import cdist, pdist

# Up to this many rows all pairwise distances are computed; beyond, with several columns, a sample.
MAX_ROWS_OF_ALL_PAIRS = 3_000
N_SAMPLED_PAIRS = 4_000_000
# Relative error of a difference of two numbers of a similar size, generously.
ROUNDING = 1e-13


def median_distance(points: np.ndarray, *, positive: bool = False) -> float:
    """Median of the Euclidean distances of all pairs of rows.

    Exact for one column (O(n log n) by bisection), for up to 3,000 rows and for up to 3,000
    distinct rows. Otherwise the median of four million random pairs, drawn with a fixed seed from
    the sorted rows so that it does not depend on their order; its relative standard error is
    about 0.0005 divided by the density of the distances at their median (in units of the median).

    Parameters
    ----------
    points : ndarray of shape (n_samples, n_columns)
    positive : bool, default=False
        Whether pairs of equal rows are left out. (Of more than 3,000 values in one column, each
        then counts once.)

    Returns
    -------
    float
        0 if there is no pair.

    Examples
    --------
    >>> median_distance(np.array([[0.0], [1.0], [3.0], [7.0]]))
    3.5
    """
    if points.shape[1] == 1:
        values, counts = np.unique(points[:, 0], return_counts=True)
        distinct = values[:, None]
    else:
        distinct, counts = np.unique(points, axis=0, return_counts=True)
    if len(distinct) <= MAX_ROWS_OF_ALL_PAIRS:
        return _weighted_median(distinct, counts, positive)
    if points.shape[1] == 1:
        return _bisect(values if positive else np.sort(points[:, 0]))
    rng = np.random.default_rng(0)
    rows = np.sort(rng.integers(0, len(points), N_SAMPLED_PAIRS))
    other = (rows + rng.integers(1, len(points), N_SAMPLED_PAIRS)) % len(points)
    ordered = np.repeat(distinct, counts, axis=0)
    square = np.zeros(N_SAMPLED_PAIRS)
    for column in ordered.T:
        square += (column[rows] - column[other]) ** 2
    if positive:
        square = square[square > 0]
    return float(np.sqrt(np.median(square))) if len(square) else 0.0


def _weighted_median(distinct: np.ndarray, counts: np.ndarray, positive: bool) -> float:
    """Median over all pairs of rows, from distinct rows and how often each occurs."""
    if counts.max() == 1:
        return float(np.median(pdist(distinct))) if len(distinct) > 1 else 0.0
    i, j = np.triu_indices(len(distinct), 1)
    distance = cdist(distinct, distinct)[i, j]
    weight = counts[i] * counts[j]
    if not positive:
        distance = np.append(distance, 0.0)
        weight = np.append(weight, (counts * (counts - 1) // 2).sum())
    order = np.argsort(distance)
    below = np.cumsum(weight[order])
    if not len(below) or not below[-1]:
        return 0.0
    middle = [(below[-1] - 1) // 2, below[-1] // 2]
    return float(distance[order][np.searchsorted(below, middle, side="right")].mean())


def _bisect(x: np.ndarray) -> float:
    """Median of ``|x_i - x_j|`` over all pairs i < j, in O(n log n).

    The number of pairs within a distance t is a sum of binary searches in the sorted values.
    Bisection in t narrows the median down until a few pairs are left, which are then sorted.

    Parameters
    ----------
    x : ndarray of shape (n_samples,)
        Sorted.

    Returns
    -------
    float
        The mean of the two middle distances where the number of pairs is even.
    """
    n = len(x)
    n_pairs = n * (n - 1) // 2
    first, second = (n_pairs - 1) // 2, n_pairs // 2
    rows = np.arange(n)
    # Of the row i, the pairs (i, j) with j < begin[i] are shorter than any candidate, and those
    # with j >= end[i] are longer.
    begin, end = rows + 1, np.full(n, n)
    # One that is not positive, for the many pairs of equal values that there may be.
    low, high, middle = -1.0, float(x[-1] - x[0]), 0.0
    while (end - begin).sum() > 4 * n:
        if high <= 0:
            return 0.0
        if high - low <= ROUNDING * high:
            return float(_shortest(x, begin))  # the candidates are equal but for rounding
        split = np.clip(np.searchsorted(x, x + middle, side="right"), begin, end)
        count = int((split - rows - 1).sum())
        if count > second:
            high, end = middle, split
        elif count <= first:
            low, begin = middle, split
        else:  # the two middle distances lie on either side
            return float(_longest(x, split) + _shortest(x, split)) / 2
        middle = low + (high - low) / 2
    length = end - begin
    owner = np.repeat(rows, length)
    position = np.arange(len(owner)) - np.repeat(np.cumsum(length) - length, length)
    candidates = np.sort(x[np.repeat(begin, length) + position] - x[owner])
    shorter = int((begin - rows - 1).sum())
    return float(candidates[first - shorter] + candidates[second - shorter]) / 2


def _longest(x: np.ndarray, split: np.ndarray) -> np.floating:
    """The longest of the pairs (i, j) with i < j < split[i]."""
    return (x[split - 1] - x).max()


def _shortest(x: np.ndarray, split: np.ndarray) -> np.floating:
    """The shortest of the pairs (i, j) with j >= split[i]."""
    rows = np.flatnonzero(split < len(x))
    return (x[split[rows]] - x[rows]).min()
