"""What several tasks say as a system, and thresholds calibrated to a rate on validation data."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np
from scipy.special import logit

RULES = ("fpr", "tpr", "base_rate")
LEVELS = ("system", "task")
COMBINATIONS = ("max", "noisy_or")
RATES = {"fpr": "false positive rate", "tpr": "true positive rate", "base_rate": "rate of flags"}


class ThresholdWarning(UserWarning):
    """Thresholds cannot reach the rate that was asked for."""


def system_log_odds(scores: np.ndarray, combination: str) -> np.ndarray:
    r"""Log-odds that any task is positive, from those of each.

    Parameters
    ----------
    scores : ndarray of shape (n_samples, n_tasks)
    combination : {"max", "noisy_or"}
        The largest, right where one task implies the others; or those of
        :math:`1 - \prod_t (1 - p_t)`, right where tasks are independent given X.

    Returns
    -------
    ndarray of shape (n_samples,)

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.special import expit, logit
    >>> expit(system_log_odds(logit(np.array([[0.5, 0.2]])), "noisy_or"))
    array([0.6])
    """
    if combination == "max" or scores.shape[1] == 1:
        return scores.max(axis=1)
    # Minus the log of the probability that none is.
    none = np.logaddexp(0.0, scores.astype(float)).sum(axis=1)
    return none + np.log(np.maximum(-np.expm1(-none), np.finfo(float).tiny))


def check_thresholds(thresholds: Any, level: str, rate: Any, combination: str) -> None:
    """Refuse settings that are no thresholds, whatever the number of tasks.

    Raises
    ------
    ValueError
    """
    if level not in LEVELS:
        raise ValueError(f"threshold_level must be one of {list(LEVELS)}, got {level!r}.")
    if combination not in COMBINATIONS:
        raise ValueError(f"combination must be one of {list(COMBINATIONS)}, got {combination!r}.")
    has_one = level == "system" if isinstance(thresholds, str) else np.size(thresholds) == 1
    if combination != "max" and not has_one:
        raise ValueError(
            f"combination={combination!r} makes one probability for the system, so that it needs "
            f"one threshold, but thresholds={thresholds!r} with threshold_level={level!r} give one "
            f"a task. Give one number, or a rule with threshold_level='system'."
        )
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
    rate: float,
    names: Sequence[str],
) -> np.ndarray:
    """Thresholds on log-odds that reach a rate on these rows.

    Parameters
    ----------
    scores, Y : ndarray of shape (n_samples, n_columns)
        Log-odds, and labels 0 or 1: of each task, or of the system.
    rule : {"fpr", "tpr", "base_rate"}
        At most a false positive rate, at least a true positive rate, or as many flags as labels.
    rate : float
    names : sequence of str
        What each column is, for messages.

    Returns
    -------
    ndarray of shape (n_columns,)

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
    >>> calibrated_log_odds(scores, Y, rule="fpr", rate=0.34, names=["task 'toxic'"])
    array([1.5])
    """
    columns = zip(scores.T, Y.T, names, strict=True)
    return np.array([_threshold(s, y, rule, rate, name) for s, y, name in columns])


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
