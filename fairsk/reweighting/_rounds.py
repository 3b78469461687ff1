"""Both stages: weights from a model, a model from weights, and which round stays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fairsk.curvature import TrainedModel
from fairsk.reweighting._balance import Balancer, Linearization, Weights


@dataclass(frozen=True)
class ReweightingRound:
    """One training with weights; the first of a history is without them.

    Attributes
    ----------
    damping : float
        Of the influence that gave the weights.
    predicted_gap, achieved_gap : ndarray of shape (n_gaps,)
        Smooth gaps on the validation rows, as influence predicted and as training gave them.
    rate_gap : ndarray of shape (n_gaps,)
        Gaps of the decisions themselves.
    size : float
        Norm of the change of the weights.
    objective : float
        The paper's objective (14) at the achieved gap.
    residual, gradient_norm : float
        Of the inverse solve, and of the training objective at the model before: zero where it has
        converged.
    """

    damping: float
    predicted_gap: np.ndarray
    achieved_gap: np.ndarray
    rate_gap: np.ndarray
    size: float
    objective: float
    residual: float
    gradient_norm: float


@dataclass(frozen=True)
class RoundsResult:
    """The round that stays, and all of them.

    Attributes
    ----------
    model : estimator
    weights : Weights
    first : Linearization
        At the plain model, for the damping that stays.
    best : int
        Its place in the history; 0 is the plain model.
    history : list of ReweightingRound
    """

    model: Any
    weights: Weights
    first: Linearization
    best: int
    history: list[ReweightingRound]


def run_rounds(
    balancer: Balancer,
    plain: Any,
    look: Callable[[Any], TrainedModel],
    train: Callable[[np.ndarray, Any], Any] | None,
    dampings: Sequence[float],
    n_rounds: int,
) -> RoundsResult:
    """Reweight and retrain, for each damping from the plain model on.

    Parameters
    ----------
    balancer : Balancer
    plain : estimator
        Trained with the first weights.
    look : callable
        From a trained model to its scores and objective.
    train : callable
        From weights and the model before to a trained model. None where only the weights are
        asked for: the last of them stay, and what they would achieve is NaN.
    dampings : sequence of float
    n_rounds : int

    Returns
    -------
    RoundsResult
        With the round of lowest objective (14) on the validation rows.
    """
    trained, start = look(plain), balancer.start()
    firsts = [balancer.linearize(trained, start, damping) for damping in dampings]
    candidates = [(plain, start, firsts[0])]
    history = [_record(balancer, trained, start, firsts[0], np.nan, firsts[0].gap)]
    for damping, first in zip(dampings, firsts, strict=True):
        model, seen, weights, at = plain, trained, start, first
        for k in range(n_rounds):
            if k:
                at = balancer.linearize(seen, weights, damping)
            weights = balancer.solve(seen, at, weights)
            if train is not None:
                model = train(weights.sample_weight, model)
                seen = look(model)
            candidates.append((model, weights, first))
            history.append(_record(balancer, seen, weights, at, damping, weights.predicted_gap))
    if train is None:
        nothing = np.full(len(balancer.gaps.names), np.nan)
        history[1:] = [replace(r, achieved_gap=nothing, rate_gap=nothing) for r in history[1:]]
        return RoundsResult(*candidates[-1], len(history) - 1, history)
    best = int(np.argmin([record.objective for record in history]))
    return RoundsResult(*candidates[best], best, history)


def _record(
    balancer: Balancer,
    trained: TrainedModel,
    weights: Weights,
    at: Linearization,
    damping: float,
    predicted: np.ndarray,
) -> ReweightingRound:
    z = trained.scores(balancer.X_val)
    achieved = balancer.gaps.soft(z)
    return ReweightingRound(
        damping=damping,
        predicted_gap=predicted,
        achieved_gap=achieved,
        rate_gap=balancer.gaps.hard(z),
        size=weights.size,
        objective=balancer.objective(achieved, weights.size),
        residual=at.residual,
        gradient_norm=at.gradient_norm,
    )
