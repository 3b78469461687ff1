"""Constraints that hold for observed labels, with room for sampling error if asked."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from fairsk.base._bracket import BracketSearch
from fairsk.base._label_objective import (
    accuracy_gains,
    evolve_multipliers,
    observed_accuracy,
)
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

# The parameter that each measure is bounded by.
BOUND_PARAMETERS = {"difference": "tolerance", "ratio": "ratio_bound"}
N_RESAMPLES = 2000
# The labelled rates move in steps of one row, so a fixed point is sought to that grain only.
MAX_ROUNDS = 12
# How many of its standard errors a gain in accuracy has to be: a rule picked from hundreds is
# a little better on the rows it was picked on, whatever it does elsewhere.
LEAST_GAIN = 2.0
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
    initial: np.ndarray | None = None,
) -> BayesRule:
    """The Bayes rule whose violation on the observed labels is within the bound.

    The program's constraints hold for the model's probabilities. Where these are off, the observed
    rates are off as well; the rows of the program are moved by the difference, and by the margin
    for sampling error, and the program is solved again. Once one program was too loose and another
    too tight, the search goes on between the two, until the observed rows are within their limits
    and not by more than a row's step.

    Without a promise, multipliers near those found are then tried on the labels themselves: where
    the probabilities are off in more than a shift of the rows, no such program has the best ones.

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
        Of those tried, the one with the least excess, then the highest observed accuracy.

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
    rule, missing = search.run(bound, initial)
    if confidence is None:
        rule, missing = search.refine(bound, rule, missing)
    elif missing > 0:
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
        # What is promised has to hold; what is only aimed at may miss by half a row.
        self.allowed = self.step / 2 if confidence is None else 0.0

    def run(self, bound: float, initial: np.ndarray | None) -> tuple[BayesRule, float]:
        """The best rule found, and by how much it misses the bound."""
        search = BracketSearch(-self.step, self.allowed)
        # Shift and margin of every row: none, as if the probabilities were the labels'.
        program = np.zeros((2, 1))
        push, came_back = 0.0, False
        best: BayesRule | None = None
        best_key = (np.inf, np.inf)
        for _ in range(MAX_ROUNDS):
            try:
                # Only an error for the caller has to say how far the bound is out of reach.
                rule = self._solve(bound, program, initial, find_relaxation=best is None)
            except InfeasibleConstraintsError:
                if best is None:
                    raise
                # Too tight to be tried: come back to the same shift without a margin first.
                search.add_too_tight(program)
                middle = search.between() if came_back else None
                program = program * [[1.0], [0.0]] if middle is None else middle
                came_back = True
                continue
            decision = rule.decide(self.sample.joint, randomize=self.randomize)
            rows, constraints = self._rows(decision, bound)
            missing = max(rows.excess - self.allowed, 0.0)
            key = (missing, -observed_accuracy(self.problem, self.sample, decision))
            if best is None or key < best_key:
                best, best_key = rule, key
            if search.accepts(rows.excesses) or (missing == 0 and not rule.multipliers.any()):
                break
            search.add(program, rows.excesses)
            middle = search.between()
            if middle is None:
                shift = rows.values - expected_values(
                    self.problem, self.sample, decision, constraints
                )
                if program.any():
                    # The first correction was not enough: damp, and add half of what is missing.
                    shift, push = (program[0] + shift) / 2, push + rows.excess / 2
                middle = np.stack([shift, rows.margin + push])
            program, initial = middle, rule.multipliers
        assert best is not None, "the first round leaves a rule or an error"
        return best, best_key[0]

    def refine(self, bound: float, rule: BayesRule, missing: float) -> tuple[BayesRule, float]:
        """A rule of other multipliers, if it is better for sure, and by how much it misses.

        It misses the bound by less, or meets it as well and is more accurate by twice the standard
        error of the difference. Its duality gap is 0: a rule of any multipliers is the most
        accurate one, under the probabilities, of all that go no farther from parity than it does.
        """
        found = evolve_multipliers(
            self.problem,
            self.sample,
            bound,
            rule.multipliers,
            allowed=self.allowed,
            random_state=self.random_state,
        )
        if found is None:
            return rule, missing
        other = rule_from_multipliers(
            self.problem, self.sample.joint, self.sample.sample_weight, bound, found
        )
        before, after = (
            one.decide(self.sample.joint, randomize=self.randomize) for one in (rule, other)
        )
        still = max(self._rows(after, bound)[0].excess - self.allowed, 0.0)
        gains = (after - before) * accuracy_gains(self.problem, self.sample)
        is_surer = gains.sum() > LEAST_GAIN * np.sqrt(gains @ gains)
        if still < missing or (still == missing == 0 and is_surer):
            return replace(other, gap=0.0), still
        return rule, missing

    def _solve(
        self,
        bound: float,
        program: np.ndarray,
        initial: np.ndarray | None,
        find_relaxation: bool,
    ) -> BayesRule:
        return solve_bayes_rule(
            self.problem,
            self.sample.joint,
            self.sample.sample_weight,
            bound,
            shift=program[0],
            margin=program[1],
            initial=initial,
            find_relaxation=find_relaxation,
        )

    def _rows(self, decision: np.ndarray, bound: float) -> tuple[LabelRows, LinearConstraints]:
        return label_rows(
            self.problem,
            self.sample,
            decision,
            bound,
            confidence=self.confidence,
            random_state=self.random_state,
        )

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


def observed_violation(problem: RuleProblem, sample: TuningSample, decision: np.ndarray) -> float:
    """Worst disparity on the observed labels."""
    masses = cell_masses(sample.y, decision, sample.groups, sample_weight=sample.sample_weight)
    return problem.violation(masses.selected, masses.total)


def _promise_error(
    search: _LabelSearch, bound: float, confidence: float, missing: float
) -> InfeasibleConstraintsError:
    difference = search.problem.measure == "difference"
    what = BOUND_PARAMETERS[search.problem.measure]
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
