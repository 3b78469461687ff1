"""The objective that a model was trained on, at its minimum."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from scipy import sparse
from scipy.special import expit

from fairsk.curvature._row_sample import draw_rows, inclusion_probabilities
from fairsk.curvature._score_model import Linearization, ScoreModel


@dataclass(frozen=True)
class TrainingObjective:
    r"""sum_i w_i loss(z_i, y_i) + sum_k ridge_k theta_k^2 / 2, with the logistic loss.

    The loss of a row is log(1 + exp(-z)) for y = 1 and log(1 + exp(z)) for y = 0, which is the
    cross-entropy of one logit, and of two logits whose difference is z.

    Parameters
    ----------
    model : ScoreModel
    X : array-like of shape (n_samples, ...)
        As the model's scores take it.
    y : ndarray of shape (n_samples,)
        0 or 1.
    weight : ndarray of shape (n_samples,)
        Sums to one.
    ridge : ndarray of shape (n_parameters,)
        L2 penalty of each parameter, on the scale of the mean loss.
    scale_free : bool, default=False
        Whether training divides the weights by their sum, so that their scale has no effect.

    Examples
    --------
    >>> from fairsk.curvature import LinearScoreModel
    >>> model = LinearScoreModel([0.0], fit_intercept=False)
    >>> X, y = np.array([[1.0], [2.0]]), np.array([1, 0])
    >>> objective = TrainingObjective(model, X, y, np.array([0.5, 0.5]), np.array([0.1]))
    >>> objective.gradient()
    array([0.25])
    >>> objective.gauss_newton_product(np.array([1.0]))
    array([0.725])
    """

    model: ScoreModel
    X: Any
    y: np.ndarray
    weight: np.ndarray
    ridge: np.ndarray
    scale_free: bool = False

    @cached_property
    def scores(self) -> np.ndarray:
        """Score of each row, shape (n_samples,)."""
        return self.model.scores(self.X)

    @property
    def slopes(self) -> np.ndarray:
        """Derivative of each row's loss in its score: p - y."""
        return expit(self.scores) - self.y

    @property
    def curvatures(self) -> np.ndarray:
        """Second derivative of each row's loss in its score: p (1 - p)."""
        return expit(self.scores) * expit(-self.scores)

    def gradient(self) -> np.ndarray:
        """Gradient of the objective, zero where training has converged; (n_parameters,)."""
        data = self.model.pull_back(self.X, (self.weight * self.slopes)[:, None])[0]
        return data + self.ridge * self.model.parameters

    def gradients(self) -> np.ndarray:
        """Gradient of every row's loss, of shape (n_samples, n_parameters): for small problems.

        Influence does without them, see `loss_derivatives`.
        """
        jacobian = self.model.jacobian(self.X)
        dense = jacobian.toarray() if sparse.issparse(jacobian) else np.asarray(jacobian)
        return self.slopes[:, None] * dense

    def loss_derivatives(self, directions: np.ndarray) -> np.ndarray:
        """Derivative of every row's loss along each direction, in one forward-mode pass.

        Parameters
        ----------
        directions : ndarray of shape (m, n_parameters)

        Returns
        -------
        ndarray of shape (n_samples, m)
        """
        return self.slopes[:, None] * self.model.push_forward(self.X, directions)

    def gauss_newton_product(
        self, direction: np.ndarray, linearization: Linearization | None = None
    ) -> np.ndarray:
        """(J' diag(w p (1 - p)) J + ridge) v; the Hessian itself for linear scores."""
        J = linearization or Linearization(self.model, self.X)
        pushed = J.push(direction[None])[:, 0]
        pulled = J.pull((self.weight * self.curvatures * pushed)[:, None])[0]
        return pulled + self.ridge * direction

    def hessian_product(
        self, direction: np.ndarray, linearization: Linearization | None = None
    ) -> np.ndarray:
        """The Hessian times v: Gauss-Newton and the curvature of the scores themselves.

        It may be indefinite where the scores are not linear.
        """
        extra = self.model.second_order(self.X, self.weight * self.slopes, direction)
        return self.gauss_newton_product(direction, linearization) + extra

    def gauss_newton_matrix(self, chunk: int = 4096) -> np.ndarray:
        """The Gauss-Newton matrix, of shape (n_parameters, n_parameters)."""
        total = np.diag(self.ridge.astype(float))
        scale = np.sqrt(self.weight * self.curvatures)
        for start in range(0, len(self.y), chunk):
            part = slice(start, start + chunk)
            jacobian = self.model.jacobian(self.X[part])
            if sparse.issparse(jacobian):
                scaled = sparse.diags_array(scale[part]) @ jacobian
                total += (scaled.T @ scaled).toarray()
            else:
                scaled = scale[part, None] * np.asarray(jacobian, dtype=float)
                total += scaled.T @ scaled
        return total

    def hessian_matrix(self) -> np.ndarray:
        """The Hessian by its columns, of shape (n_parameters, n_parameters)."""
        J = self.model.linearize(self.X)
        columns = [self.hessian_product(v, J) for v in np.eye(self.model.n_parameters)]
        matrix = np.array(columns)
        return (matrix + matrix.T) / 2

    def subsample(
        self, n_rows: int, random_state: Any, kind: str = "gauss_newton"
    ) -> TrainingObjective:
        """The objective of some of the rows, whose curvature estimates that of all without bias.

        Rows that the model is sure of hardly bend the loss, so that rows are drawn with probability
        proportional to what they add to it: w p (1 - p) for "gauss_newton", w abs(p - y), which is
        no smaller, for "hessian". Weights are divided by the probability of being drawn, and no
        longer sum to one.
        """
        amounts = self.weight * (self.curvatures if kind == "gauss_newton" else abs(self.slopes))
        probability = inclusion_probabilities(amounts, n_rows)
        rows = draw_rows(probability, np.random.default_rng(random_state))
        if len(rows) in (0, len(self.y)):
            return self
        weight = self.weight[rows] / probability[rows]
        return replace(self, X=self.X[rows], y=self.y[rows], weight=weight)
