"""How far a violation may lie from the one that was measured."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from fairsk.metrics._intervals import Intervals, simultaneous_intervals
from fairsk.metrics._resampling import ConfusionCells, RandomState
from fairsk.notions import (
    CellMasses,
    FairnessNotion,
    cell_masses,
    check_measure,
    comparable_groups,
    get_notion,
    report_undefined,
)
from fairsk.utils import Groups


@dataclass(frozen=True)
class ContrastIntervals:
    """Intervals of the contrasts that a notion bounds.

    Attributes
    ----------
    measure : {"difference", "ratio"}
    estimate : ndarray of shape (n_rates, n_contrasts)
        Differences, or logarithms of ratios: a group against its population, or a pair of groups;
        in the order of `fairsk.notions.LinearConstraints.multiplier_names`.
    intervals : Intervals
        On the same scale.
    cells : ConfusionCells
    """

    measure: str
    estimate: np.ndarray
    intervals: Intervals
    cells: ConfusionCells

    def part(self, rates: np.ndarray, contrasts: np.ndarray) -> ContrastIntervals:
        """Some of the rates and contrasts, under the critical value of all of them."""
        at = np.ix_(rates, contrasts)
        critical = self.intervals.critical_value
        return replace(
            self,
            estimate=self.estimate[at],
            intervals=Intervals(
                standard_error=self.intervals.standard_error[at],
                lower=self.intervals.lower[at],
                upper=self.intervals.upper[at],
                margin=self.intervals.margin[at],
                critical_value=critical if isinstance(critical, float) else critical[at],
            ),
        )

    def worst(self, *, skip_undefined: bool = False) -> tuple[float, float, float]:
        """Worst disparity and its interval (estimate, lower, upper), of ratios where asked."""
        kept = ~np.isnan(self.estimate)
        if not kept.any() or not (skip_undefined or kept.all()):
            return (np.nan,) * 3
        ends = self.intervals.lower[kept], self.intervals.upper[kept]
        return worst_with_interval(self.estimate[kept], *ends, measure=self.measure)


def worst_with_interval(
    estimate: np.ndarray, lower: np.ndarray, upper: np.ndarray, *, measure: str
) -> tuple[float, float, float]:
    """The worst of some disparities with its interval; ratios come in as logarithms, not out."""
    worst, nearest, farthest = fold_to_worst(estimate, lower, upper)
    if measure == "difference":
        return worst, nearest, farthest
    return float(np.exp(-worst)), float(np.exp(-farthest)), float(np.exp(-nearest))


def fold_to_worst(
    estimate: np.ndarray, lower: np.ndarray, upper: np.ndarray
) -> tuple[float, float, float]:
    """The contrast farthest from parity, and the interval of its distance.

    While all contrasts lie inside their intervals, the worst is at most the farthest end of an
    interval from parity, and at least the largest distance of an interval from parity: no more
    resampling, and no correction for having picked the worst.

    Parameters
    ----------
    estimate, lower, upper : ndarray of the same shape
        Contrasts, 0 at parity, and simultaneous intervals.

    Returns
    -------
    worst, lower, upper : float
        Of the largest absolute contrast.
    """
    nearest = np.maximum(np.maximum(lower, -upper), 0).max()
    farthest = np.maximum(np.abs(lower), np.abs(upper)).max()
    return float(np.abs(estimate).max()), float(nearest), float(farthest)


@dataclass(frozen=True)
class ViolationBound:
    """A bound on the violation in the population, from one sample.

    Attributes
    ----------
    estimate : ndarray of shape (n_rates, n_contrasts)
        Signed differences, or ratios, of the sample: of each group against its population, or of
        each pair of groups; in the order of
        `fairsk.notions.LinearConstraints.multiplier_names`.
    margin : ndarray of shape (n_rates, n_contrasts)
        Critical value times standard error; of the logarithm, for ratios. It is laid about the
        smoothed estimate (see `ConfusionCells`).
    violation : float
        The sample's worst disparity.
    bound : float
        Upper bound of the worst difference, or lower bound of the worst ratio.
    confidence : float
        Probability that all contrasts lie within their margins, and so within the bound.
    """

    estimate: np.ndarray
    margin: np.ndarray
    violation: float
    bound: float
    confidence: float


def violation_upper_bound(
    y: np.ndarray,
    decision: np.ndarray,
    groups: Groups,
    notion: str | FairnessNotion,
    *,
    measure: str = "difference",
    contrast: str = "population",
    confidence: float = 0.95,
    sample_weight: np.ndarray | None = None,
    n_resamples: int = 10_000,
    random_state: RandomState = 0,
) -> ViolationBound:
    """Bound the violation in the population, for rules that must keep within a tolerance.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Labels, 0 or 1.
    decision : ndarray of shape (n_samples,)
        Decisions in [0, 1], of a rule that was not fitted to these labels: a rule that was has
        seen its own errors, and the bound is optimistic.
    groups : Groups
    notion : str or FairnessNotion
    measure : {"difference", "ratio"}, default="difference"
    contrast : {"population", "groups"}, default="population"
    confidence : float, default=0.95
    sample_weight : ndarray of shape (n_samples,), optional
    n_resamples : int, default=10_000
        With ``contrast="groups"`` the memory is 8 bytes for each resample, rate and pair of
        groups: 80 MB for 1,000 pairs.
    random_state : int, Generator, RandomState or None, default=0

    Returns
    -------
    ViolationBound

    Raises
    ------
    ValueError
        If a rate of a group has no rows.

    Examples
    --------
    >>> import numpy as np
    >>> from fairsk.metrics import violation_upper_bound
    >>> from fairsk.utils import GroupEncoder
    >>> groups = GroupEncoder().fit_transform(np.repeat(["a", "b"], 500))
    >>> decision = np.r_[np.tile([0, 1], 250), np.tile([0, 0, 1, 1, 1], 100)]
    >>> bound = violation_upper_bound(decision, decision, groups, "demographic_parity")
    >>> bound.violation, bound.bound
    (0.05, 0.08)
    """
    found = contrast_intervals(
        y,
        decision,
        groups,
        notion,
        measure=measure,
        contrast=contrast,
        confidence=confidence,
        sample_weight=sample_weight,
        n_resamples=n_resamples,
        random_state=random_state,
    )
    _refuse_undefined(get_notion(notion), found.cells, groups)
    violation, lower, upper = found.worst()
    is_ratio = measure == "ratio"
    return ViolationBound(
        estimate=np.exp(found.estimate) if is_ratio else found.estimate,
        margin=found.intervals.margin,
        violation=violation,
        bound=lower if is_ratio else upper,
        confidence=confidence,
    )


def violation_interval(
    y: np.ndarray,
    decision: np.ndarray,
    groups: Groups,
    notion: str | FairnessNotion,
    **options: object,
) -> tuple[float, float]:
    """Confidence interval of the violation in the population.

    Parameters
    ----------
    y, decision, groups, notion, **options
        As in `violation_upper_bound`.

    Returns
    -------
    lower, upper : float
        Of the worst absolute difference, or of the worst ratio.

    Raises
    ------
    ValueError
        If a rate of a group has no rows.

    Examples
    --------
    >>> import numpy as np
    >>> from fairsk.metrics import violation_interval
    >>> from fairsk.utils import GroupEncoder
    >>> groups = GroupEncoder().fit_transform(np.repeat(["a", "b"], 500))
    >>> decision = np.r_[np.tile([0, 1], 250), np.tile([0, 0, 1, 1, 1], 100)]
    >>> violation_interval(decision, decision, groups, "demographic_parity")
    (0.02, 0.08)
    """
    found = contrast_intervals(y, decision, groups, notion, **options)  # type: ignore[arg-type]
    _refuse_undefined(get_notion(notion), found.cells, groups)
    return found.worst()[1:]


def contrast_intervals(
    y: np.ndarray,
    decision: np.ndarray,
    groups: Groups,
    notion: str | FairnessNotion,
    *,
    measure: str = "difference",
    contrast: str = "population",
    confidence: float = 0.95,
    simultaneous: bool = True,
    sample_weight: np.ndarray | None = None,
    n_resamples: int = 10_000,
    random_state: RandomState = 0,
) -> ContrastIntervals:
    """Intervals of each contrast; arguments as in `violation_upper_bound`."""
    check_measure(measure, contrast)
    notion = get_notion(notion)
    cells = ConfusionCells.from_rows(y, decision, groups, sample_weight=sample_weight)
    is_ratio = measure == "ratio"

    def values(masses: CellMasses) -> np.ndarray:
        return contrast_values(notion, masses, measure=measure, contrast=contrast)

    def steady(masses: CellMasses) -> np.ndarray:
        return values(cells.with_pseudo_rows(masses) if is_ratio else masses)

    masses = cell_masses(y, decision, groups, sample_weight=sample_weight)
    estimate = values(masses)
    if contrast == "population":
        # A lone group is its population: a difference of 0 would praise it for lack of evidence.
        defined = ~np.isnan(notion.group_rates(masses))
        estimate[~comparable_groups(defined, masses.family_of)] = np.nan
    intervals = simultaneous_intervals(
        np.where(np.isnan(estimate), np.nan, values(cells.centre)),
        steady(cells.resample(n_resamples, random_state)),
        steady(cells.centre),
        confidence=confidence,
        simultaneous=simultaneous,
        bounds=(-np.inf, np.inf) if is_ratio else (-1.0, 1.0),
    )
    return ContrastIntervals(measure, estimate, intervals.including(estimate), cells)


def contrast_values(
    notion: FairnessNotion, masses: CellMasses, *, measure: str, contrast: str
) -> np.ndarray:
    """Differences, or logarithms of ratios, of shape (..., n_rates, n_contrasts)."""
    first = notion.group_rates(masses)
    if contrast == "population":
        second = notion.population_rates(masses)
    else:
        left, right = group_pairs(masses.family_of)
        first, second = first[..., left], first[..., right]
    if measure == "difference":
        return first - second
    # Rounding can leave a rate of zero a hair below it.
    first, second = np.maximum(first, 0), np.maximum(second, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        logarithm = np.log(first) - np.log(second)
    return np.where(first == second, 0.0, logarithm)  # two zeros are equal


def group_pairs(family_of: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First and second group of each pair of a family's groups."""
    pairs = [
        pair
        for family in np.unique(family_of)
        for pair in combinations(np.flatnonzero(family_of == family), 2)
    ]
    left, right = np.array(pairs, dtype=np.intp).reshape(-1, 2).T
    return left, right


def _refuse_undefined(notion: FairnessNotion, cells: ConfusionCells, groups: Groups) -> None:
    undefined = np.isnan(notion.group_rates(cells.centre))
    if undefined.any():
        report_undefined(
            notion.name, notion.rate_names, undefined, empty="raise", labels=groups.labels
        )
