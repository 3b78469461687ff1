"""Named metrics of demographic parity, equal opportunity and accuracy parity."""

from __future__ import annotations

from typing import Any, Unpack

from numpy.typing import ArrayLike

from fairsk.metrics._disparities import fairness_violation
from fairsk.metrics._inputs import MetricOptions, takes_options_of


@takes_options_of(fairness_violation)
def demographic_parity_difference(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    sensitive_features: Any,
    contrast: str = "groups",
    **options: Unpack[MetricOptions],
) -> float:
    """Largest selection rate P(h=1 | a) of a group minus the smallest.

    The value of fairlearn's function of this name; ``contrast="population"`` is its
    ``method="to_overall"``.

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
    >>> from fairsk.metrics import demographic_parity_difference
    >>> sex = ["f", "f", "f", "f", "m", "m", "m", "m"]
    >>> demographic_parity_difference(
    ...     [0, 0, 1, 1, 0, 0, 1, 1], [0, 1, 1, 1, 0, 1, 0, 1], sensitive_features=sex
    ... )
    0.25
    """
    return fairness_violation(
        y_true,
        y_pred,
        sensitive_features=sensitive_features,
        notion="demographic_parity",
        measure="difference",
        contrast=contrast,
        **options,
    )


@takes_options_of(fairness_violation)
def demographic_parity_ratio(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    sensitive_features: Any,
    contrast: str = "groups",
    **options: Unpack[MetricOptions],
) -> float:
    """Smallest selection rate P(h=1 | a) of a group over the largest.

    The "80 % rule" asks for 0.8. The value of fairlearn's function of this name;
    ``contrast="population"`` is its ``method="to_overall"``.

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
    >>> from fairsk.metrics import demographic_parity_ratio
    >>> sex = ["f", "f", "f", "f", "m", "m", "m", "m"]
    >>> demographic_parity_ratio(
    ...     [0, 0, 1, 1, 0, 0, 1, 1], [0, 1, 1, 1, 0, 1, 0, 1], sensitive_features=sex
    ... )
    0.667
    """
    return fairness_violation(
        y_true,
        y_pred,
        sensitive_features=sensitive_features,
        notion="demographic_parity",
        measure="ratio",
        contrast=contrast,
        **options,
    )


@takes_options_of(fairness_violation)
def equal_opportunity_difference(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    sensitive_features: Any,
    contrast: str = "groups",
    **options: Unpack[MetricOptions],
) -> float:
    """EOD: largest true positive rate P(h=1 | y=1, a) of a group minus the smallest.

    FairIF, equation 5, for any number of groups.

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
    >>> from fairsk.metrics import equal_opportunity_difference
    >>> sex = ["f", "f", "f", "f", "m", "m", "m", "m"]
    >>> equal_opportunity_difference(
    ...     [0, 0, 1, 1, 0, 0, 1, 1], [0, 1, 1, 1, 0, 1, 0, 1], sensitive_features=sex
    ... )
    0.5
    """
    return fairness_violation(
        y_true,
        y_pred,
        sensitive_features=sensitive_features,
        notion="equal_opportunity",
        measure="difference",
        contrast=contrast,
        **options,
    )


@takes_options_of(fairness_violation)
def equal_opportunity_ratio(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    sensitive_features: Any,
    contrast: str = "groups",
    **options: Unpack[MetricOptions],
) -> float:
    """Smallest true positive rate P(h=1 | y=1, a) of a group over the largest.

    The value of fairlearn's function of this name.

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
    >>> from fairsk.metrics import equal_opportunity_ratio
    >>> sex = ["f", "f", "f", "f", "m", "m", "m", "m"]
    >>> equal_opportunity_ratio(
    ...     [0, 0, 1, 1, 0, 0, 1, 1], [0, 1, 1, 1, 0, 1, 0, 1], sensitive_features=sex
    ... )
    0.5
    """
    return fairness_violation(
        y_true,
        y_pred,
        sensitive_features=sensitive_features,
        notion="equal_opportunity",
        measure="ratio",
        contrast=contrast,
        **options,
    )


@takes_options_of(fairness_violation)
def accuracy_difference(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    sensitive_features: Any,
    contrast: str = "groups",
    **options: Unpack[MetricOptions],
) -> float:
    """AD: largest accuracy of a group minus the smallest.

    FairIF's accuracy difference for any number of groups, as a fraction, not in percent. It
    equals the difference of error rates, and so the notion is accuracy parity.

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
    >>> from fairsk.metrics import accuracy_difference
    >>> sex = ["f", "f", "f", "f", "m", "m", "m", "m"]
    >>> accuracy_difference(
    ...     [0, 0, 1, 1, 0, 0, 1, 1], [0, 1, 1, 1, 0, 1, 0, 1], sensitive_features=sex
    ... )
    0.25
    """
    return fairness_violation(
        y_true,
        y_pred,
        sensitive_features=sensitive_features,
        notion="accuracy_parity",
        measure="difference",
        contrast=contrast,
        **options,
    )
