"""Named metrics of equalized odds: the worst, the mean and the sum of its gaps."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np
from numpy.typing import ArrayLike

from fairsk.metrics._disparities import fairness_violation, violation_of
from fairsk.metrics._inputs import (
    LabelledDecisions,
    MetricOptions,
    check_labelled_decisions,
    takes_options_of,
)
from fairsk.notions import check_empty, get_notion


@takes_options_of(fairness_violation)
def equalized_odds_difference(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    sensitive_features: Any,
    contrast: str = "groups",
    **options: Unpack[MetricOptions],
) -> float:
    """Larger of the gaps between groups in true and in false positive rates.

    The value of fairlearn's function of this name with ``agg="worst_case"``, except that a
    group without positives or negatives is undefined here and has rate 0 there.

    Parameters
    ----------
    y_true, y_pred, sensitive_features
        As in `fairness_violation`, as are the other keywords.
    contrast : {"groups", "population"}, default="groups"
        Groups against each other, or each against the population.

    Returns
    -------
    float
        In [0, 1]; 0 is parity.

    Examples
    --------
    >>> from fairsk.metrics import equalized_odds_difference
    >>> sex = ["f", "f", "f", "f", "m", "m", "m", "m"]
    >>> equalized_odds_difference(
    ...     [0, 0, 1, 1, 0, 0, 1, 1], [0, 1, 1, 1, 0, 1, 0, 1], sensitive_features=sex
    ... )
    0.5
    """
    return fairness_violation(
        y_true,
        y_pred,
        sensitive_features=sensitive_features,
        notion="equalized_odds",
        measure="difference",
        contrast=contrast,
        **options,
    )


@takes_options_of(fairness_violation)
def equalized_odds_ratio(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    sensitive_features: Any,
    contrast: str = "groups",
    **options: Unpack[MetricOptions],
) -> float:
    """Smaller of the ratios between groups of true and of false positive rates.

    The value of fairlearn's function of this name with ``agg="worst_case"``, with the same
    exception as `equalized_odds_difference`.

    Parameters
    ----------
    y_true, y_pred, sensitive_features
        As in `fairness_violation`, as are the other keywords.
    contrast : {"groups", "population"}, default="groups"
        Groups against each other, or each against the population.

    Returns
    -------
    float
        In [0, 1]; 1 is parity.

    Examples
    --------
    >>> from fairsk.metrics import equalized_odds_ratio
    >>> sex = ["f", "f", "f", "f", "m", "m", "m", "m"]
    >>> equalized_odds_ratio(
    ...     [0, 0, 1, 1, 0, 0, 1, 1], [0, 1, 1, 1, 0, 1, 0, 1], sensitive_features=sex
    ... )
    0.5
    """
    return fairness_violation(
        y_true,
        y_pred,
        sensitive_features=sensitive_features,
        notion="equalized_odds",
        measure="ratio",
        contrast=contrast,
        **options,
    )


@takes_options_of(fairness_violation)
def average_odds_difference(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    sensitive_features: Any,
    contrast: str = "groups",
    **options: Unpack[MetricOptions],
) -> float:
    r"""AOD: mean of the largest gaps between groups in true and in false positive rates.

    .. math:: \tfrac12 \bigl(\max_{a,b} |TPR_a - TPR_b| + \max_{a,b} |FPR_a - FPR_b|\bigr)

    A gap in true negative rates is the same gap in false positive rates, so for two groups this
    is FairIF's definition.

    Parameters
    ----------
    y_true, y_pred, sensitive_features
        As in `fairness_violation`, as are the other keywords.
    contrast : {"groups", "population"}, default="groups"
        Groups against each other, or each against the population.

    Returns
    -------
    float
        In [0, 1]; 0 is parity.

    References
    ----------
    FairIF, equation 4.

    Examples
    --------
    >>> from fairsk.metrics import average_odds_difference
    >>> sex = ["f", "f", "f", "f", "m", "m", "m", "m"]
    >>> average_odds_difference(
    ...     [0, 0, 1, 1, 0, 0, 1, 1], [0, 1, 1, 1, 0, 1, 0, 1], sensitive_features=sex
    ... )
    0.25
    """
    inputs, empty = _check(y_true, y_pred, sensitive_features, **options)
    gaps = [
        violation_of(inputs, notion, contrast=contrast, empty=empty)
        for notion in ("equal_opportunity", "predictive_equality")
    ]
    return float(np.mean(gaps))


@takes_options_of(fairness_violation)
def deo(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    sensitive_features: Any,
    **options: Unpack[MetricOptions],
) -> float:
    r"""DEO: sum over labels and groups of the distances from equalized odds.

    .. math:: \sum_{y \in \{0,1\}} \sum_a |P(h=1 \mid Y=y, A=a) - P(h=1 \mid Y=y)|

    The reference is always the population. It is a sum: it grows with the number of groups and
    is not comparable between data sets with different groups.

    Parameters
    ----------
    y_true, y_pred, sensitive_features
        As in `fairness_violation`, as are the other keywords.

    Returns
    -------
    float
        0 is parity.

    References
    ----------
    FairICP, appendix E.4.

    Examples
    --------
    >>> from fairsk.metrics import deo
    >>> sex = ["f", "f", "f", "f", "m", "m", "m", "m"]
    >>> deo([0, 0, 1, 1, 0, 0, 1, 1], [0, 1, 1, 1, 0, 1, 0, 1], sensitive_features=sex)
    0.5
    """
    inputs, empty = _check(y_true, y_pred, sensitive_features, **options)
    disparities = get_notion("equalized_odds").defined_disparities(
        inputs.masses, empty=empty, labels=inputs.group_labels
    )
    return float(np.abs(disparities).sum())


def _check(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    sensitive_features: Any,
    *,
    empty: str = "nan",
    **options: Any,
) -> tuple[LabelledDecisions, str]:
    check_empty(empty)
    inputs = check_labelled_decisions(
        y_true, y_pred, sensitive_features=sensitive_features, **options
    )
    return inputs, empty
