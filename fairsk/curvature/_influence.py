"""Influence of every training row on some metrics: one solve and one forward-mode pass."""

from __future__ import annotations

from typing import Any

import numpy as np

from fairsk.curvature._objective import TrainingObjective
from fairsk.curvature._solve import DampedSolution, solve_damped


def influence_of_rows(
    objective: TrainingObjective, gradients: np.ndarray, **solver: Any
) -> tuple[np.ndarray, DampedSolution]:
    r"""Derivative of some metrics with respect to the weight of every training row.

    At the minimum :math:`\theta^*` of :math:`\sum_i w_i \ell(z_i, \theta)` and its penalty, a
    weight :math:`w_i + \epsilon_i` moves a metric F by

    .. math:: -\nabla F(\theta^*)^\top H^{-1} \nabla \ell(z_i, \theta^*)\, \epsilon_i,

    with H the Hessian including the penalty. One solve :math:`u = H^{-1} \nabla F`, and then the
    derivative of each row's loss along u; gradients of rows are never stored.

    Parameters
    ----------
    objective : TrainingObjective
    gradients : ndarray of shape (m, n_parameters)
        Of the metrics.
    **solver
        Settings of `solve_damped`.

    Returns
    -------
    influence : ndarray of shape (n_samples, m)
        Positive where more weight on the row raises the metric. The sign is that of the change:
        leaving the row out changes the metric by ``-w_i`` times it.
    solution : DampedSolution

    Notes
    -----
    Where training divides by the sum of the weights, a heavier row makes the others lighter; the
    weighted mean of the influences is subtracted then.

    It is a derivative: right for a model that training has brought to a minimum, and for changes
    that leave the loss nearly quadratic. Early-stopped networks do not move along flat directions;
    damping stands for that.

    References
    ----------
    Training Fair Deep Neural Networks by Balancing Influence, equations 7 to 9. Koh and Liang,
    Understanding black-box predictions via influence functions.

    Examples
    --------
    >>> from fairsk.curvature import LinearScoreModel
    >>> model = LinearScoreModel([0.0], fit_intercept=False)
    >>> X, y, weight = np.array([[1.0], [2.0]]), np.array([1, 0]), np.array([0.5, 0.5])
    >>> objective = TrainingObjective(model, X, y, weight, ridge=np.array([0.1]))
    >>> influence, _ = influence_of_rows(objective, np.array([[1.0]]))  # of the coefficient
    >>> influence.round(2)  # the positive row raises it
    array([[ 0.69],
           [-1.38]])
    """
    solution = solve_damped(objective, gradients, **solver)
    influence = -objective.loss_derivatives(solution.vectors)
    if objective.scale_free:
        influence -= objective.weight @ influence
    return influence, solution
