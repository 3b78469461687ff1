"""The violation of a fairness notion in one number: the papers' two measures."""

from __future__ import annotations

from typing import Any, Unpack

from numpy.typing import ArrayLike

from fairsk.metrics._inputs import (
    LabelledDecisions,
    MetricOptions,
    check_labelled_decisions,
    takes_options_of,
)
from fairsk.notions import FairnessNotion, check_empty, get_notion


def fairness_violation(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    sensitive_features: Any,
    notion: str | FairnessNotion,
    measure: str = "difference",
    contrast: str = "population",
    sample_weight: ArrayLike | None = None,
    groups: str = "intersectional",
    empty: str = "nan",
    pos_label: Any = None,
) -> float:
    r"""The worst disparity between groups in the rates of a fairness notion.

    With :math:`r_{k,a}` rate k of group a and :math:`r_k` the rate of all rows of known group,

    .. math:: \max_{k,a} |r_{k,a} - r_k| \quad\text{or}\quad
              \min_{k,a} \min(r_{k,a} / r_k,\; r_k / r_{k,a}),

    and with ``contrast="groups"`` the same over pairs of groups: the largest rate minus the
    smallest, or the smallest over the largest.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Any two labels; of shape (n_samples, n_tasks) for ``"overall_equal_opportunity"``, whose
        tasks are joined by their maximum.
    y_pred : array-like of shape (n_samples,)
        The same labels, or decisions in [0, 1]: the probability of deciding for ``pos_label``.
    sensitive_features : array-like of shape (n_samples,) or (n_samples, n_features)
        One row a sample, of any container and dtype. Rows with a missing value are of unknown
        group and left out.
    notion : str or FairnessNotion
        A name from `fairsk.list_notions` or a notion.
    measure : {"difference", "ratio"}, default="difference"
    contrast : {"population", "groups"}, default="population"
        Each group against all rows of known group, or the groups against each other.
    sample_weight : array-like of shape (n_samples,), optional
    groups : {"intersectional", "independent"}, default="intersectional"
        One group for each combination of the sensitive features, or groups for each feature.
    empty : {"nan", "raise", "skip"}, default="nan"
        When a rate of a group has no rows to be computed from: return NaN with an
        `~fairsk.notions.UndefinedFairnessWarning`, raise, or leave the group out with the warning.
    pos_label : label, optional
        The larger of the two labels by default, as in scikit-learn.

    Returns
    -------
    float
        For differences in [0, 1], 0 is parity; for ratios in [0, 1], 1 is parity. Two rates that
        are both zero are equal: their ratio is 1.

    Raises
    ------
    ValueError
        If the inputs do not match, are not binary, or there are no two groups to compare.

    References
    ----------
    Bayes-Optimal Fair Classification with Multiple Sensitive Features: mean difference and mean
    ratio.

    Examples
    --------
    >>> from fairsk.metrics import fairness_violation
    >>> y_true, y_pred = [0, 1, 1, 0, 1, 1], [0, 1, 1, 1, 0, 1]
    >>> sex = ["f", "f", "f", "m", "m", "m"]
    >>> fairness_violation(y_true, y_pred, sensitive_features=sex, notion="equal_opportunity")
    0.25
    >>> fairness_violation(
    ...     y_true, y_pred, sensitive_features=sex, notion="equal_opportunity", contrast="groups"
    ... )
    0.5
    """
    check_empty(empty)
    notion = get_notion(notion)
    inputs = check_labelled_decisions(
        y_true,
        y_pred,
        sensitive_features=sensitive_features,
        sample_weight=sample_weight,
        groups=groups,
        pos_label=pos_label,
        multilabel=notion.multilabel,
    )
    return violation_of(inputs, notion, measure=measure, contrast=contrast, empty=empty)


def violation_of(
    inputs: LabelledDecisions,
    notion: str | FairnessNotion,
    *,
    measure: str = "difference",
    contrast: str = "groups",
    empty: str = "nan",
) -> float:
    """`fairness_violation` of validated inputs."""
    return get_notion(notion).violation(
        inputs.masses,
        measure=measure,
        contrast=contrast,
        empty=empty,
        labels=inputs.group_labels,
    )


@takes_options_of(fairness_violation)
def mean_difference(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    sensitive_features: Any,
    notion: str | FairnessNotion = "demographic_parity",
    contrast: str = "population",
    **options: Unpack[MetricOptions],
) -> float:
    """Mean difference: the largest distance of a group's rate from the population's.

    Parameters
    ----------
    y_true, y_pred, sensitive_features, notion, contrast
        As in `fairness_violation`, as are the other keywords.

    Returns
    -------
    float
        In [0, 1]; 0 is parity.

    References
    ----------
    Bayes-Optimal Fair Classification with Multiple Sensitive Features, mean difference (MD).

    Examples
    --------
    >>> from fairsk.metrics import mean_difference
    >>> sex = ["f", "f", "m", "m"]
    >>> mean_difference([0, 1, 0, 1], [1, 1, 0, 1], sensitive_features=sex)
    0.25
    """
    return fairness_violation(
        y_true,
        y_pred,
        sensitive_features=sensitive_features,
        notion=notion,
        measure="difference",
        contrast=contrast,
        **options,
    )


@takes_options_of(fairness_violation)
def mean_ratio(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    sensitive_features: Any,
    notion: str | FairnessNotion = "demographic_parity",
    contrast: str = "population",
    **options: Unpack[MetricOptions],
) -> float:
    """Mean ratio: the smallest ratio, either way up, of a group's rate and the population's.

    Parameters
    ----------
    y_true, y_pred, sensitive_features, notion, contrast
        As in `fairness_violation`, as are the other keywords. For ``"accuracy_parity"`` the
        ratio is one of error rates, not of accuracies.

    Returns
    -------
    float
        In [0, 1]; 1 is parity.

    References
    ----------
    Bayes-Optimal Fair Classification with Multiple Sensitive Features, mean ratio (MR).

    Examples
    --------
    >>> from fairsk.metrics import mean_ratio
    >>> sex = ["f", "f", "m", "m"]
    >>> mean_ratio([0, 1, 0, 1], [1, 1, 0, 1], sensitive_features=sex)
    0.667
    """
    return fairness_violation(
        y_true,
        y_pred,
        sensitive_features=sensitive_features,
        notion=notion,
        measure="ratio",
        contrast=contrast,
        **options,
    )
