"""Disparities between groups with confidence intervals."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fairsk.metrics._contrasts import ContrastIntervals, contrast_intervals, group_pairs
from fairsk.metrics._group_rates import describe_sample, report_empty_rates
from fairsk.metrics._inputs import check_labelled_decisions
from fairsk.metrics._reports import DisparityReport
from fairsk.metrics._resampling import RandomState
from fairsk.notions import FairnessNotion, check_empty, check_measure, get_notion


def disparity_intervals(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    sensitive_features: Any,
    notion: str | FairnessNotion = "demographic_parity",
    measure: str = "difference",
    contrast: str = "population",
    confidence: float = 0.95,
    simultaneous: bool = True,
    n_resamples: int = 10_000,
    random_state: RandomState = 0,
    sample_weight: ArrayLike | None = None,
    groups: str = "intersectional",
    empty: str = "nan",
    pos_label: Any = None,
) -> DisparityReport:
    """Disparities of each group and the violation, with confidence intervals.

    Differences from the population get intervals as in `group_rates`, clipped to [-1, 1]; ratios
    get them on the scale of logarithms. Groups are compared with each other in pairs, with
    intervals that hold for all pairs; a group's distance from the lowest one is the largest of
    its pairs' distances and lies between the largest of their ends, so no interval depends on
    which group happens to be lowest in the sample.

    Parameters
    ----------
    y_true, y_pred, sensitive_features, notion, measure, contrast
        As in `fairness_violation`.
    confidence, simultaneous, n_resamples, random_state
        As in `group_rates`. The interval of the worst disparity needs simultaneous intervals;
        without them it is narrower than its confidence says.
    sample_weight, groups, pos_label
        As in `fairness_violation`.
    empty : {"nan", "raise", "skip"}, default="nan"
        When a group has no rows to compute a rate from: NaN there and for the worst disparity,
        an error, or NaN there and the worst of the others.

    Returns
    -------
    DisparityReport

    Raises
    ------
    ValueError
        As in `fairness_violation`.

    Examples
    --------
    >>> import numpy as np
    >>> from fairsk.metrics import disparity_intervals
    >>> y_pred = np.r_[np.tile([0, 1], 250), np.tile([0, 0, 1, 1, 1], 100)]
    >>> group = np.repeat(["a", "b"], 500)
    >>> print(disparity_intervals(y_pred, y_pred, sensitive_features=group))
    demographic_parity: rates of 2 groups minus the population's
    group  selection rate
    -------------------------------------
    a      -0.050 [-0.082, -0.018] of 500
    b      +0.050 [+0.018, +0.082] of 500
    Worst difference: 0.050 [0.018, 0.082].
    All intervals hold together with 0.95 confidence.
    """
    check_empty(empty)
    check_measure(measure, contrast)
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
    estimates = notion.disparities(inputs.masses, measure=measure, contrast=contrast)
    report_empty_rates(notion, estimates, inputs, empty)
    found = contrast_intervals(
        inputs.y,
        inputs.decision,
        inputs.groups,
        notion,
        measure=measure,
        contrast=contrast,
        confidence=confidence,
        simultaneous=simultaneous,
        sample_weight=inputs.sample_weight,
        n_resamples=n_resamples,
        random_state=random_state,
    )
    scale, lower, upper = group_intervals(found, contrast, inputs.groups.family_of)
    estimates = np.where(np.isnan(lower), np.nan, estimates)
    worst, worst_lower, worst_upper = found.worst(skip_undefined=empty == "skip")
    return DisparityReport(
        estimates=estimates,
        standard_errors=scale,
        lower=lower,
        upper=upper,
        simultaneous=simultaneous,
        confidence=confidence,
        notion=notion.name,
        measure=measure,
        contrast=contrast,
        worst=worst,
        worst_lower=worst_lower,
        worst_upper=worst_upper,
        **describe_sample(notion, inputs, found.cells),
    )


def group_intervals(
    found: ContrastIntervals, contrast: str, family_of: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Standard error, lower and upper end of each group's disparity.

    Parameters
    ----------
    found : ContrastIntervals
    contrast : {"population", "groups"}
        That of `found`.
    family_of : ndarray of int of shape (n_groups,)

    Returns
    -------
    standard_errors, lower, upper : ndarray of shape (n_rates, n_groups)
    """
    scale, lower, upper = (
        found.intervals.standard_error,
        found.intervals.lower,
        found.intervals.upper,
    )
    if contrast == "groups":
        scale, lower, upper = _against_the_extreme(found, family_of)
    if found.measure == "ratio":
        lower, upper = np.exp(lower), np.exp(upper)
    return scale, lower, upper


def _against_the_extreme(
    found: ContrastIntervals, family_of: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """From intervals of all pairs to intervals against the lowest or the highest group.

    A group minus the lowest one is its largest difference from any group, itself included, so
    the largest ends of its pairs' intervals enclose it; for ratios to the highest one turn signs.
    """
    n_groups = len(family_of)
    left, right = group_pairs(family_of)
    sign = 1 if found.measure == "difference" else -1

    def table(forward: np.ndarray, backward: np.ndarray) -> np.ndarray:
        full = np.full((len(forward), n_groups, n_groups), np.nan)
        full[:, left, right], full[:, right, left] = forward, backward
        return full

    low, high, scale = found.intervals.lower, found.intervals.upper, found.intervals.standard_error
    estimate = table(sign * found.estimate, -sign * found.estimate)
    ends = (table(low, -high), table(high, -low))
    lower, upper = ends if sign > 0 else (-ends[1], -ends[0])
    defined = ~np.isnan(estimate).all(axis=2)
    farthest = np.where(np.isnan(estimate), -np.inf, estimate).argmax(axis=2)
    scale = np.take_along_axis(table(scale, scale), farthest[..., None], axis=2)[..., 0]
    # fmax with 0, the distance from itself, which is exact.
    folded = [
        np.where(defined, np.fmax(np.fmax.reduce(end, axis=2), 0), np.nan) for end in (lower, upper)
    ]
    if sign < 0:
        folded = [-folded[1], -folded[0]]
    return scale, folded[0], folded[1]
