"""Stage one: the influence of every row on the gaps, and the smallest weights that close them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from fairsk.curvature import (
    LinearScoreModel,
    ScoreModel,
    TrainedModel,
    check_solver_settings,
    influence_of_rows,
)
from fairsk.reweighting._rate_gaps import RateGaps
from fairsk.solvers import solve_least_change


@dataclass(frozen=True)
class BalanceSettings:
    """How weights are found; the names are those of `InfluenceReweighter`."""

    l2: float
    nonnegative: bool
    solver: dict[str, Any]

    def check(self, dampings: Sequence[float]) -> None:
        """Refuse settings out of range.

        Raises
        ------
        ValueError
        """
        if not isinstance(self.l2, Real) or not 0 <= float(self.l2) < np.inf:
            raise ValueError(f"l2 must be a number >= 0, got {self.l2!r}.")
        given = {key: value for key, value in self.solver.items() if key != "random_state"}
        for damping in dampings:
            check_solver_settings(damping, **given)


def resolve_damping(damping: Any, model: ScoreModel | None = None) -> list[float]:
    """Dampings to try; "auto" is 1e-3 for linear scores and 1e-2 for networks.

    Linear models are trained to a minimum, where damping only biases; networks are mostly not.

    Raises
    ------
    ValueError
        If there is none, or a value is not a number.

    Examples
    --------
    >>> resolve_damping((0.1, 1))
    [0.1, 1.0]
    """
    if isinstance(damping, str) and damping == "auto":
        return [1e-3 if isinstance(model, LinearScoreModel) else 1e-2]
    try:
        values = [float(value) for value in np.ravel(damping)]
    except (TypeError, ValueError):
        values = []
    if not values:
        raise ValueError(f"damping must be 'auto', a number, or several to try; got {damping!r}.")
    return values


@dataclass(frozen=True)
class Linearization:
    """The gaps of one model as linear functions of the rows' weights.

    Attributes
    ----------
    gap : ndarray of shape (n_gaps,)
    influence : ndarray of shape (n_samples, n_gaps)
        Derivative of each gap in each row's weight, on the scale where the first weights sum to 1.
    residual : float
        Largest residual of the inverse solves.
    gradient_norm : float
        Of the training objective: zero where training has converged.
    """

    gap: np.ndarray
    influence: np.ndarray
    residual: float
    gradient_norm: float


@dataclass(frozen=True)
class Weights:
    """Weights of the rows, and what they should do.

    Attributes
    ----------
    sample_weight : ndarray of shape (n_samples,)
    epsilon : ndarray of shape (n_samples,)
        Change of each weight, on the scale where the first weights sum to 1.
    predicted_gap : ndarray of shape (n_gaps,)
    size : float
        The norm of the change that is penalised.
    """

    sample_weight: np.ndarray
    epsilon: np.ndarray
    predicted_gap: np.ndarray
    size: float


class Balancer:
    """Balances gaps by the weights of fixed training rows.

    Parameters
    ----------
    X, y, sample_weight
        Training rows, y of 0 and 1, weights positive.
    X_val : array-like
        Validation rows.
    gaps : RateGaps
        Of the validation rows.
    settings : BalanceSettings
    """

    def __init__(
        self,
        X: Any,
        y: np.ndarray,
        sample_weight: np.ndarray | None,
        X_val: Any,
        gaps: RateGaps,
        settings: BalanceSettings,
    ) -> None:
        self.X, self.y, self.X_val = X, y, X_val
        self.first_weight = np.ones(len(y)) if sample_weight is None else sample_weight
        self.gaps, self.settings = gaps, settings

    def start(self) -> Weights:
        """The weights as they were given."""
        nothing = np.zeros(len(self.y))
        return Weights(self.first_weight, nothing, np.zeros(len(self.gaps.names)), 0.0)

    def linearize(self, trained: TrainedModel, weights: Weights, damping: float) -> Linearization:
        """Influence at a model that was trained with some weights."""
        # A weight of exactly zero has no part in the objective, but still an influence.
        objective = trained.objective(self.X, self.y, weights.sample_weight)
        prepared = trained.prepare(self.X_val)
        z = trained.model.scores(prepared)
        basis, mix = self.gaps.derivatives(z)
        gradients = trained.model.pull_back(prepared, basis)
        influence, solution = influence_of_rows(
            objective, gradients, damping=damping, **self.settings.solver
        )
        # Of weights that sum to one now; epsilon counts on the scale of the first ones.
        influence = influence @ mix.T / (1 + weights.epsilon.sum())
        return Linearization(
            self.gaps.soft(z),
            influence,
            float(solution.residuals.max()),
            float(np.linalg.norm(objective.gradient())),
        )

    def solve(self, trained: TrainedModel, at: Linearization, weights: Weights) -> Weights:
        """The paper's objective (14), from a model trained with ``weights``.

        A row of weight w counts as w equal rows: the norm of the change is that of the rows.
        """
        effective = self.first_weight * trained.row_factor(self.y, self.first_weight)
        total, root = float(effective.sum()), np.sqrt(effective)
        A = at.influence.T * root
        d = at.influence.T @ weights.epsilon - at.gap
        lower = -root / total if self.settings.nonnegative else None
        found = solve_least_change(A, d, self.settings.l2, lower)
        epsilon = root * found.change
        factor = 1 + total * found.change / root
        if self.settings.nonnegative:
            factor = np.maximum(factor, 0.0)  # rounding at the bound
        predicted = at.gap + at.influence.T @ (epsilon - weights.epsilon)
        sample_weight = self.first_weight * factor
        self._check_trainable(sample_weight)
        return Weights(sample_weight, epsilon, predicted, float(np.linalg.norm(found.change)))

    def objective(self, gap: np.ndarray, size: float) -> float:
        """Equation (14) at gaps that were measured."""
        return float(gap @ gap + self.settings.l2 * size)

    def _check_trainable(self, sample_weight: np.ndarray) -> None:
        for label in (0, 1):
            if not (sample_weight[self.y == label] > 0).any():
                raise ValueError(
                    f"The weights that close the gaps are zero for every row of class {label}: "
                    f"the gaps cannot be closed by weights of this model. Raise l2 (now "
                    f"{self.settings.l2:g}) or damping."
                )
