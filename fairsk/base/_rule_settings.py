"""What is asked of a fair rule: checked once, for every estimator that builds on the Bayes rule."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np

from fairsk.base._label_constraints import BOUND_PARAMETERS, solve_on_labels
from fairsk.base._tuning import CALIBRATIONS, TuningSample
from fairsk.notions import CONTRASTS, MEASURES, LinearConstraints, cell_masses, get_notion
from fairsk.solvers import BayesRule, RuleProblem, rule_from_multipliers, solve_bayes_rule
from fairsk.utils import Groups

CONSTRAIN = ("probabilities", "labels")


@dataclass(frozen=True)
class RuleSettings:
    """Constraint, cost and way of choosing the rule; the parameters of the estimators.

    Attributes
    ----------
    notion : str or FairnessNotion
    measure, contrast : str
    tolerance, ratio_bound : float
    cost : float
    constrain : {"probabilities", "labels"}
    multipliers : array-like or None
    confidence : float or None
    randomize : bool
    random_state : int or None
    """

    notion: Any
    measure: str
    contrast: str
    tolerance: float
    ratio_bound: float
    cost: float
    constrain: str = "labels"
    multipliers: Any = None
    confidence: float | None = None
    randomize: bool = False
    random_state: int | None = None

    def check(self) -> None:
        """Refuse values out of range, each with what is accepted.

        Raises
        ------
        ValueError
        """
        notion = get_notion(self.notion)
        if notion.multilabel:
            raise ValueError(
                f"{notion.name} is about several tasks at once; a binary rule takes "
                f"'predictive_equality' (the same rate, for one task)."
            )
        _check_choice("measure", self.measure, MEASURES)
        _check_choice("contrast", self.contrast, CONTRASTS)
        _check_choice("constrain", self.constrain, CONSTRAIN)
        self.check_bound(self.bound)
        check_fraction("cost", self.cost, "the cost parameter c; 0.5 is the error rate")
        if self.confidence is not None:
            check_fraction("confidence", self.confidence, "such as 0.95, or None")
            if self.multipliers is not None:
                raise ValueError("confidence cannot be promised for multipliers given by hand.")

    @property
    def bound(self) -> float:
        """The bound that the measure uses."""
        return getattr(self, BOUND_PARAMETERS[self.measure])

    @property
    def is_exact(self) -> bool:
        """Whether the constraints are those of the program, on the model's probabilities."""
        return self.constrain == "probabilities" and self.confidence is None

    def check_bound(self, bound: Any) -> None:
        """Refuse a tolerance outside [0, 1] or a ratio's level outside (0, 1]."""
        number = isinstance(bound, Real) and not isinstance(bound, bool)
        if self.measure == "difference" and not (number and 0 <= bound <= 1):
            raise ValueError(
                f"tolerance is the largest difference of rates, in [0, 1]; got {bound!r}."
            )
        if self.measure == "ratio" and not (number and 0 < bound <= 1):
            raise ValueError(
                f"ratio_bound is the smallest ratio of rates, in (0, 1] (0.8 is the four-fifths "
                f"rule); got {bound!r}."
            )

    def problem(self, groups: Groups) -> RuleProblem:
        """The rule's problem for these groups."""
        return RuleProblem(
            notion=get_notion(self.notion),
            family_of=groups.family_of,
            measure=self.measure,
            contrast=self.contrast,
            cost=self.cost,
            labels=groups.labels,
        )

    def check_cells(self, y: np.ndarray, groups: Groups) -> LinearConstraints:
        """Refuse groups without the rows that the notion conditions on, before any training.

        Multipliers given by hand are held against the number of constraints as well.
        """
        masses = cell_masses(y, np.zeros(len(y)), groups)
        constraints = self.problem(groups).constraints(masses.total, self.bound)
        if self.multipliers is not None:
            constraints.check_multipliers(self.multipliers)
        return constraints

    def smallest_cell(self, y: np.ndarray, groups: Groups) -> tuple[str, int]:
        """The group with the fewest rows that the notion conditions on."""
        total = cell_masses(y, np.zeros(len(y)), groups).total
        counts = [rate.conditioning_mass(total) for rate in get_notion(self.notion).rates]
        least = np.min(counts, axis=0)
        return groups.labels[int(least.argmin())], int(least.min())


def choose_rule(
    settings: RuleSettings,
    sample: TuningSample,
    *,
    bound: float | None = None,
    initial: np.ndarray | None = None,
) -> BayesRule:
    """The rule that the settings ask for, on a tuning sample.

    Parameters
    ----------
    settings : RuleSettings
    sample : TuningSample
    bound : float, optional
        Another bound than the settings'.
    initial : ndarray, optional
        Signed multipliers to start from.

    Returns
    -------
    BayesRule
    """
    problem = settings.problem(sample.groups)
    bound = settings.bound if bound is None else bound
    if settings.multipliers is not None:
        return rule_from_multipliers(
            problem, sample.joint, sample.sample_weight, bound, settings.multipliers
        )
    if settings.is_exact:
        return solve_bayes_rule(problem, sample.joint, sample.sample_weight, bound, initial=initial)
    return solve_on_labels(
        problem,
        sample,
        bound,
        confidence=settings.confidence,
        randomize=settings.randomize,
        random_state=settings.random_state,
        initial=initial,
    )


def _check_choice(name: str, value: Any, choices: tuple) -> None:
    if value not in choices:
        raise ValueError(f"{name} must be one of {choices}, got {value!r}.")


def check_fraction(name: str, value: Any, meaning: str) -> None:
    """Refuse a number outside the open interval (0, 1)."""
    if not (isinstance(value, Real) and not isinstance(value, bool) and 0 < float(value) < 1):
        raise ValueError(f"{name} must be between 0 and 1 ({meaning}), got {value!r}.")


def check_cv_and_calibration(cv: Any, calibration: str | None) -> None:
    """Refuse a number of folds or a calibration that cannot be used."""
    _check_choice("calibration", calibration, CALIBRATIONS)
    if isinstance(cv, bool) or (isinstance(cv, Integral) and cv < 2):
        raise ValueError(
            f"cv must be at least 2 folds, a held-out share in (0, 1), or a splitter; got {cv!r}. "
            f"For an estimator fitted elsewhere, wrap it in sklearn.frozen.FrozenEstimator."
        )
    if isinstance(cv, Real) and not isinstance(cv, Integral):
        check_fraction("cv", cv, "the share of rows held out to tune the rule")
