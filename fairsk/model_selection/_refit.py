"""Rules that pick a candidate of a search: ``GridSearchCV(..., refit=best_within_tolerance(.05))``.

A rule is a callable on ``cv_results_``. It also equals the name of its objective, because a search
with several scorers looks its scorer up by ``refit``: ``search.score(X, y)``, which raises a
KeyError for any other callable, is then the objective's score.
"""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.stats import t as student_t

from fairsk.model_selection._pareto import as_violation, chord_gain, split_scores, standard_error


class RefitRule(ABC):
    """Orders the candidates of a search; calling it gives the index of the best.

    Parameters
    ----------
    objective, violation : str
        Keys of the scoring dict.
    measure : {"difference", "ratio"}
    """

    def __init__(self, objective: str, violation: str, measure: str) -> None:
        if not isinstance(objective, str) or not isinstance(violation, str):
            raise TypeError(
                f"objective and violation are keys of the scoring dict, got {objective!r} and "
                f"{violation!r}."
            )
        self.objective, self.violation, self.measure = objective, violation, measure

    def __call__(self, cv_results: Mapping[str, Any]) -> int:
        chosen = int(self.order(cv_results)[0])
        self.check_chosen(cv_results, chosen)
        return chosen

    def order(self, cv_results: Mapping[str, Any]) -> np.ndarray:
        """Candidates from best to worst, of shape (n_candidates,).

        Raises
        ------
        ValueError
            If a score is missing or NaN.
        """
        gains, losses = self._scores(cv_results)
        return self._order(gains, losses)

    def check_chosen(  # noqa: B027 - a hook: most rules have nothing to check
        self, cv_results: Mapping[str, Any], index: int
    ) -> None:
        """Warn or raise if the chosen candidate does not keep what was asked; here nothing is."""

    @abstractmethod
    def _order(self, gains: np.ndarray, losses: np.ndarray) -> np.ndarray:
        """Candidates from best to worst."""

    def _scores(self, cv_results: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
        """Objectives and violations, of shape (n_candidates, n_splits)."""
        scores = {name: split_scores(cv_results, name) for name in (self.objective, self.violation)}
        missing = {
            name: np.flatnonzero(~np.isfinite(values).all(axis=1))
            for name, values in scores.items()
        }
        places = [
            f"{name!r} of {'every candidate' if len(at) == len(scores[name]) else _some(at)}"
            for name, at in missing.items()
            if len(at)
        ]
        if places:
            raise ValueError(
                f"No candidate can be chosen: the score is NaN for {' and '.join(places)}. Often "
                f"the scorer got no sensitive features (pass sensitive_features= to fit with "
                f"metadata routing enabled, or give the scorer sensitive_columns=), the estimator "
                f"needs them to predict (built-in scorers never pass them: use "
                f"make_aware_scorer), or a group has no rows in a split. The warnings above, or "
                f"error_score='raise', show which."
            )
        losses = as_violation(scores[self.violation], self.violation, self.measure)
        return scores[self.objective], losses

    # Equal to the objective's name: see the module's docstring.
    def __eq__(self, other: object) -> bool:
        if isinstance(other, str):
            return other == self.objective
        return type(other) is type(self) and vars(other) == vars(self)

    def __hash__(self) -> int:
        return hash(self.objective)


def _some(candidates: np.ndarray) -> str:
    more = ", ..." if len(candidates) > 5 else ""
    return f"candidates {', '.join(map(str, candidates[:5]))}{more}"


class _BestWithinTolerance(RefitRule):
    def __init__(
        self,
        tolerance: float,
        objective: str,
        violation: str,
        measure: str,
        upper_confidence: float | None,
        on_infeasible: str,
    ) -> None:
        super().__init__(objective, violation, measure)
        self.tolerance = tolerance
        self.upper_confidence = upper_confidence
        self.on_infeasible = on_infeasible

    def _order(self, gains: np.ndarray, losses: np.ndarray) -> np.ndarray:
        bound, objective = self._bound(losses), gains.mean(axis=1)
        excess = np.where(bound <= self._limit, 0.0, bound)
        # Within the tolerance first; there by objective, then by violation; outside by violation.
        return np.lexsort((bound, -objective, excess))

    @property
    def _limit(self) -> float:
        # A mean of folds at exactly the tolerance may exceed it by rounding.
        return self.tolerance + 1e-12

    def _bound(self, losses: np.ndarray) -> np.ndarray:
        if self.upper_confidence is None:
            return losses.mean(axis=1)
        if losses.shape[1] < 2:
            raise ValueError("upper_confidence needs at least two splits.")
        quantile = student_t.ppf(self.upper_confidence, losses.shape[1] - 1)
        return losses.mean(axis=1) + quantile * standard_error(losses)

    def check_chosen(self, cv_results: Mapping[str, Any], index: int) -> None:
        """Warn or raise if the chosen candidate exceeds the tolerance."""
        bound = self._bound(self._scores(cv_results)[1])[index]
        if bound <= self._limit:
            return
        asked, found = f"violation within {self.tolerance:.4g}", f"violation is {bound:.4g}"
        if self.measure == "ratio":
            asked, found = (
                f"ratio of at least {1 - self.tolerance:.4g}",
                f"ratio is {1 - bound:.4g}",
            )
        what = "" if self.upper_confidence is None else f" at confidence {self.upper_confidence}"
        message = (
            f"No candidate in the running has a {self.violation!r} {asked}{what}; the best {found} "
            f"(candidate {index}: {cv_results['params'][index]}). Widen the grid or the tolerance."
        )
        if self.on_infeasible == "raise":
            raise ValueError(message)
        warnings.warn(f"{message} That candidate is taken.", UserWarning, stacklevel=2)

    def __repr__(self) -> str:
        limit = f"tolerance={self.tolerance!r}"
        if self.measure == "ratio":
            limit = f"ratio_bound={1 - self.tolerance:.12g}"
        return (
            f"best_within_tolerance({limit}, objective={self.objective!r}, "
            f"violation={self.violation!r}, upper_confidence={self.upper_confidence!r})"
        )


class _KneeOfFront(RefitRule):
    def _order(self, gains: np.ndarray, losses: np.ndarray) -> np.ndarray:
        objective, violation = gains.mean(axis=1), losses.mean(axis=1)
        return np.lexsort((violation, -chord_gain(objective, violation)))

    def __repr__(self) -> str:
        return f"knee_of_front(objective={self.objective!r}, violation={self.violation!r})"


def best_within_tolerance(
    tolerance: float | None = None,
    *,
    ratio_bound: float | None = None,
    objective: str = "accuracy",
    violation: str = "violation",
    upper_confidence: float | None = None,
    on_infeasible: str = "warn",
) -> RefitRule:
    """Refit rule: the best objective among candidates whose violation is within a tolerance.

    With violations v_1, ..., v_S of a candidate over the S splits, it qualifies if

        mean(v) + q s / sqrt(S) <= tolerance,

    where s is the standard deviation (S - 1 in its denominator) and q is 0, or the
    ``upper_confidence`` quantile of Student's t with S - 1 degrees of freedom. Splits share
    training rows, so the bound is a guard against noise, not an exact confidence level.

    Parameters
    ----------
    tolerance : float
        Largest violation (>= 0), for scorers of differences.
    ratio_bound : float
        Least ratio, in (0, 1], for scorers of ratios; in place of `tolerance`.
    objective, violation : str
        Keys of the scoring dict.
    upper_confidence : float in (0, 1), optional
    on_infeasible : {"warn", "raise"}, default="warn"
        If none qualifies: take the least violation with a warning, or raise.

    Returns
    -------
    RefitRule
        For ``refit=``. It raises ValueError when a score is NaN, where scikit-learn would silently
        take the first candidate.

    Examples
    --------
    >>> results = {"params": [{"C": 1}, {"C": 2}, {"C": 3}]}
    >>> for i, shift in enumerate([-0.01, 0.01]):
    ...     results[f"split{i}_test_accuracy"] = np.array([0.9, 0.8, 0.7]) + shift
    ...     results[f"split{i}_test_violation"] = np.array([-0.2, -0.04, -0.02]) + shift
    >>> best_within_tolerance(0.05)(results)
    1
    """
    if (tolerance is None) == (ratio_bound is None):
        raise ValueError("Give either tolerance (for differences) or ratio_bound (for ratios).")
    if tolerance is not None and not tolerance >= 0:
        raise ValueError(f"tolerance must be at least 0, got {tolerance!r}.")
    if ratio_bound is not None and not 0 < ratio_bound <= 1:
        raise ValueError(f"ratio_bound must be in (0, 1], got {ratio_bound!r}.")
    if upper_confidence is not None and not 0 < upper_confidence < 1:
        raise ValueError(f"upper_confidence must be in (0, 1), got {upper_confidence!r}.")
    if on_infeasible not in ("warn", "raise"):
        raise ValueError(f"on_infeasible must be 'warn' or 'raise', got {on_infeasible!r}.")
    return _BestWithinTolerance(
        float(tolerance) if tolerance is not None else 1 - float(ratio_bound or 1),
        objective,
        violation,
        "difference" if ratio_bound is None else "ratio",
        upper_confidence,
        on_infeasible,
    )


def knee_of_front(
    objective: str = "accuracy", violation: str = "violation", *, measure: str = "difference"
) -> RefitRule:
    """Refit rule: the knee of the Pareto front.

    The candidate farthest above the line between the front's two ends, both axes scaled to [0, 1].

    Parameters
    ----------
    objective, violation : str
        Keys of the scoring dict.
    measure : {"difference", "ratio"}, default="difference"
        Of the violation's scorer.

    Returns
    -------
    RefitRule
        For ``refit=``. It raises ValueError when a score is NaN.

    Examples
    --------
    >>> results = {"params": [{}, {}, {}]}
    >>> results["split0_test_accuracy"] = np.array([0.9, 0.88, 0.6])
    >>> results["split0_test_violation"] = -np.array([0.3, 0.1, 0.0])
    >>> knee_of_front()(results)
    1
    """
    if measure not in ("difference", "ratio"):
        raise ValueError(f"measure must be 'difference' or 'ratio', got {measure!r}.")
    return _KneeOfFront(objective, violation, measure)
