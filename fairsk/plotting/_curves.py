"""Curves of a trade-off: whatever holds accuracies and violations, as arrays with intervals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import norm

from fairsk.model_selection import ParetoFront
from fairsk.thresholding import TradeOffPath

FIGURES = ("observed", "expected")


@dataclass(frozen=True, eq=False)
class TradeOffCurve:
    """Points of one method.

    Parameters
    ----------
    objective, violation : ndarray of shape (n_points,)
        Greater is better; 0 is parity.
    objective_lower, objective_upper, violation_lower, violation_upper : ndarray, optional
        Ends of intervals, of shape (n_points,); NaN where unknown.
    is_path : bool, default=False
        Whether the points are one method along its knob and are joined in order of violation;
        otherwise they are candidates, of which the efficient ones are joined.
    """

    objective: np.ndarray
    violation: np.ndarray
    objective_lower: np.ndarray
    objective_upper: np.ndarray
    violation_lower: np.ndarray
    violation_upper: np.ndarray
    is_path: bool = False

    @classmethod
    def of(
        cls,
        objective: ArrayLike,
        violation: ArrayLike,
        *,
        objective_interval: ArrayLike | None = None,
        violation_interval: ArrayLike | None = None,
        is_path: bool = False,
    ) -> TradeOffCurve:
        """A curve from arrays of shape (n_points,) and intervals of shape (n_points, 2).

        Raises
        ------
        ValueError
            If lengths differ, or a violation is negative.
        """
        gain, loss = np.atleast_1d(objective).astype(float), np.atleast_1d(violation).astype(float)
        if gain.shape != loss.shape or gain.ndim != 1:
            raise ValueError(
                f"objective and violation must be 1-D of one length, got shapes {gain.shape} and "
                f"{loss.shape}."
            )
        if np.any(loss < 0):
            raise ValueError(
                "A violation is at least 0 (parity): give the absolute difference, or 1 - ratio; "
                "scores of a search, which are negated, go in as its cv_results_."
            )
        return cls(
            gain,
            loss,
            *_ends("objective_interval", objective_interval, len(gain)),
            *_ends("violation_interval", violation_interval, len(gain)),
            is_path,
        )

    @property
    def efficient(self) -> np.ndarray:
        """Indices of the points that no other point of the curve dominates, by violation."""
        return ParetoFront.from_arrays(self.objective, self.violation).indices


def _ends(name: str, interval: ArrayLike | None, n_points: int) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper ends of each point's interval; NaN where none are given."""
    if interval is None:
        return np.full(n_points, np.nan), np.full(n_points, np.nan)
    pairs = np.asarray(interval, dtype=float)
    if pairs.shape != (n_points, 2):
        raise ValueError(
            f"{name} must have shape ({n_points}, 2), a lower and an upper end a point; got "
            f"{pairs.shape}."
        )
    return pairs[:, 0], pairs[:, 1]


def as_curve(
    result: Any,
    *,
    objective: str,
    violation: str,
    measure: str,
    figures: str,
    confidence: float,
) -> TradeOffCurve:
    """A curve of a search, its ``cv_results_``, a `ParetoFront`, a `TradeOffPath` or arrays."""
    if isinstance(result, TradeOffCurve):
        return result
    if isinstance(result, TradeOffPath):
        return _of_path(result, figures)
    if hasattr(result, "cv_results_"):
        result = result.cv_results_
    if isinstance(result, Mapping):
        result = ParetoFront.from_cv_results(
            result, objective=objective, violation=violation, measure=measure
        )
    if isinstance(result, ParetoFront):
        return _of_front(result, confidence)
    if isinstance(result, tuple) and len(result) == 2:
        return TradeOffCurve.of(*result)
    raise TypeError(
        f"A trade-off is drawn from a fitted search, its cv_results_, a ParetoFront, the path() of "
        f"a BayesOptimalFairPostProcessor, a TradeOffCurve, or a pair (objective, violation) of "
        f"arrays; got {type(result).__name__}."
    )


def _of_front(front: ParetoFront, confidence: float) -> TradeOffCurve:
    # Standard errors over few folds: a normal interval is all that they can honestly give.
    q = norm.ppf(0.5 + confidence / 2)

    def ends(values: np.ndarray, error: np.ndarray) -> np.ndarray:
        return np.column_stack([values - q * error, values + q * error])

    known = np.isfinite(front.objective) & np.isfinite(front.violation)
    spread = ends(front.violation, front.violation_error)
    return TradeOffCurve.of(
        front.objective[known],
        front.violation[known],
        objective_interval=ends(front.objective, front.objective_error)[known],
        violation_interval=np.maximum(spread, 0)[known],
    )


def _of_path(path: TradeOffPath, figures: str) -> TradeOffCurve:
    if figures not in FIGURES:
        raise ValueError(f"figures must be one of {FIGURES}, got {figures!r}.")
    gain = getattr(path, f"{figures}_accuracy")
    loss = getattr(path, f"{figures}_violation")
    certificates: list[Any] = [estimator.certificate_ for estimator in path.estimators]
    interval = None
    if figures == "observed":
        interval = np.array([certificate.interval for certificate in certificates])
    if certificates[0].measure == "ratio":
        loss = 1 - loss
        interval = None if interval is None else 1 - interval[:, ::-1]
    # The optimum under a bound of 0 may be off it by rounding.
    return TradeOffCurve.of(gain, np.maximum(loss, 0), violation_interval=interval, is_path=True)
