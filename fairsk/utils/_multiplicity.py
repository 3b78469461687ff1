"""P-values of many hypotheses, adjusted so that they may be read together."""

from __future__ import annotations

import numpy as np
from scipy.stats import false_discovery_control


def adjust_holm(pvalues: np.ndarray) -> np.ndarray:
    """Holm's step-down p-values: valid whatever the dependence between hypotheses.

    Rejecting those at most alpha, the probability of any false rejection is at most alpha.

    Parameters
    ----------
    pvalues : ndarray of shape (n_hypotheses,)
        NaN is a hypothesis that was not tested: it stays NaN and does not count.

    Returns
    -------
    ndarray of shape (n_hypotheses,)

    Examples
    --------
    >>> adjust_holm(np.array([0.01, 0.04, np.nan, 0.03]))
    array([0.03, 0.06,  nan, 0.06])
    """
    adjusted = np.full(len(pvalues), np.nan)
    order = np.argsort(pvalues, kind="stable")[: int((~np.isnan(pvalues)).sum())]
    factor = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(pvalues[order] * factor), 1.0)
    return adjusted


def adjust_benjamini_hochberg(pvalues: np.ndarray) -> np.ndarray:
    """Benjamini and Hochberg's q-values, for independent or positively dependent hypotheses.

    Rejecting those at most alpha, the expected share of false ones among the rejections is at
    most alpha.

    Parameters
    ----------
    pvalues : ndarray of shape (n_hypotheses,)
        NaN as in `adjust_holm`.

    Returns
    -------
    ndarray of shape (n_hypotheses,)

    Examples
    --------
    >>> adjust_benjamini_hochberg(np.array([0.01, 0.04, np.nan, 0.03]))
    array([0.03, 0.04,  nan, 0.04])
    """
    adjusted = np.full(len(pvalues), np.nan)
    tested = ~np.isnan(pvalues)
    if tested.any():
        adjusted[tested] = false_discovery_control(pvalues[tested], method="bh")
    return adjusted
