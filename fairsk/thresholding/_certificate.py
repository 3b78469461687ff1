"""What a fitted rule can show for itself."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from fairsk.base import RuleSettings, TuningSample, observed_accuracy, observed_violation
from fairsk.metrics import violation_interval
from fairsk.notions import get_notion
from fairsk.solvers import BayesRule

DEFAULT_CONFIDENCE = 0.95
# The error of a 95 % quantile from this many resamples is under 3 % of the interval's width.
N_RESAMPLES = 2000


@dataclass(frozen=True)
class FairnessCertificate:
    """What was asked of a rule, and what it achieves on the sample it was tuned on.

    Attributes
    ----------
    notion, measure, contrast : str
    bound : float
        The tolerance asked (differences) or the ratio's level.
    confidence : float or None
        Probability with which the bound was to hold in the population.
    expected_violation : float
        Worst disparity of the optimal, randomised rule under the model's probabilities: within
        the bound to 1e-9 where the constraints are on these.
    observed_violation : float
        Worst disparity of the rule as it predicts, on the observed labels and groups, with
        probabilities from models that did not see the rows.
    interval : tuple of two floats
        Simultaneous confidence interval of the population's violation, at level
        `interval_confidence`, from resampling of the observed cells.
    interval_confidence : float
    duality_gap : float
        Relative gap between the rule's expected accuracy and the best that any rule within the
        bound can have, under the same probabilities; nan for multipliers given by hand. Where the
        constraints are on observed labels, the bound is that of the corrected program, or the
        disparities that the rule itself has.
    expected_accuracy, observed_accuracy : float
    n_samples : int
        Rows of known group that the rule was tuned on.
    smallest_cell : tuple of (str, int)
        The group with the fewest rows that the notion conditions on, and their number; it decides
        the width of the interval.
    """

    notion: str
    measure: str
    contrast: str
    bound: float
    confidence: float | None
    expected_violation: float
    observed_violation: float
    interval: tuple[float, float]
    interval_confidence: float
    duality_gap: float
    expected_accuracy: float
    observed_accuracy: float
    n_samples: int
    smallest_cell: tuple[str, int]

    def to_dict(self) -> dict[str, Any]:
        """All figures as plain Python values."""
        return asdict(self)

    @property
    def holds(self) -> bool:
        """Whether the whole confidence interval is within the bound."""
        if self.measure == "difference":
            return self.interval[1] <= self.bound
        return self.interval[0] >= self.bound

    def beats(self, other: FairnessCertificate) -> bool:
        """Whether this rule serves the other's bound better, on the observed labels.

        It is the more accurate one, and within that bound or no farther outside it.
        """
        sign = 1.0 if self.measure == "difference" else -1.0
        allowed = max(sign * other.bound, sign * other.observed_violation)
        is_fair = sign * self.observed_violation <= allowed
        return is_fair and self.observed_accuracy > other.observed_accuracy

    def __str__(self) -> str:
        relation = "<=" if self.measure == "difference" else ">="
        low, high = self.interval
        reference = "the population" if self.contrast == "population" else "each other"
        asked = f"{self.notion}, groups against {reference}: worst {self.measure} {relation} "
        lines = [
            f"Fairness certificate ({self.n_samples:,} rows)",
            f"  asked               {asked}{self.bound:g}"
            + ("" if self.confidence is None else f" with confidence {self.confidence:g}"),
            f"  expected violation  {self.expected_violation:.4f}  (model probabilities)",
            f"  observed violation  {self.observed_violation:.4f}  (labels, out of fold), "
            f"{self.interval_confidence:.0%} interval [{low:.4f}, {high:.4f}]",
            f"  accuracy            {self.observed_accuracy:.4f} observed, "
            f"{self.expected_accuracy:.4f} expected",
            f"  duality gap         {self.duality_gap:.1e}",
            f"  smallest cell       {self.smallest_cell[1]:,} rows ({self.smallest_cell[0]})",
        ]
        return "\n".join(lines)


def certify(
    settings: RuleSettings, sample: TuningSample, rule: BayesRule, bound: float
) -> FairnessCertificate:
    """Measure a rule on its tuning sample.

    Parameters
    ----------
    settings : RuleSettings
    sample : TuningSample
    rule : BayesRule
    bound : float

    Returns
    -------
    FairnessCertificate
    """
    problem = settings.problem(sample.groups)
    decision = rule.decide(sample.joint, randomize=settings.randomize)
    weight = sample.sample_weight * len(sample.y)
    confidence = settings.confidence or DEFAULT_CONFIDENCE
    interval = violation_interval(
        sample.y,
        decision,
        sample.groups,
        get_notion(settings.notion),
        measure=settings.measure,
        contrast=settings.contrast,
        confidence=confidence,
        n_resamples=N_RESAMPLES,
        sample_weight=None if np.allclose(weight, 1) else weight,
        random_state=settings.random_state,
    )
    return FairnessCertificate(
        notion=get_notion(settings.notion).name,
        measure=settings.measure,
        contrast=settings.contrast,
        bound=bound,
        confidence=settings.confidence,
        expected_violation=rule.violation,
        observed_violation=observed_violation(problem, sample, decision),
        interval=interval,
        interval_confidence=confidence,
        duality_gap=rule.gap,
        expected_accuracy=rule.expected_accuracy,
        observed_accuracy=observed_accuracy(problem, sample, decision),
        n_samples=len(sample.y),
        smallest_cell=settings.smallest_cell(sample.y, sample.groups),
    )
