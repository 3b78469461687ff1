"""Multipliers for cost-sensitive training, updated on the held-out violation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils import _safe_indexing
from sklearn.utils.parallel import Parallel, delayed

from fairsk.base import (
    BracketSearch,
    JointSettings,
    RuleSettings,
    TuningSample,
    choose_rule,
    expected_values,
    fit_model,
    label_rows,
    make_tuning_sample,
    observed_accuracy,
    observed_violation,
    row_grain,
    tuning_rows,
    tuning_splits,
)
from fairsk.solvers import (
    BayesRule,
    InfeasibleConstraintsError,
    RuleProblem,
    solve_bayes_rule,
)
from fairsk.utils import Groups


@dataclass(frozen=True)
class DualUpdate:
    """One round: multipliers, and what training with them achieves out of fold.

    Attributes
    ----------
    multipliers : ndarray of shape (n_multipliers,)
    violation : float
        Worst disparity out of fold.
    excess : float
        By how much the worst constraint leaves its limits.
    accuracy : float
    grain : float
        Step of one row in the smallest cell: an excess below it is not held against the round.
    """

    multipliers: np.ndarray
    violation: float
    excess: float
    accuracy: float
    grain: float


def fair_costs(
    problem: RuleProblem,
    bound: float,
    multipliers: np.ndarray,
    y: np.ndarray,
    groups: Groups,
    sample_weight: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Labels and weights whose plain cost-sensitive risk is the fair one (Theorem 3).

    A row of label y in group a is worth v = y - c - cost[y, a] when selected. Its expectation
    given x is eta(x) - c - lambda.phi(x), the margin of the Bayes rule, so a classifier trained to
    select rows with v > 0 at weight |v| needs no model of the groups.

    Parameters
    ----------
    problem : RuleProblem
    bound : float
    multipliers : ndarray of shape (n_multipliers,)
    y : ndarray of int of shape (n_samples,)
    groups : Groups
        Rows of unknown group keep the plain cost.
    sample_weight : ndarray of shape (n_samples,), optional

    Returns
    -------
    target : ndarray of int of shape (n_samples,)
        The label, flipped where its cost is negative.
    weight : ndarray of shape (n_samples,)
        Twice |v| times the sample weight: one for everybody without constraints at cost 1/2.
    """
    weight = np.ones(len(y)) if sample_weight is None else sample_weight
    total = np.zeros((2, groups.n_groups))
    for flat in groups.flat_codes().T:
        known = flat >= 0
        np.add.at(total, (y[known], flat[known]), weight[known])
    costs = problem.constraints(total / weight.sum(), bound).cell_costs(multipliers)
    value = y - problem.cost
    for flat in groups.flat_codes().T:
        value = value - np.where(flat >= 0, costs[y, flat], 0.0)
    target = (value > 0).astype(int)
    if target.min() == target.max():
        raise ValueError(
            "With these multipliers every training row has the same fair label, so there is "
            "nothing to learn. Use smaller multipliers or a looser tolerance."
        )
    return target, 2 * np.abs(value) * weight


class DualUpdater:
    """Plug-in multipliers first, then updates on the violation of the trained classifier.

    The classifier trained with the plug-in rule's multipliers is not the plug-in rule: it has its
    own violation. Each round trains it out of fold, moves the program's rows by the difference
    between its observed values and those that the program expected, and solves the program again.
    Once one round was outside the bound and another farther inside than it has to be, the rounds
    that follow lie between the two.

    Parameters
    ----------
    rule : RuleSettings
    joint : JointSettings
    max_updates : int
    """

    def __init__(self, rule: RuleSettings, joint: JointSettings, max_updates: int) -> None:
        self.rule = rule
        self.joint = joint
        self.max_updates = max_updates

    def run(
        self, X: Any, y: np.ndarray, groups: Groups, sample_weight: np.ndarray | None
    ) -> list[DualUpdate]:
        """Rounds in order; choose one with `best_update`."""
        splits = tuning_splits(self.joint, X, y, groups)
        sample, _ = make_tuning_sample(self.joint, X, y, groups, sample_weight, refit=False)
        problem, bound = self.rule.problem(groups), self.rule.bound
        rule = choose_rule(self.rule, sample)
        multipliers = rule.multipliers
        history: list[DualUpdate] = []
        shift: np.ndarray | None = None
        push = 0.0
        grain = 2 * row_grain(problem, sample)
        search = BracketSearch(-grain, grain)
        for _ in range(self.max_updates + 1):
            decision = self._out_of_fold(multipliers, splits, X, y, groups, sample_weight, problem)
            rows, constraints = label_rows(
                problem,
                sample,
                decision,
                bound,
                confidence=self.rule.confidence,
                random_state=self.rule.random_state,
            )
            history.append(
                DualUpdate(
                    multipliers,
                    observed_violation(problem, sample, decision),
                    rows.excess,
                    observed_accuracy(problem, sample, decision),
                    grain,
                )
            )
            unconstrained = rows.excess <= grain and not np.any(multipliers)
            if search.accepts(rows.excesses) or unconstrained:
                break
            search.add(multipliers, rows.excesses)
            between = search.between()
            if between is not None:
                multipliers = between
                continue
            target = rows.values - expected_values(
                problem, sample, rule.decide(sample.joint, randomize=True), constraints
            )
            if len(history) > 2:
                # Two moves were not enough: half of what is missing is added on top.
                push += rows.excess / 2
            moved = self._move(problem, sample, rule, shift, target, rows.margin + push)
            if moved is None:
                break
            rule, shift = moved
            multipliers = rule.multipliers
        return history

    def _move(
        self,
        problem: RuleProblem,
        sample: TuningSample,
        rule: BayesRule,
        shift: np.ndarray | None,
        target: np.ndarray,
        margin: np.ndarray,
    ) -> tuple[BayesRule, np.ndarray] | None:
        """The rule of rows moved to `target`, or as far as rules exist; None where none does."""
        # Averaging damps: a model's response to the multipliers steepens on the way.
        target = target if shift is None else (shift + target) / 2
        start = np.zeros_like(target) if shift is None else shift
        for share in (1.0, 0.5, 0.25):
            attempt = start + share * (target - start)
            try:
                moved = solve_bayes_rule(
                    problem,
                    sample.joint,
                    sample.sample_weight,
                    self.rule.bound,
                    shift=attempt,
                    margin=share * margin,
                    initial=rule.multipliers,
                )
            except InfeasibleConstraintsError:
                continue
            return moved, attempt
        return None

    def _out_of_fold(
        self,
        multipliers: np.ndarray,
        splits: list,
        X: Any,
        y: np.ndarray,
        groups: Groups,
        sample_weight: np.ndarray | None,
        problem: RuleProblem,
    ) -> np.ndarray:
        """Decisions of the cost-sensitive classifier on rows it was not trained on."""
        target, weight = fair_costs(problem, self.rule.bound, multipliers, y, groups, sample_weight)
        parts = Parallel(n_jobs=self.joint.n_jobs, verbose=self.joint.verbose)(
            delayed(_fit_and_decide)(self.joint.estimator, X, target, weight, train, test)
            for train, test in splits
        )
        _, order = tuning_rows(splits, groups)
        return np.concatenate(parts)[order]


def _fit_and_decide(
    estimator: Any, X: Any, target: np.ndarray, weight: np.ndarray, train: Any, test: Any
) -> np.ndarray:
    model = fit_model(estimator, _safe_indexing(X, train), target[train], weight[train])
    return np.asarray(model.predict(_safe_indexing(X, test)), dtype=float)


def best_update(history: list[DualUpdate]) -> DualUpdate:
    """The most accurate round within the bound; else the one that violates it least."""
    return min(history, key=lambda u: (max(u.excess - u.grain, 0.0), -u.accuracy))
