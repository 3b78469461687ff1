"""The one interface: what influence needs to know of a model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np


class Linearization:
    """Scores of fixed rows as a linear map J of a step in the parameters.

    Parameters
    ----------
    model : ScoreModel
    X : array-like of shape (n_samples, ...)
    """

    def __init__(self, model: ScoreModel, X: Any) -> None:
        self.model, self.X = model, X

    def push(self, directions: np.ndarray) -> np.ndarray:
        """J applied to each direction (m, n_parameters); shape (n_samples, m)."""
        return self.model.push_forward(self.X, directions)

    def pull(self, coefficients: np.ndarray) -> np.ndarray:
        """J' applied to each column of coefficients (n_samples, m); (m, n_parameters)."""
        return self.model.pull_back(self.X, coefficients)


class ScoreModel(ABC):
    """A binary classifier at its trained parameters, seen through its scores z(x).

    z is the log-odds of class 1. With J the Jacobian of the scores of some rows in the parameters,
    a family of models writes J' c (`pull_back`), J v (`push_forward`), the curvature of the scores
    themselves (`second_order`), and J where it fits into memory (`jacobian`).

    Attributes
    ----------
    parameters : ndarray of shape (n_parameters,)
        The trained values, flat; only those that influence is to act on.
    """

    parameters: np.ndarray

    @property
    def n_parameters(self) -> int:
        return len(self.parameters)

    @abstractmethod
    def scores(self, X: Any) -> np.ndarray:
        """Log-odds of class 1, float64 of shape (n_samples,)."""

    @abstractmethod
    def pull_back(self, X: Any, coefficients: np.ndarray) -> np.ndarray:
        """Gradients of the sums of c_i z_i for each column c; shape (m, n_parameters)."""

    @abstractmethod
    def push_forward(self, X: Any, directions: np.ndarray) -> np.ndarray:
        """Derivatives of every score along each direction; shape (n_samples, m)."""

    @abstractmethod
    def second_order(self, X: Any, coefficients: np.ndarray, direction: np.ndarray) -> np.ndarray:
        """The Hessian of sum c_i z_i, times a direction; shape (n_parameters,)."""

    @abstractmethod
    def jacobian(self, X: Any) -> Any:
        """Gradients of every score, of shape (n_samples, n_parameters): for few rows or few
        parameters. May be sparse."""

    def linearize(self, X: Any) -> Linearization:
        """J of these rows, for many products with it."""
        return Linearization(self, X)
