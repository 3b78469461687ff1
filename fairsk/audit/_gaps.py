"""Gaps between groups, and how much one gap differs from another, with valid intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from fairsk.metrics import fold_to_worst, simultaneous_intervals

# Pairs of pairs of groups held at once: 32 MB.
MAX_PAIRS_AT_ONCE = 4_000_000


@dataclass(frozen=True)
class GroupValues:
    """A metric of each group of a family, with draws of its sampling error.

    Attributes
    ----------
    estimate : ndarray of shape (n_groups,)
        NaN where a group has no value.
    centre : ndarray of shape (n_groups,)
        The same, smoothed where small groups would look too certain; intervals are laid about it.
    deviations : ndarray of shape (n_draws, n_groups)
        Draws of the sampling error.
    """

    estimate: np.ndarray
    centre: np.ndarray
    deviations: np.ndarray

    @property
    def defined(self) -> np.ndarray:
        return ~np.isnan(self.estimate)

    @property
    def gap(self) -> float:
        """Largest minus smallest value; NaN where there are no two."""
        values = self.estimate[self.defined]
        return float(values.max() - values.min()) if len(values) > 1 else float("nan")

    def take(self, groups: np.ndarray) -> GroupValues:
        return GroupValues(self.estimate[groups], self.centre[groups], self.deviations[:, groups])


Interval = tuple[float, float, float]
UNDEFINED: Interval = (float("nan"), float("nan"), float("nan"))


def gap_interval(values: GroupValues, *, confidence: float) -> Interval:
    """The largest minus the smallest value of a group, with its interval.

    From simultaneous intervals of all pairs, so that it does not matter which groups happen to be
    the extreme ones in the sample.

    Parameters
    ----------
    values : GroupValues
    confidence : float

    Returns
    -------
    gap, lower, upper : float
        NaN where no two groups have a value.
    """
    known = np.flatnonzero(values.defined)
    if len(known) < 2:
        return UNDEFINED
    left, right = (known[index] for index in np.triu_indices(len(known), k=1))
    estimate = values.centre[left] - values.centre[right]
    intervals = simultaneous_intervals(
        estimate,
        values.deviations[:, left] - values.deviations[:, right],
        np.zeros(len(left)),
        confidence=confidence,
    ).including(values.estimate[left] - values.estimate[right])
    _, lower, upper = fold_to_worst(estimate, intervals.lower, intervals.upper)
    return values.gap, lower, upper


def gap_change(after: GroupValues, before: GroupValues, *, confidence: float) -> Interval:
    r"""How much larger one gap is than another, with an interval that holds whatever the signs.

    A gap is a maximum over ordered pairs of groups, :math:`\max_j a_j` after and
    :math:`\max_k b_k` before, and a difference of maxima is no smooth function: where groups are
    equal, sampling noise makes either gap positive, and the smaller sample's gap the larger. With
    k the pair that attains the gap before, the change is at least :math:`a_j - b_k` for every j.
    So, with c the normal quantile that all J pairs j stay below together (Bonferroni),

    .. math:: \max_j \min_k \; (\hat a_j - \hat b_k - c\, s_{jk})

    is a lower bound, and the upper one follows with the two exchanged.

    Parameters
    ----------
    after, before : GroupValues
        Of the same groups; their draws belong together where the same rows are in both.
    confidence : float
        Half of the rest is allowed for on either side.

    Returns
    -------
    change, lower, upper : float
        NaN where no two groups have a value in both.

    Examples
    --------
    >>> draws = np.random.default_rng(0).normal(scale=0.01, size=(2, 2000, 2))
    >>> def values(gap, deviations):
    ...     estimate = np.array([0.9, 0.9 - gap])
    ...     return GroupValues(estimate, estimate, deviations)
    >>> gap_change(values(0.1, draws[0]), values(0.0, draws[1]), confidence=0.95)
    (0.1, 0.06, 0.14)
    """
    known = np.flatnonzero(after.defined & before.defined)
    if len(known) < 2:
        return UNDEFINED
    after, before = after.take(known), before.take(known)
    lower = _lower_bound(after, before, confidence)
    upper = -_lower_bound(before, after, confidence)
    change = after.gap - before.gap
    return change, min(lower, change), max(upper, change)


def _lower_bound(after: GroupValues, before: GroupValues, confidence: float) -> float:
    """Of the gap after minus the gap before."""
    n_groups = len(after.estimate)
    left, right = (index[~np.eye(n_groups, dtype=bool)] for index in np.indices((n_groups,) * 2))
    a, b = (values.centre[left] - values.centre[right] for values in (after, before))
    a_error, b_error = (
        (values.deviations - values.deviations.mean(axis=0))[:, [left, right]]
        for values in (after, before)
    )
    a_error, b_error = a_error[:, 0] - a_error[:, 1], b_error[:, 0] - b_error[:, 1]
    b_variance = np.mean(b_error**2, axis=0)
    critical = norm.isf((1 - confidence) / 2 / len(a))
    best, step = -np.inf, max(1, MAX_PAIRS_AT_ONCE // len(b))
    for start in range(0, len(a), step):
        part = slice(start, start + step)
        covariance = a_error[:, part].T @ b_error / len(a_error)
        variance = np.mean(a_error[:, part] ** 2, axis=0)[:, None] + b_variance - 2 * covariance
        # Rounding can leave the variance of equal errors a hair below zero.
        margin = critical * np.sqrt(np.maximum(variance, 0))
        best = max(best, (a[part, None] - b - margin).min(axis=1).max())
    return float(best)
