"""Group rates with confidence intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fairsk.metrics._inputs import LabelledDecisions, check_labelled_decisions
from fairsk.metrics._intervals import score_intervals, simultaneous_intervals
from fairsk.metrics._reports import GroupRatesReport
from fairsk.metrics._resampling import ConfusionCells, RandomState
from fairsk.notions import (
    FairnessNotion,
    GroupRate,
    check_empty,
    get_notion,
    list_notions,
    report_undefined,
)

DEFAULT_RATES = ("selection_rate", "true_positive_rate", "false_positive_rate", "error_rate")


def group_rates(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    sensitive_features: Any,
    rates: str | FairnessNotion | Sequence[str | GroupRate] = DEFAULT_RATES,
    confidence: float = 0.95,
    simultaneous: bool = True,
    n_resamples: int = 10_000,
    random_state: RandomState = 0,
    sample_weight: ArrayLike | None = None,
    groups: str = "intersectional",
    empty: str = "nan",
    pos_label: Any = None,
) -> GroupRatesReport:
    """Rates of each group, with standard errors and confidence intervals.

    Standard errors come from a bootstrap of the confusion cells (see `resample_cells`), and so
    does the critical value q: the quantile of the largest studentised deviation over all rates
    and groups. Intervals are Wilson's score intervals with these. Cells are smoothed by half a
    row of either decision in the bootstrap, so that a rate of 0 or 1 in a small group has an
    interval of positive width.

    Parameters
    ----------
    y_true, y_pred, sensitive_features, sample_weight, groups, pos_label
        As in `fairness_violation`.
    rates : sequence of str or GroupRate, name of a notion or FairnessNotion
        Names of rates, such as ``"true_positive_rate"``, or the notion that they belong to.
    confidence : float in (0, 1), default=0.95
    simultaneous : bool, default=True
        Whether all intervals hold together with that probability, or each on its own.
    n_resamples : int, default=10_000
    random_state : int, Generator, RandomState or None, default=0
    empty : {"nan", "raise", "skip"}, default="nan"
        When a group has no rows to compute a rate from: the report has NaN there, with an
        `~fairsk.notions.UndefinedFairnessWarning` (both "nan" and "skip"), or an error.

    Returns
    -------
    GroupRatesReport

    Raises
    ------
    ValueError
        If a rate is unknown, or the inputs do not match or are not binary.

    Examples
    --------
    >>> import numpy as np
    >>> from fairsk.metrics import group_rates
    >>> y_pred = np.r_[np.tile([0, 1], 250), np.tile([0, 0, 1, 1, 1], 100)]
    >>> group = np.repeat(["a", "b"], 500)
    >>> report = group_rates(y_pred, y_pred, sensitive_features=group, rates=["selection_rate"])
    >>> print(report)
    Rates of 2 groups, 1,000 rows
    group  selection rate
    ----------------------------------
    a      0.500 [0.450, 0.550] of 500
    b      0.600 [0.551, 0.647] of 500
    All intervals hold together with 0.95 confidence.
    """
    check_empty(empty)
    notion = notion_of_rates(rates)
    inputs = check_labelled_decisions(
        y_true,
        y_pred,
        sensitive_features=sensitive_features,
        sample_weight=sample_weight,
        groups=groups,
        pos_label=pos_label,
        multilabel=notion.multilabel,
        compare=False,
    )
    report_empty_rates(notion, notion.group_rates(inputs.masses), inputs, empty)
    return rate_intervals(
        inputs,
        notion,
        confidence=confidence,
        simultaneous=simultaneous,
        n_resamples=n_resamples,
        random_state=random_state,
    )


def rate_intervals(
    inputs: LabelledDecisions,
    notion: FairnessNotion,
    *,
    confidence: float = 0.95,
    simultaneous: bool = True,
    n_resamples: int = 10_000,
    random_state: RandomState = 0,
) -> GroupRatesReport:
    """`group_rates` of validated inputs, whose groups may be of any families."""
    estimates = notion.group_rates(inputs.masses)
    cells = _tabulate(inputs)
    centre = notion.group_rates(cells.centre)
    intervals = simultaneous_intervals(
        estimates,
        notion.group_rates(cells.resample(n_resamples, random_state)),
        centre,
        confidence=confidence,
        simultaneous=simultaneous,
    )
    lower, upper = score_intervals(np.clip(estimates, 0, 1), centre, intervals)
    return GroupRatesReport(
        estimates=estimates,
        standard_errors=intervals.standard_error,
        lower=lower,
        upper=upper,
        simultaneous=simultaneous,
        confidence=confidence,
        **describe_sample(notion, inputs, cells),
    )


def notion_of_rates(rates: str | FairnessNotion | Sequence[str | GroupRate]) -> FairnessNotion:
    """The rates asked for, as a notion of their own."""
    known = {rate.name: rate for name in list_notions() for rate in get_notion(name).rates}
    if isinstance(rates, FairnessNotion) or (isinstance(rates, str) and rates in list_notions()):
        return get_notion(rates)
    names = [rates] if isinstance(rates, str) else list(rates)
    unknown = [name for name in names if not isinstance(name, GroupRate) and name not in known]
    if unknown or not names:
        raise ValueError(
            f"rates must be names among {sorted(known)}, a notion among {list_notions()}, or "
            f"GroupRate objects; got {rates!r}."
        )
    chosen = tuple(rate if isinstance(rate, GroupRate) else known[rate] for rate in names)
    return FairnessNotion("group_rates", chosen, "rates asked for by the user")


def _tabulate(inputs: LabelledDecisions) -> ConfusionCells:
    return ConfusionCells.from_rows(
        inputs.y, inputs.decision, inputs.groups, sample_weight=inputs.sample_weight
    )


def report_empty_rates(
    notion: FairnessNotion, values: np.ndarray, inputs: LabelledDecisions, empty: str
) -> None:
    if np.isnan(values).any():
        report_undefined(
            notion.name,
            notion.rate_names,
            np.isnan(values),
            empty=empty,
            labels=inputs.group_labels,
        )


def describe_sample(
    notion: FairnessNotion, inputs: LabelledDecisions, cells: ConfusionCells
) -> dict[str, Any]:
    """What both reports say about the sample."""
    counts = [rate.conditioning_mass(cells.group_count) for rate in notion.rates]
    weight = inputs.sample_weight
    counted = np.ones(len(inputs.y), dtype=bool) if weight is None else weight > 0
    return {
        "rate_names": notion.rate_names,
        "group_labels": inputs.group_labels,
        "counts": np.round(counts).astype(np.intp),
        "n_rows": cells.n_rows,
        "n_unknown": int((counted & ~inputs.groups.known).sum()),
    }
