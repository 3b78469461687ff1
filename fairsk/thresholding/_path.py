"""The whole trade-off from one fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fairsk.utils import import_optional

if TYPE_CHECKING:
    from fairsk.thresholding._bayes_optimal import BayesOptimalFairPostProcessor


@dataclass(frozen=True)
class TradeOffPath:
    """Rules along a path of tolerances (or of ratio levels).

    Attributes
    ----------
    bounds : ndarray of shape (n_points,)
    expected_accuracy, expected_violation : ndarray of shape (n_points,)
        Under the model's probabilities.
    observed_accuracy, observed_violation : ndarray of shape (n_points,)
        On the observed labels of the tuning sample, with out-of-fold probabilities.
    multipliers : ndarray of shape (n_points, n_multipliers)
    estimators : tuple of BayesOptimalFairPostProcessor
        A fitted estimator for each point; they share the fitted models.
    """

    bounds: np.ndarray
    expected_accuracy: np.ndarray
    expected_violation: np.ndarray
    observed_accuracy: np.ndarray
    observed_violation: np.ndarray
    multipliers: np.ndarray
    estimators: tuple[BayesOptimalFairPostProcessor, ...]

    def __len__(self) -> int:
        return len(self.bounds)

    def at(self, bound: float) -> BayesOptimalFairPostProcessor:
        """The fitted estimator of the point nearest to a bound."""
        return self.estimators[int(np.argmin(np.abs(self.bounds - bound)))]

    def to_dict(self) -> dict[str, np.ndarray]:
        """The figures as columns."""
        names = (
            "bounds",
            "expected_accuracy",
            "expected_violation",
            "observed_accuracy",
            "observed_violation",
        )
        return {name: getattr(self, name) for name in names}

    def to_frame(self) -> Any:
        """The figures as a pandas DataFrame.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        pandas = import_optional("pandas", extra="quickstart", purpose="TradeOffPath.to_frame")
        return pandas.DataFrame(self.to_dict())

    def __str__(self) -> str:
        rows = ["   bound  accuracy  violation   (observed on the tuning sample)"]
        rows += [
            f"{bound:8.4f}  {accuracy:8.4f}  {violation:9.4f}"
            for bound, accuracy, violation in zip(
                self.bounds, self.observed_accuracy, self.observed_violation, strict=True
            )
        ]
        return "\n".join(rows)
