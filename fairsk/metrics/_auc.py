"""How well scores rank the members of each group."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fairsk.metrics._inputs import LabelledDecisions, check_labelled_decisions
from fairsk.notions import apply_empty_rule, check_empty, check_measure


def group_auc_gap(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    sensitive_features: Any,
    contrast: str = "groups",
    sample_weight: ArrayLike | None = None,
    groups: str = "intersectional",
    empty: str = "nan",
    pos_label: Any = None,
) -> float:
    r"""Gap between groups in the area under the ROC curve.

    .. math:: \max_a AUC_a - \min_a AUC_a \quad\text{or}\quad \max_a |AUC_a - AUC|

    It compares how well scores rank positives above negatives *within* each group; it does not
    see a score that is shifted for a whole group, which a common threshold turns into unequal
    rates. Look at `fairness_violation` of the decisions as well.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Any two labels.
    y_score : array-like of shape (n_samples,)
        Finite scores, larger for ``pos_label``; not only in [0, 1].
    sensitive_features, sample_weight, groups, pos_label
        As in `fairness_violation`.
    contrast : {"groups", "population"}, default="groups"
        Largest minus smallest, or the largest distance from the AUC of all rows of known group.
    empty : {"nan", "raise", "skip"}, default="nan"
        When a group has rows of one label only: NaN with a warning, an error, or the group is
        left out with the warning.

    Returns
    -------
    float
        In [0, 1]; 0 is parity.

    Raises
    ------
    ValueError
        As in `fairness_violation`, or if a score is not a finite number.

    Examples
    --------
    >>> from fairsk.metrics import group_auc_gap
    >>> y_true, y_score = [0, 1, 0, 1, 0, 1], [0.1, 0.9, 0.4, 0.6, 0.7, 0.2]
    >>> group_auc_gap(y_true, y_score, sensitive_features=["f", "f", "f", "f", "m", "m"])
    1.0
    """
    check_empty(empty)
    check_measure("difference", contrast)
    inputs = check_labelled_decisions(
        y_true,
        y_score,
        sensitive_features=sensitive_features,
        sample_weight=sample_weight,
        groups=groups,
        pos_label=pos_label,
        scores=True,
    )
    disparities = [_of_family(inputs, codes, contrast) for codes in inputs.groups.codes.T]
    defined = apply_empty_rule(
        np.concatenate(disparities)[None, :],
        inputs.groups.family_of,
        what="The group AUC gap",
        rate_names=("the AUC (which needs both labels)",),
        empty=empty,
        labels=inputs.group_labels,
    )
    return float(np.abs(defined).max())


def _of_family(inputs: LabelledDecisions, codes: np.ndarray, contrast: str) -> np.ndarray:
    """AUC of each group of a family minus the smallest one, or minus the population's."""
    auc = np.array([_auc(inputs, codes == a) for a in range(codes.max() + 1)])
    reference = _auc(inputs, codes >= 0) if contrast == "population" else np.fmin.reduce(auc)
    return auc - reference


def _auc(inputs: LabelledDecisions, rows: np.ndarray) -> float:
    """AUC of some rows; NaN where they lack one of the labels."""
    weight = inputs.sample_weight
    chosen = None if weight is None else weight[rows]
    return auc_and_error(inputs.y[rows], inputs.decision[rows], chosen)[0]


def auc_and_error(
    y: np.ndarray, score: np.ndarray, weight: np.ndarray | None = None
) -> tuple[float, float]:
    r"""Area under the ROC curve, and its standard error without resampling.

    With :math:`V_i` the share of negatives below positive i (ties count half) and :math:`V_j` the
    share of positives above negative j, the AUC is the mean of either, and its variance
    :math:`Var(V_i) / m + Var(V_j) / n` (DeLong, DeLong and Clarke-Pearson, 1988). Each label gets
    one pseudo-row ranked at random, so that perfect scores on a few rows are not without error.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Labels, 0 or 1.
    score : ndarray of shape (n_samples,)
    weight : ndarray of shape (n_samples,), optional

    Returns
    -------
    auc, standard_error : float
        NaN where a label is missing.

    Examples
    --------
    >>> auc, error = auc_and_error(np.array([0, 0, 1, 1]), np.array([1.0, 2.0, 2.0, 3.0]))
    >>> auc
    0.875
    """
    weight = np.ones(len(y)) if weight is None else weight
    kept = weight > 0
    y, score, weight = y[kept], score[kept], weight[kept]
    positive, negative = y == 1, y == 0
    if not positive.any() or not negative.any():
        return float("nan"), float("nan")
    above = _share_below(score[negative], weight[negative], score[positive])
    below = 1 - _share_below(score[positive], weight[positive], score[negative])
    auc = float(np.average(above, weights=weight[positive]))
    variance = _variance_of_mean(above, weight[positive]) + _variance_of_mean(
        below, weight[negative]
    )
    return auc, float(np.sqrt(variance))


def _share_below(values: np.ndarray, weight: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Weighted share of values below each point, those equal to it counted half."""
    order = np.argsort(values, kind="stable")
    sums = np.r_[0.0, np.cumsum(weight[order])]
    first = np.searchsorted(values[order], at, side="left")
    last = np.searchsorted(values[order], at, side="right")
    return (sums[first] + sums[last]) / (2 * sums[-1])


def _variance_of_mean(values: np.ndarray, weight: np.ndarray) -> float:
    """Of a weighted mean of shares, with a pseudo-row of one half."""
    values, weight = np.r_[values, 0.5], np.r_[weight, weight.mean()]
    deviation = values - np.average(values, weights=weight)
    return float(np.sum((weight * deviation) ** 2) / weight.sum() ** 2)
