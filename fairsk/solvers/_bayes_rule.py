"""The Bayes-optimal fair rule of a sample: solved, rounded, and ready to be applied elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import cKDTree

from fairsk.notions import CellMasses, FairnessNotion, LinearConstraints, linear_constraints
from fairsk.solvers._joint import JointProbabilities
from fairsk.solvers._plug_in import PlugInSolution, solve_plug_in
from fairsk.solvers._tied_rows import (
    distinct_keys,
    makes_up_for_cost,
    posterior_window,
    search_roundings,
    split_posterior,
    whole_or_none,
)

# Scores are probabilities minus thresholds of order one; rounding errors stay far below this.
TIE_TOLERANCE = 1e-9
# A shift of a group's cost that moves it, where it is tied as a whole, off its common threshold; it
# costs less than itself in accuracy and gives the rule a threshold that other data can be compared
# with.
COST_PERTURBATION = 1e-3


@dataclass(frozen=True)
class RuleProblem:
    """What a Bayes rule is asked for.

    Attributes
    ----------
    notion : FairnessNotion
    family_of : ndarray of int of shape (n_groups,)
    measure : {"difference", "ratio"}
    contrast : {"population", "groups"}
    cost : float
        A positive decision is right when P(Y = 1 | x) exceeds it, without constraints.
    labels : tuple of str
        Names of the groups.
    """

    notion: FairnessNotion
    family_of: np.ndarray
    measure: str
    contrast: str
    cost: float
    labels: tuple[str, ...]

    def constraints(self, total: np.ndarray, bound: float) -> LinearConstraints:
        """Rows of the program for cells of these masses."""
        return linear_constraints(
            self.notion,
            total,
            self.family_of,
            measure=self.measure,
            bound=bound,
            contrast=self.contrast,
            labels=self.labels,
        )

    def violation(self, selected: np.ndarray, total: np.ndarray) -> float:
        """Worst disparity of a rule with these masses."""
        masses = CellMasses(selected, total, self.family_of)
        return self.notion.violation(
            masses, measure=self.measure, contrast=self.contrast, labels=self.labels
        )


@dataclass(frozen=True)
class BayesRule:
    """Select x when eta(x) - cost > sum_{y, a} cell_costs[y, a] g[y, a](x).

    Attributes
    ----------
    cell_costs : ndarray of shape (2, n_groups)
        Those of the multipliers, and a small cost of each group where whole groups were tied.
    cost : float
    multipliers : ndarray of shape (n_multipliers,)
        Signed Lagrange multipliers of the constraints.
    multiplier_names : tuple of str
    tie_keys : ndarray of shape (n_ties, n_values)
        Rows (as `JointProbabilities.keys` shows them) on the boundary in the fit sample.
    tie_splits : ndarray of shape (n_ties,)
        A posterior that divides the rows of a key in two; -inf where the key is a single atom.
    tie_probabilities : ndarray of shape (n_ties, 2)
        Probability with which the randomised rule selects the rows up to the split, and above.
    tie_windows : ndarray of shape (n_ties, 2)
        The deterministic rule selects a tied row whose posterior is above the first value and up
        to the second; all rows or none where the key is a single atom.
    coarse_ties : bool
        Whether so many different rows are tied that they are keyed by their groups alone: to
        remember them one by one would be to memorise the sample.
    gap : float
        Relative duality gap of the randomised rule on the fit sample; nan for multipliers given
        by hand.
    expected_accuracy : float
        Expected share of right decisions on the fit sample (weighted by the costs when the cost is
        not 1/2), for the randomised rule.
    violation : float
        Worst disparity of the randomised rule under the model's probabilities.
    """

    cell_costs: np.ndarray
    cost: float
    multipliers: np.ndarray
    multiplier_names: tuple[str, ...]
    tie_keys: np.ndarray
    tie_splits: np.ndarray
    tie_probabilities: np.ndarray
    tie_windows: np.ndarray
    coarse_ties: bool
    gap: float
    expected_accuracy: float
    violation: float

    def scores(self, joint: JointProbabilities) -> np.ndarray:
        """eta(x) - cost - sum cell_costs g(x): selected where positive; shape (n_samples,)."""
        return joint.posterior - self.cost - joint.weighted(self.cell_costs)

    def thresholds(self, joint: JointProbabilities) -> tuple[np.ndarray, np.ndarray]:
        """The posterior at which each row's decision turns, its groups (or their shares) given.

        The score is linear in the posterior: a row is selected above its threshold, or below it
        where the constraints price a positive label at more than a decision is worth.

        Returns
        -------
        threshold : ndarray of shape (n_samples,)
            Outside [0, 1] where the posterior does not matter.
        above : ndarray of bool of shape (n_samples,)
            Whether rows are selected above it.
        """
        price = [
            replace(joint, posterior=np.full(len(joint), label)).weighted(self.cell_costs)
            for label in (0.0, 1.0)
        ]
        slope, needed = 1 - price[1] + price[0], self.cost + price[0]
        flat = slope == 0
        threshold = needed / np.where(flat, 1.0, slope)
        return np.where(flat, np.copysign(np.inf, needed), threshold), slope >= 0

    def decide(self, joint: JointProbabilities, *, randomize: bool = False) -> np.ndarray:
        """Probability of selection of each row: 0 or 1 unless randomised; shape (n_samples,)."""
        scores = self.scores(joint)
        selected = (scores > 0).astype(float)
        tied = np.flatnonzero(np.abs(scores) <= TIE_TOLERANCE)
        if len(tied) and len(self.tie_keys):
            keys = joint.keys(tied, coarse=self.coarse_ties)
            distance, nearest = cKDTree(self.tie_keys).query(keys, distance_upper_bound=1e-9)
            same = np.isfinite(distance)
            tied, nearest = tied[same], nearest[same]
            posterior = joint.posterior[tied]
            if randomize:
                above = (posterior > self.tie_splits[nearest]).astype(int)
                selected[tied] = self.tie_probabilities[nearest, above]
            else:
                low, high = self.tie_windows[nearest].T
                selected[tied] = (low < posterior) & (posterior <= high)
        return selected


def rule_from_multipliers(
    problem: RuleProblem,
    joint: JointProbabilities,
    weight: np.ndarray,
    bound: float,
    multipliers: np.ndarray,
) -> BayesRule:
    """The rule of given multipliers, Theorem 1 and 2 of the paper.

    Raises
    ------
    ValueError
        If their number is wrong; the message names what each one prices.
    """
    total = joint.masses(weight, len(problem.family_of))
    constraints = problem.constraints(total, bound)
    multipliers = constraints.check_multipliers(multipliers)
    rule = BayesRule(
        cell_costs=constraints.cell_costs(multipliers),
        cost=problem.cost,
        multipliers=multipliers,
        multiplier_names=constraints.multiplier_names,
        tie_keys=np.zeros((0, 1)),
        tie_splits=np.zeros(0),
        tie_probabilities=np.zeros((0, 2)),
        tie_windows=np.zeros((0, 2)),
        coarse_ties=False,
        gap=float("nan"),
        expected_accuracy=float("nan"),
        violation=float("nan"),
    )
    return _with_figures(rule, problem, joint, weight, total, rule.decide(joint))


def solve_bayes_rule(
    problem: RuleProblem,
    joint: JointProbabilities,
    weight: np.ndarray,
    bound: float,
    *,
    shift: np.ndarray | float = 0.0,
    margin: np.ndarray | float = 0.0,
    initial: np.ndarray | None = None,
    find_relaxation: bool = True,
) -> BayesRule:
    """The most accurate rule within a bound, under the model's probabilities.

    Parameters
    ----------
    problem : RuleProblem
    joint : JointProbabilities of n_samples rows
    weight : ndarray of shape (n_samples,)
        Sums to one.
    bound : float
        Tolerance of differences or level of ratios.
    shift, margin : float or ndarray of shape (n_rows,)
        The constraint rows are moved down by `shift` and tightened by `margin`.
    initial : ndarray of shape (n_multipliers,), optional
        Signed multipliers to start from.
    find_relaxation : bool, default=True
        As in :func:`solve_plug_in`.

    Returns
    -------
    BayesRule
    """
    total = joint.masses(weight, len(problem.family_of))
    constraints = problem.constraints(total, bound)
    lower, upper = constraints.tightened(np.broadcast_to(margin, constraints.lower.shape))
    basis = joint.basis(constraints.coefficients)
    start = None if initial is None else constraints.from_signed(initial)

    def solve(nudge: np.ndarray | float = 0.0) -> PlugInSolution:
        return solve_plug_in(
            joint.posterior - problem.cost - nudge,
            basis,
            constraints.contrasts,
            lower - shift,
            upper - shift,
            sample_weight=weight,
            initial_multipliers=start,
            find_relaxation=find_relaxation,
        )

    solution = solve()
    rule = _rule(problem, constraints, joint, solution)
    if _is_degenerate(rule, constraints):
        tied = np.flatnonzero((np.abs(rule.scores(joint)) <= TIE_TOLERANCE) & (weight > 0))
        groups, _, place = distinct_keys(joint.keys(tied, coarse=True))
        moved = None
        if not (joint.is_aware and makes_up_for_cost(constraints, groups)):
            nudges = _nudges(problem, total)
            other = solve(joint.weighted(nudges))
            moved = _rule(problem, constraints, joint, other, nudges)
        if moved is None or _is_degenerate(moved, constraints):
            by_group = [tied[place == k] for k in range(len(groups))]
            rule = _coarsen_ties(rule, joint, weight, solution, groups, by_group)
            decision = rule.decide(joint, randomize=True)
            return _with_figures(rule, problem, joint, weight, total, decision)
        rule, solution = moved, other
    rule = _round_ties(rule, joint, weight, solution, constraints, lower - shift, upper - shift)
    return _with_figures(rule, problem, joint, weight, total, solution.decision)


def _rule(
    problem: RuleProblem,
    constraints: LinearConstraints,
    joint: JointProbabilities,
    solution: PlugInSolution,
    nudges: np.ndarray | float = 0.0,
) -> BayesRule:
    """The rule of a solution, ties still as the randomised solution has them."""
    signed = constraints.to_signed(solution.multipliers)
    bare = BayesRule(
        cell_costs=constraints.cell_costs(signed) + nudges,
        cost=problem.cost,
        multipliers=signed,
        multiplier_names=constraints.multiplier_names,
        tie_keys=np.zeros((0, 1)),
        tie_splits=np.zeros(0),
        tie_probabilities=np.zeros((0, 2)),
        tie_windows=np.zeros((0, 2)),
        coarse_ties=False,
        gap=solution.gap,
        expected_accuracy=float("nan"),
        violation=float("nan"),
    )
    tied = np.flatnonzero(np.abs(bare.scores(joint)) <= TIE_TOLERANCE)
    if not len(tied):
        return bare
    keys, first, _ = distinct_keys(joint.keys(tied))
    probability = solution.decision[tied[first]]
    return replace(
        bare,
        tie_keys=keys,
        tie_splits=np.full(len(keys), -np.inf),
        tie_probabilities=np.column_stack([probability, probability]),
        tie_windows=whole_or_none(probability.round()),
    )


def _nudges(problem: RuleProblem, total: np.ndarray) -> np.ndarray:
    """A small cost of selecting anybody of a group, as cell costs of shape (2, n_groups).

    A group that has to be decided less accurately gets there by a lower threshold where most of its
    labels are negative, and by a higher one where most are positive: the other way soon ends, with
    nobody or everybody selected, and goes on with decisions turned round. The nudges of families
    differ in size, so that none cancel out.
    """
    sign = np.where(total[1] > problem.cost * total.sum(axis=0), 1.0, -1.0)
    size = COST_PERTURBATION * 0.5 ** np.asarray(problem.family_of, dtype=float)
    return np.tile(sign * size, (2, 1))


def _coarsen_ties(
    rule: BayesRule,
    joint: JointProbabilities,
    weight: np.ndarray,
    solution: PlugInSolution,
    groups: np.ndarray,
    by_group: list[np.ndarray],
) -> BayesRule:
    """Key whole tied groups by the group, and decide them by a few numbers each.

    The program leaves open which of the tied rows are selected, as long as it is the same mass of
    either label, which is all that constraints and objective depend on. Two probabilities, below
    and above a split of the posterior, keep both masses up to a row; so does, for the
    deterministic rule, a window of the posterior.
    """
    splits, probabilities, windows = [], [], []
    for rows in by_group:
        rows = rows[np.argsort(joint.posterior[rows], kind="stable")]
        sample = joint.posterior[rows], weight[rows], solution.decision[rows]
        split, pair = split_posterior(*sample)
        splits.append(split)
        probabilities.append(pair)
        windows.append(posterior_window(*sample))
    return replace(
        rule,
        tie_keys=groups,
        tie_splits=np.array(splits),
        tie_probabilities=np.array(probabilities),
        tie_windows=np.array(windows),
        coarse_ties=True,
    )


def _is_degenerate(rule: BayesRule, constraints: LinearConstraints) -> bool:
    """Whether many different rows sit on the boundary, so that it decides nothing.

    Accuracy parity at cost 1/2 does this: a binding constraint makes the score of a whole group
    zero whatever the posterior; so does equalized odds, with two multipliers a group.
    """
    return len(rule.tie_keys) > 4 * min(constraints.contrasts.shape) + 16


def _round_ties(
    rule: BayesRule,
    joint: JointProbabilities,
    weight: np.ndarray,
    solution: PlugInSolution,
    constraints: LinearConstraints,
    lower: np.ndarray,
    upper: np.ndarray,
) -> BayesRule:
    """Decide each tied atom so that the deterministic rule violates the bounds least."""
    chance = rule.tie_probabilities[:, 1]
    fractional = (chance > 0) & (chance < 1)
    if not fractional.any():
        return rule
    rows = np.flatnonzero((solution.decision > 0) & (solution.decision < 1))
    _, atom = cKDTree(rule.tie_keys[fractional]).query(joint.keys(rows))
    n_atoms = int(fractional.sum())
    values = joint.take(rows).basis(constraints.coefficients) @ constraints.contrasts.T
    effect = np.zeros((n_atoms, len(lower)))
    np.add.at(effect, atom, np.asarray(values) * weight[rows, None])
    probability = chance[fractional]
    fixed = constraints.contrasts @ solution.moments - probability @ effect
    gain = np.bincount(atom, weight[rows] * (joint.posterior[rows] - rule.cost), n_atoms)

    def badness(decision: np.ndarray) -> tuple[float, float]:
        value = fixed + decision @ effect
        outside = np.maximum(np.maximum(value - upper, lower - value), 0).max()
        return (round(float(outside), 12), -float(decision @ gain))

    best = search_roundings(probability, badness)
    decisions = chance.round()
    decisions[fractional] = best
    return replace(rule, tie_windows=whole_or_none(decisions))


def _with_figures(
    rule: BayesRule,
    problem: RuleProblem,
    joint: JointProbabilities,
    weight: np.ndarray,
    total: np.ndarray,
    decision: np.ndarray,
) -> BayesRule:
    """Add what the rule is expected to achieve on the sample."""
    eta = joint.posterior
    right = 2 * ((1 - problem.cost) * eta * decision + problem.cost * (1 - eta) * (1 - decision))
    selected = joint.masses(weight * decision, len(problem.family_of))
    return replace(
        rule,
        expected_accuracy=float(weight @ right),
        violation=problem.violation(selected, total),
    )
