"""Rows on the boundary of a rule: told apart, and decided, by what the rule sees of them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np

from fairsk.notions import LinearConstraints
from fairsk.solvers._atoms import group_identical

__all__ = [
    "distinct_keys",
    "makes_up_for_cost",
    "posterior_window",
    "search_roundings",
    "split_posterior",
    "whole_or_none",
]

# Up to 2 ** this many roundings of the tied atoms are all tried.
MAX_ENUMERATED_TIES = 10


def distinct_keys(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distinct keys, a row of each, which each row has; four times as fast as `numpy.unique`.

    Returns
    -------
    distinct : ndarray of shape (n_distinct, n_values)
    first : ndarray of int of shape (n_distinct,)
    place : ndarray of int of shape (n_rows,)
    """
    first, place = group_identical(keys[:, 0], keys[:, 1:])
    return keys[first], first, place


def whole_or_none(decision: np.ndarray) -> np.ndarray:
    """Windows of the posterior that decide single atoms as given."""
    return np.column_stack(
        [np.where(decision > 0.5, -np.inf, np.inf), np.full(len(decision), np.inf)]
    )


def makes_up_for_cost(constraints: LinearConstraints, groups: np.ndarray) -> bool:
    """Whether multipliers can offset another cost in all of these groups: ties would stay.

    They can where the constraints price both labels of a group, as for equalized odds.

    Parameters
    ----------
    constraints : LinearConstraints
    groups : ndarray of shape (n_keys, n_families)
        Groups of the tied rows, one in each family; -1 is unknown.
    """
    codes = groups.astype(int)
    if (codes < 0).any() or len(codes) == 0:
        return False
    n_rates, _, n_groups = constraints.coefficients.shape
    by_rate = constraints.contrasts.reshape(-1, n_rates, n_groups)
    costs = np.einsum("kra,rya->yak", by_rate, constraints.coefficients)
    prices = costs[:, codes].sum(axis=2).reshape(-1, len(by_rate))
    change, *_ = np.linalg.lstsq(prices, np.ones(len(prices)))
    return bool(np.abs(prices @ change - 1).max() < 1e-6)


def split_posterior(
    eta: np.ndarray, weight: np.ndarray, decision: np.ndarray
) -> tuple[float, tuple[float, float]]:
    """A split of sorted posteriors and probabilities below and above it, masses kept."""
    mass, positive = weight @ decision, (weight * eta) @ decision
    total, total_positive = weight.sum(), weight @ eta
    # Mass of the rows above each candidate, which lies between different posteriors.
    last = np.flatnonzero(np.diff(eta) > 0)
    if not len(last):
        return -np.inf, (mass / total, mass / total)
    above = total - np.cumsum(weight)[last]
    above_positive = total_positive - np.cumsum(weight * eta)[last]
    # low * total + (high - low) * above = mass, and the same for the positives.
    determinant = total * above_positive - total_positive * above
    low = (mass * above_positive - positive * above) / determinant
    high = low + (total * positive - total_positive * mass) / determinant
    outside = np.maximum(np.maximum(-low, low - 1), np.maximum(-high, high - 1)).clip(1e-12)
    # Of the splits whose probabilities are in [0, 1], the one nearest to a plain threshold.
    best = np.lexsort([np.abs(above - mass), outside])[0]
    return float(eta[last[best]]), (float(low[best].clip(0, 1)), float(high[best].clip(0, 1)))


def posterior_window(
    eta: np.ndarray, weight: np.ndarray, decision: np.ndarray
) -> tuple[float, float]:
    """A window of sorted posteriors with the selected masses, as nearly as rows allow."""
    mass, positive = weight @ decision, (weight * eta) @ decision
    ends = np.append(0.0, np.cumsum(weight))
    sums = np.append(0.0, np.cumsum(weight * eta))
    starts = np.flatnonzero(ends + mass <= ends[-1] * (1 + 1e-12))
    found = np.interp(ends[starts] + mass, ends, sums) - sums[starts]
    start = starts[np.abs(found - positive).argmin()]
    stop = int(np.abs(ends - ends[start] - mass).argmin())
    if stop <= start:
        return np.inf, np.inf
    return (float(eta[start - 1]) if start else -np.inf), float(eta[stop - 1])


def search_roundings(probability: np.ndarray, badness: Callable) -> np.ndarray:
    """All roundings of a few atoms; one at a time from the nearest rounding for many."""
    if len(probability) <= MAX_ENUMERATED_TIES:
        return min((np.array(r) for r in product((0.0, 1.0), repeat=len(probability))), key=badness)
    current = probability.round()
    for _ in range(len(current)):
        flips = [
            np.where(np.arange(len(current)) == j, 1 - current, current)
            for j in range(len(current))
        ]
        best = min(flips, key=badness)
        if badness(best) >= badness(current):
            break
        current = best
    return current
