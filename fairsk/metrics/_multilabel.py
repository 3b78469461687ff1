"""Overall equal opportunity of a system of classifiers, by membership indicators."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fairsk.metrics._inputs import check_binary, check_weight
from fairsk.notions import cell_masses, check_empty, get_notion, report_undefined
from fairsk.utils import GroupFamily, Groups, check_same_rows, check_sensitive_features


def overall_equal_opportunity_difference(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    sensitive_features: Any,
    sample_weight: ArrayLike | None = None,
    empty: str = "nan",
    pos_label: Any = None,
) -> np.ndarray:
    r"""Gap in the system's false positive rate between members and non-members of each group.

    With the system's label :math:`Y = \max_t Y_t` and decision :math:`h = \max_t h_t`,

    .. math:: d_{EO,m} = |FPR_{G_m=1} - FPR_{G_m=0}|, \quad FPR_{G_m=g} = P(h=1 | Y=0, G_m=g).

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_samples,) or (n_samples, n_tasks)
        Labels of each task, joined by their maximum; decisions in [0, 1] only for one task.
    sensitive_features : array-like of shape (n_samples,) or (n_samples, n_groups)
        Membership indicators, 0 or 1, not exclusive; missing is unknown and left out of that
        group's value.
    sample_weight : array-like of shape (n_samples,), optional
    empty : {"nan", "raise"}, default="nan"
        When a group has no negative rows in or outside of it: NaN with a warning, or an error.
    pos_label : label, optional
        The larger of the two labels by default.

    Returns
    -------
    ndarray of shape (n_groups,)
        In [0, 1]; 0 is parity.

    Raises
    ------
    ValueError
        If a membership is neither 0, 1 nor missing, or the inputs do not match.

    References
    ----------
    MinDiff-IO, equation 10.

    Examples
    --------
    >>> from fairsk.metrics import overall_equal_opportunity_difference
    >>> y_true = [[0, 0], [0, 0], [0, 0], [0, 0], [0, 1]]
    >>> y_pred = [[0, 1], [0, 0], [1, 0], [1, 1], [1, 1]]
    >>> member = [[1, 0], [1, 0], [0, 0], [0, 1], [1, None]]
    >>> overall_equal_opportunity_difference(y_true, y_pred, sensitive_features=member)
    array([0.5 , 0.333])
    """
    outside, inside = _false_positive_rates(
        y_true, y_pred, sensitive_features, sample_weight, empty, pos_label
    )
    return np.abs(inside - outside)


def overall_equal_opportunity_ratio(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    sensitive_features: Any,
    sample_weight: ArrayLike | None = None,
    empty: str = "nan",
    pos_label: Any = None,
) -> np.ndarray:
    r"""Ratio of the system's false positive rates of members and non-members of each group.

    .. math:: r_{EO,m} = FPR_{G_m=1} / FPR_{G_m=0}

    Parameters
    ----------
    y_true, y_pred, sensitive_features, sample_weight, empty, pos_label
        As in `overall_equal_opportunity_difference`.

    Returns
    -------
    ndarray of shape (n_groups,)
        1 is parity, also when both rates are zero; above 1 the group's members are flagged
        wrongly more often, infinitely so if that never happens to others.

    References
    ----------
    MinDiff-IO, equation 11.

    Examples
    --------
    >>> from fairsk.metrics import overall_equal_opportunity_ratio
    >>> overall_equal_opportunity_ratio(
    ...     [0, 0, 0, 0, 1], [0, 1, 1, 1, 1], sensitive_features=[1, 1, 0, 0, 0]
    ... )
    array([0.5])
    """
    outside, inside = _false_positive_rates(
        y_true, y_pred, sensitive_features, sample_weight, empty, pos_label
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where((inside == 0) & (outside == 0), 1.0, inside / outside)


def _false_positive_rates(
    y_true: Any,
    y_pred: Any,
    sensitive_features: Any,
    sample_weight: Any,
    empty: str,
    pos_label: Any,
) -> np.ndarray:
    """Rates outside of and inside each group, of shape (2, n_groups)."""
    check_empty(empty)
    if empty == "skip":
        raise ValueError("There is one value a group here, so empty must be 'nan' or 'raise'.")
    check_same_rows(
        y_true=y_true,
        y_pred=y_pred,
        sensitive_features=sensitive_features,
        sample_weight=sample_weight,
    )
    notion = get_notion("overall_equal_opportunity")
    y, decision = check_binary(y_true, y_pred, pos_label=pos_label, multilabel=True)
    groups = _memberships(sensitive_features)
    masses = cell_masses(y, decision, groups, sample_weight=check_weight(sample_weight))
    rates = notion.group_rates(masses)
    if np.isnan(rates).any():
        report_undefined(
            notion.name, notion.rate_names, np.isnan(rates), empty=empty, labels=groups.labels
        )
    return rates.reshape(-1, 2).T


def _memberships(sensitive_features: Any) -> Groups:
    """One family of two groups, outside and inside, for each column of indicators."""
    features = check_sensitive_features(sensitive_features)
    codes, families = [], []
    for name, column, missing in zip(
        features.names, features.columns, features.missing, strict=True
    ):
        present = column[~missing]
        if not np.isin(present, [0, 1]).all():
            raise ValueError(
                f"Membership {name!r} must be 0, 1 or missing, got {np.unique(present)[:5]}."
            )
        code = np.full(len(column), -1, dtype=np.intp)
        code[~missing] = present.astype(np.intp)
        codes.append(code)
        families.append(GroupFamily((name,), ((0,), (1,)), (f"{name}=0", f"{name}=1")))
    return Groups(np.column_stack(codes), tuple(families))
