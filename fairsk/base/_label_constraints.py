"""Constraints that hold for observed labels, with room for sampling error if asked."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from fairsk.base._bracket import BracketSearch
from fairsk.base._tuning import TuningSample
from fairsk.metrics import resample_cells
from fairsk.notions import CellMasses, LinearConstraints, cell_masses
from fairsk.solvers import (
    BayesRule,
    InfeasibleConstraintsError,
    RuleProblem,
    rule_from_multipliers,
    solve_bayes_rule,
)

N_RESAMPLES = 2000
# The labelled rates move in steps of one row, so a fixed point is sought to that grain only.
MAX_ROUNDS = 12
# No less of the margin is tried but none at all, where the whole of it leaves no room.
LEAST_SHARE = 0.25
# Looser bounds that are tried, to name one that can be promised.
MAX_PROMISES = 8


@dataclass(frozen=True)
class LabelRows:
    """Values of the constraint rows of a rule on labelled data.

    Attributes
    ----------
    values : ndarray of shape (n_rows,)
    margin : ndarray of shape (n_rows,)
        Half-width of the simultaneous confidence band; 0 without confidence.
    excesses : ndarray of shape (2, n_multipliers)
        How far the contrast of each multiplier is above its upper and below its lower limit,
        margin included.
    """

    values: np.ndarray
    margin: np.ndarray
    excesses: np.ndarray

    @property
    def excess(self) -> float:
        """By how much the worst row leaves its limits."""
        return float(self.excesses.max())


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
    above, below, of = values - high + margin, low - values + margin, constraints.multiplier_of
    excesses = np.full((2, constraints.n_multipliers), -np.inf)
    two_sided, upper, lower = (constraints.sign == sign for sign in (0, 1, -1))
    excesses[0, of[two_sided]], excesses[1, of[two_sided]] = above[two_sided], below[two_sided]
    # Both rows of a ratio have an upper limit; they are the two sides of one contrast.
    excesses[0, of[upper]], excesses[1, of[lower]] = above[upper], above[lower]
    return LabelRows(values, margin, excesses), constraints


def _is_constant(values: np.ndarray) -> bool:
    return bool(values.min() == values.max())


def _margins(
    problem: RuleProblem, constraints: LinearConstraints, resampled: CellMasses, confidence: float
) -> np.ndarray:
    """Half-widths q * se such that all rows stay inside together with the given confidence.

    A one-sided row fails upwards only. A two-sided row of value v fails on the side of v where
    the error e exceeds q se, or on the other side, farther by 2 |v|, where -e - 2 |v| does: no
    row fails unless one of the two exceeds q se.
    """
    values = constraints.values(problem.notion, resampled)
    centre, scale = np.nanmean(values, axis=0), np.nanstd(values, axis=0)
    near = np.where(centre < 0, -1.0, 1.0) * (values - centre)
    far = -near - 2 * np.abs(centre)
    worst = np.where(constraints.sign == 0, np.maximum(near, far), values - centre)
    standardised = worst / np.where(scale > 0, scale, 1.0)
    quantile = np.nanquantile(np.nanmax(standardised, axis=1), confidence)
    return quantile * scale


def solve_on_labels(
    problem: RuleProblem,
    sample: TuningSample,
    bound: float,
    *,
    confidence: float | None = None,
    randomize: bool = False,
    random_state: int | None = None,
    start: BayesRule | None = None,
) -> BayesRule:
    """The Bayes rule whose violation on the observed labels is within the bound.

    The program's constraints hold for the model's probabilities. Where these are off, the observed
    rates are off as well; the rows of the program are moved by the difference, and by the margin
    for sampling error, and the program is solved again. Once one program was too loose and another
    too tight, the search goes on between the two, until the observed rows are within their limits
    and not by more than a row's step.

    How far the probabilities are off depends on the rule, so that more than one rule can come out.
    Looking at the unconstrained rule first, or at that of a looser bound, finds the near ones,
    which cost less accuracy than those near the rule of the uncorrected program. A search that
    ends outside the bound is begun once more at the best rule it found.

    Parameters
    ----------
    problem : RuleProblem
    sample : TuningSample
    bound : float
    confidence : float in (0, 1), optional
    randomize : bool, default=False
    random_state : int, optional
    start : BayesRule, optional
        The rule to correct first; by default that without constraints.

    Returns
    -------
    BayesRule
        Of the rounds, the one with the least excess, then the highest observed accuracy.

    Raises
    ------
    InfeasibleConstraintsError
        If the margin leaves no room; the message gives a bound that can be promised.

    Warns
    -----
    ConvergenceWarning
        If without a promise the best rule is outside the bound by more than a row's step.
    """
    search = _LabelSearch(problem, sample, confidence, randomize, random_state)
    rule, missing = search.run(bound, start)
    if missing > (search.step if confidence is None else 0.0):
        rule, missing = min((rule, missing), search.run(bound, rule), key=lambda found: found[1])
    if confidence is not None and missing > 0:
        raise _promise_error(search, bound, confidence, missing)
    if missing > search.step:
        warnings.warn(
            f"On the observed labels the constraints violate the bound of {bound:g} by "
            f"{missing:.4f}, and no rule tried does better: the probabilities are too far off to "
            f"steer by, or ties too heavy. Use a better group_estimator, calibrate the "
            f"probabilities, or set randomize=True.",
            ConvergenceWarning,
            stacklevel=6,
        )
    return rule


class _LabelSearch:
    """The search of `solve_on_labels`, at any bound."""

    def __init__(
        self,
        problem: RuleProblem,
        sample: TuningSample,
        confidence: float | None,
        randomize: bool,
        random_state: int | None,
    ) -> None:
        self.problem = problem
        self.sample = sample
        self.confidence = confidence
        self.randomize = randomize
        self.random_state = random_state
        self.step = 2 * row_grain(problem, sample)

    def run(self, bound: float, start: BayesRule | None) -> tuple[BayesRule, float]:
        """The best rule found, and by how much it misses the bound."""
        if start is None:
            start = unconstrained_rule(self.problem, self.sample, bound)
        # Shift and margin of every row, as they are at the rule to start from.
        rows, shift = self._look(start.decide(self.sample.joint, randomize=self.randomize), bound)
        program = np.stack([shift, rows.margin])
        initial = start.multipliers if start.multipliers.any() else None
        search = self._bracket()
        # Added to the margin, and what is asked of the two together.
        push, share = 0.0, 1.0
        infeasible = 0
        best: BayesRule | None = None
        best_key = (np.inf, np.inf)
        for _ in range(MAX_ROUNDS):
            try:
                rule = self._solve(bound, program, initial)
            except InfeasibleConstraintsError:
                if not program.any():
                    if best is None:
                        raise
                    break
                infeasible += 1
                search.add_too_tight(program)
                middle = search.between() if infeasible == 1 else None
                if middle is None:
                    # The tight end is of an older shift: begin again from the latest, with less of
                    # the margin, then none of it, and last no shift either.
                    search = self._bracket()
                    is_bare = not program[1].any() and np.array_equal(program[0], shift)
                    share = share / 2 if share > LEAST_SHARE else 0.0
                    margin = share * (rows.margin + push)
                    middle = np.stack([np.zeros_like(shift) if is_bare else shift, margin])
                program = middle
                continue
            infeasible = 0
            decision = rule.decide(self.sample.joint, randomize=self.randomize)
            rows, shift = self._look(decision, bound)
            missing = max(rows.excess - search.highest, 0.0)
            key = (missing, -observed_accuracy(self.problem, self.sample, decision))
            if best is None or key < best_key:
                best, best_key = rule, key
            if search.accepts(rows.excesses) or (missing == 0 and not rule.multipliers.any()):
                break
            search.add(program, rows.excesses)
            middle = search.between()
            if middle is None:
                # The correction was not enough: damp, and add half of what is missing.
                push += rows.excess / 2
                middle = np.stack([(program[0] + shift) / 2, share * (rows.margin + push)])
            program, initial = middle, rule.multipliers
        assert best is not None, "the first rounds leave a rule or an error"
        return best, best_key[0]

    def _bracket(self) -> BracketSearch:
        # What is promised has to hold; what is only aimed at may miss by half a row.
        return BracketSearch(-self.step, self.step / 2 if self.confidence is None else 0.0)

    def _solve(self, bound: float, program: np.ndarray, initial: np.ndarray | None) -> BayesRule:
        return solve_bayes_rule(
            self.problem,
            self.sample.joint,
            self.sample.sample_weight,
            bound,
            shift=program[0],
            margin=program[1],
            initial=initial,
        )

    def _look(self, decision: np.ndarray, bound: float) -> tuple[LabelRows, np.ndarray]:
        """The rows on the labels, and how far they are above the model's."""
        rows, constraints = label_rows(
            self.problem,
            self.sample,
            decision,
            bound,
            confidence=self.confidence,
            random_state=self.random_state,
        )
        return rows, rows.values - expected_values(self.problem, self.sample, decision, constraints)

    def nearest_promise(self, bound: float, missing: float) -> float | None:
        """A looser bound at which the search does find a rule, rounded to three digits."""
        sign = 1.0 if self.problem.measure == "difference" else -1.0
        for _ in range(MAX_PROMISES):
            bound += sign * missing
            if not 0 < bound <= 1:
                return None
            unit = 10.0 ** (2 - np.floor(np.log10(bound)))
            bound = float(sign * np.ceil(sign * bound * unit) / unit)
            still = self.run(bound, None)[1]
            if still == 0:
                return bound
            # Never by less than before: the rows of a ratio move by less than its level.
            missing = max(missing, still)
        return None


def unconstrained_rule(problem: RuleProblem, sample: TuningSample, bound: float) -> BayesRule:
    """The most accurate rule under the probabilities, whatever its violation."""
    total = sample.joint.masses(sample.sample_weight, len(problem.family_of))
    none = np.zeros(problem.constraints(total, bound).n_multipliers)
    return rule_from_multipliers(problem, sample.joint, sample.sample_weight, bound, none)


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
    search: _LabelSearch, bound: float, confidence: float, missing: float
) -> InfeasibleConstraintsError:
    difference = search.problem.measure == "difference"
    what = "tolerance" if difference else "ratio_bound"
    nearest = search.nearest_promise(bound, missing)
    advice = ""
    if nearest is not None:
        advice = f"The {'smallest' if difference else 'largest'} {what} found that it can promise "
        advice += f"is {nearest:.3g}. "
    return InfeasibleConstraintsError(
        f"{what}={bound:g} cannot be promised with confidence={confidence}: the sampling error of "
        f"the smallest groups is larger. {advice}Use more data, merge small groups, or lower the "
        f"confidence.",
        missing,
    )
