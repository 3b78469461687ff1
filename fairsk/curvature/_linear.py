"""Linear scores: everything in closed form, for dense and sparse X."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from fairsk.curvature._score_model import ScoreModel


class LinearScoreModel(ScoreModel):
    """z(x) = x . coef + intercept.

    Parameters
    ----------
    coef : array-like of shape (n_features,)
    intercept : float, default=0.0
    fit_intercept : bool, default=True
        Whether the intercept is a parameter, the last one, or a constant.

    Examples
    --------
    >>> model = LinearScoreModel([1.0, -2.0], 0.5)
    >>> model.scores(np.array([[1.0, 1.0]]))
    array([-0.5])
    >>> model.pull_back(np.array([[1.0, 1.0], [0.0, 3.0]]), np.array([[1.0], [2.0]]))
    array([[1., 7., 3.]])
    """

    def __init__(self, coef: Any, intercept: float = 0.0, *, fit_intercept: bool = True) -> None:
        self.coef = np.asarray(coef, dtype=float).ravel()
        self.intercept, self.fit_intercept = float(intercept), fit_intercept
        self.parameters = np.append(self.coef, self.intercept) if fit_intercept else self.coef

    def scores(self, X: Any) -> np.ndarray:
        return np.asarray(X @ self.coef, dtype=float) + self.intercept

    def pull_back(self, X: Any, coefficients: np.ndarray) -> np.ndarray:
        gradients = np.asarray(X.T @ coefficients, dtype=float).T
        if not self.fit_intercept:
            return gradients
        return np.column_stack([gradients, coefficients.sum(axis=0)])

    def push_forward(self, X: Any, directions: np.ndarray) -> np.ndarray:
        n_features = len(self.coef)
        derivatives = np.asarray(X @ directions[:, :n_features].T, dtype=float)
        return derivatives + directions[:, n_features] if self.fit_intercept else derivatives

    def second_order(self, X: Any, coefficients: np.ndarray, direction: np.ndarray) -> np.ndarray:
        return np.zeros(self.n_parameters)

    def jacobian(self, X: Any) -> Any:
        if not self.fit_intercept:
            return X
        ones = np.ones((X.shape[0], 1))
        if sparse.issparse(X):
            return sparse.hstack([X, ones], format="csr")
        return np.hstack([X, ones])
