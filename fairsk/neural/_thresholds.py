"""Thresholds of several tasks, calibrated to a rate on validation data."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np
from scipy.special import logit

RULES = ("fpr", "tpr", "base_rate")
LEVELS = ("system", "task")
RATES = {"fpr": "false positive rate", "tpr": "true positive rate", "base_rate": "rate of flags"}


class ThresholdWarning(UserWarning):
    """Thresholds cannot reach the rate that was asked for."""


def check_thresholds(thresholds: Any, level: str, rate: Any) -> None:
    """Refuse settings that are no thresholds, whatever the number of tasks.

    Raises
    ------
    ValueError
    """
    if level not in LEVELS:
        raise ValueError(f"threshold_level must be one of {list(LEVELS)}, got {level!r}.")
    if isinstance(thresholds, str):
        if thresholds not in RULES:
            raise ValueError(
                f"thresholds must be a number in (0, 1), one a task, or one of {list(RULES)}, got "
                f"{thresholds!r}."
            )
        if thresholds != "base_rate" and not (isinstance(rate, Real) and 0 < float(rate) < 1):
            raise ValueError(
                f"target_rate is the {RATES[thresholds]} to reach, between 0 and 1, got {rate!r}."
            )
        return
    try:
        values = np.asarray(thresholds, dtype=float)
    except (TypeError, ValueError):
        values = np.array(np.nan)
    if values.ndim > 1 or values.size == 0 or not np.all((values > 0) & (values < 1)):
        raise ValueError(
            f"thresholds must be probabilities in (0, 1), one or one a task, or one of "
            f"{list(RULES)}, got {thresholds!r}."
        )


def fixed_log_odds(thresholds: Any, n_tasks: int) -> np.ndarray:
    """Given thresholds as log-odds, one a task; a rule starts at one half.

    Raises
    ------
    ValueError
        If their number is neither one nor that of the tasks.
    """
    if isinstance(thresholds, str):
        return np.zeros(n_tasks)
    values = np.atleast_1d(np.asarray(thresholds, dtype=float))
    if len(values) not in (1, n_tasks):
        raise ValueError(f"thresholds has {len(values)} values, but there are {n_tasks} tasks.")
    return np.broadcast_to(logit(values), n_tasks).copy()


def calibrated_log_odds(
    scores: np.ndarray,
    Y: np.ndarray,
    *,
    rule: str,
    level: str,
    rate: float,
    names: Sequence[str],
) -> np.ndarray:
    """Thresholds on log-odds that reach a rate on these rows.

    Parameters
    ----------
    scores, Y : ndarray of shape (n_samples, n_tasks)
        Log-odds, and labels 0 or 1.
    rule : {"fpr", "tpr", "base_rate"}
        At most a false positive rate, at least a true positive rate, or as many flags as labels.
    level : {"system", "task"}
        One threshold for all tasks, so that the system (any task over it) has the rate; or one a
        task, so that each has.
    rate : float
    names : sequence of str
        Of the tasks.

    Returns
    -------
    ndarray of shape (n_tasks,)

    Raises
    ------
    ValueError
        If there is no row to compute the rate from.

    Warns
    -----
    ThresholdWarning
        If no threshold comes within one row of the rate, as scores tie, or the rate is less than
        one row.

    Examples
    --------
    >>> scores, Y = np.array([[0.0], [1.0], [2.0], [3.0]]), np.array([[0], [0], [0], [1]])
    >>> calibrated_log_odds(scores, Y, rule="fpr", level="task", rate=0.34, names=["toxic"])
    array([1.5])
    """
    if level == "system":
        scores, Y = scores.max(axis=1, keepdims=True), Y.max(axis=1, keepdims=True)
        what = ["the system"]
    else:
        what = [f"task {name!r}" for name in names]
    found = [_threshold(scores[:, t], Y[:, t], rule, rate, what[t]) for t in range(scores.shape[1])]
    return np.broadcast_to(found, len(names)).copy()


def _threshold(scores: np.ndarray, y: np.ndarray, rule: str, rate: float, what: str) -> float:
    if rule == "base_rate":
        pool, rate = scores, float(y.mean())
    else:
        pool = scores[y == (0 if rule == "fpr" else 1)]
    n = len(pool)
    if n == 0:
        raise ValueError(
            f"The {RATES[rule]} of {what} cannot be calibrated: no validation row is "
            f"{'negative' if rule == 'fpr' else 'positive'}. Use more validation rows or a fixed "
            f"threshold."
        )
    # Rounded against the noise of, say, 0.1 * 30.
    above = round(rate * n, 9)
    k = {"fpr": np.floor, "tpr": np.ceil, "base_rate": np.rint}[rule](above).astype(int)
    ordered = np.sort(pool)[::-1].astype(float)
    upper = ordered[k - 1] if k > 0 else ordered[0] + 2.0
    lower = ordered[k] if k < n else ordered[-1] - 2.0
    # In the middle; of tied scores none or all are above, whichever keeps the promise.
    threshold = (upper + lower) / 2 if upper > lower else upper
    if upper == lower and rule == "tpr":
        smaller = ordered[ordered < upper]
        threshold = (upper + smaller[0]) / 2 if len(smaller) else upper - 1.0
    reached = float(np.mean(pool > threshold))
    if abs(reached - rate) > 1 / n or (k == 0 and rate > 0):
        warnings.warn(
            f"The {RATES[rule]} of {what} was to be {rate:.4g}, but the nearest that a threshold "
            f"reaches on the {n} validation rows it is computed from is {reached:.4g}: they are "
            f"too few, or their predictions tie.",
            ThresholdWarning,
            stacklevel=4,
        )
    return float(threshold)
