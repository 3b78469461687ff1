"""Constraints that hold for observed labels, with room for sampling error if asked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fairsk.base._tuning import TuningSample
from fairsk.metrics import resample_cells
from fairsk.notions import CellMasses, LinearConstraints, cell_masses
from fairsk.solvers import BayesRule, InfeasibleConstraintsError, RuleProblem, solve_bayes_rule

N_RESAMPLES = 2000
# The labelled rates move in steps of one row, so a fixed point is sought to that grain only.
MAX_ROUNDS = 12


@dataclass(frozen=True)
class LabelRows:
    """Values of the constraint rows of a rule on labelled data.

    Attributes
    ----------
    values : ndarray of shape (n_rows,)
    margin : ndarray of shape (n_rows,)
        Half-width of the simultaneous confidence band; 0 without confidence.
    excess : float
        By how much the worst row leaves its limits, margin included.
    """

    values: np.ndarray
    margin: np.ndarray
    excess: float


def label_rows(
    problem: RuleProblem,
    sample: TuningSample,
    decision: np.ndarray,
    bound: float,
    *,
    confidence: float | None,
    random_state: int | None,
) -> tuple[LabelRows, LinearConstraints]:
    """Hold a decision against the constraints on the observed labels.

    Parameters
    ----------
    problem : RuleProblem
    sample : TuningSample
    decision : ndarray of shape (n_rows,)
        Probability of selection of each row.
    bound : float
    confidence : float in (0, 1), optional
        Level of the simultaneous margin.
    random_state : int, optional

    Returns
    -------
    LabelRows, LinearConstraints
    """
    masses = cell_masses(sample.y, decision, sample.groups, sample_weight=sample.sample_weight)
    constraints = problem.constraints(masses.total, bound)
    values = constraints.values(problem.notion, masses)
    margin = np.zeros_like(values)
    if confidence is not None:
        resampled = resample_cells(
            sample.y,
            decision,
            sample.groups,
            sample_weight=None if _is_constant(sample.sample_weight) else sample.sample_weight,
            n_resamples=N_RESAMPLES,
            random_state=0 if random_state is None else random_state,
        )
        margin = _margins(problem, constraints, resampled, confidence)
    low, high = constraints.limits
    excess = np.maximum(values - high, low - values) + margin
    return LabelRows(values, margin, float(excess.max())), constraints


def _is_constant(values: np.ndarray) -> bool:
    return bool(values.min() == values.max())


def _margins(
    problem: RuleProblem, constraints: LinearConstraints, resampled: CellMasses, confidence: float
) -> np.ndarray:
    """Half-widths q * se such that all rows stay inside together with the given confidence."""
    values = constraints.values(problem.notion, resampled)
    error = values - np.nanmean(values, axis=0)
    scale = np.nanstd(values, axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    # A one-sided row fails upwards only; a two-sided row fails either way.
    standardised = error / scale
    standardised = np.where(constraints.sign == 0, np.abs(standardised), standardised)
    quantile = np.nanquantile(np.nanmax(standardised, axis=1), confidence)
    return quantile * np.nanstd(values, axis=0)


def solve_on_labels(
    problem: RuleProblem,
    sample: TuningSample,
    bound: float,
    *,
    confidence: float | None = None,
    randomize: bool = False,
    random_state: int | None = None,
    initial: np.ndarray | None = None,
) -> BayesRule:
    """The Bayes rule whose violation on the observed labels is within the bound.

    The program's constraints hold for the model's probabilities. Where these are off, the observed
    rates are off as well; the rows of the program are moved by the difference and the program is
    solved again, until the observed rows, plus the margin for sampling error, are within their
    limits.

    Parameters
    ----------
    problem : RuleProblem
    sample : TuningSample
    bound : float
    confidence : float in (0, 1), optional
    randomize : bool, default=False
    random_state : int, optional
    initial : ndarray, optional
        Signed multipliers to start from.

    Returns
    -------
    BayesRule
        Of the rounds, the one with the least excess, then the highest observed accuracy.

    Raises
    ------
    InfeasibleConstraintsError
        If the margin leaves no room; the message gives the smallest bound that can be promised.
    """
    shift: np.ndarray | float = 0.0
    margin: np.ndarray | float = 0.0
    best: BayesRule | None = None
    best_key = (np.inf, np.inf)
    # What is promised has to hold; what is only aimed at may miss by half a row.
    grain = row_grain(problem, sample) if confidence is None else 0.0
    for round_number in range(MAX_ROUNDS):
        try:
            rule = solve_bayes_rule(
                problem,
                sample.joint,
                sample.sample_weight,
                bound,
                shift=shift,
                margin=margin,
                initial=initial,
            )
        except InfeasibleConstraintsError as error:
            raise _promise_error(problem, bound, confidence, error) from error
        decision = rule.decide(sample.joint, randomize=randomize)
        rows, constraints = label_rows(
            problem, sample, decision, bound, confidence=confidence, random_state=random_state
        )
        key = (max(rows.excess - grain, 0.0), -observed_accuracy(problem, sample, decision))
        if best is None or key < best_key:
            best, best_key = rule, key
        stuck = initial is not None and np.allclose(rule.multipliers, initial, atol=1e-7)
        if round_number and (rows.excess <= grain or stuck):
            break
        target = rows.values - expected_values(problem, sample, decision, constraints)
        # Averaging damps the oscillation between two roundings of the same boundary.
        shift = target if round_number == 0 else (np.asarray(shift) + target) / 2
        margin, initial = rows.margin, rule.multipliers
    assert best is not None, "the first round always leaves a rule"
    return best


def expected_values(
    problem: RuleProblem,
    sample: TuningSample,
    decision: np.ndarray,
    constraints: LinearConstraints,
) -> np.ndarray:
    """Value of each row under the model's probabilities instead of the observed labels."""
    joint, weight, n_groups = sample.joint, sample.sample_weight, len(problem.family_of)
    selected = joint.masses(weight * decision, n_groups)
    masses = CellMasses(selected, joint.masses(weight, n_groups), problem.family_of)
    return constraints.values(problem.notion, masses)


def row_grain(problem: RuleProblem, sample: TuningSample) -> float:
    """Half of the step of one row in the smallest cell that the notion conditions on."""
    counts = cell_masses(sample.y, np.zeros(len(sample.y)), sample.groups).total
    smallest = min(rate.conditioning_mass(counts).min() for rate in problem.notion.rates)
    return 0.5 / max(smallest, 1.0)


def observed_accuracy(problem: RuleProblem, sample: TuningSample, decision: np.ndarray) -> float:
    """Observed share of right decisions, weighted by the costs."""
    y, cost = sample.y, problem.cost
    right = (1 - cost) * y * decision + cost * (1 - y) * (1 - decision)
    return float(2 * sample.sample_weight @ right)


def observed_violation(problem: RuleProblem, sample: TuningSample, decision: np.ndarray) -> float:
    """Worst disparity on the observed labels."""
    masses = cell_masses(sample.y, decision, sample.groups, sample_weight=sample.sample_weight)
    return problem.violation(masses.selected, masses.total)


def _promise_error(
    problem: RuleProblem, bound: float, confidence: float | None, error: InfeasibleConstraintsError
) -> InfeasibleConstraintsError:
    relaxation = error.smallest_relaxation
    what = "tolerance" if problem.measure == "difference" else "ratio_bound"
    smallest = (
        f"The smallest {what} that it can promise is about {bound + relaxation:.3g}."
        if problem.measure == "difference"
        else f"The constraint rows would have to be relaxed by {relaxation:.3g}."
    )
    return InfeasibleConstraintsError(
        f"{what}={bound:g} cannot be promised with confidence={confidence}: the sampling error of "
        f"the smallest groups is larger. {smallest} Use more data, merge small groups, or lower "
        f"the confidence.",
        relaxation,
    )
