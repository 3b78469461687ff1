"""Regressions that densities use unless told otherwise, and calls into scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from sklearn.utils.validation import has_fit_parameter

# Up to this many given columns, squares and products are added: 90 terms at most.
MAX_QUADRATIC = 12


def quadratic_pipeline(model: BaseEstimator, n_features: int) -> Pipeline:
    """A linear model on standardised columns, their squares and products.

    A permutation sampler needs a smooth density with honest probabilities at any n from tens to
    millions. A penalised linear model in quadratic terms has both; trees are piecewise constant
    and, at small n, overconfident. What it misses, `density_check` shows.
    """
    degree = 2 if n_features <= MAX_QUADRATIC else 1
    return make_pipeline(
        StandardScaler(),
        PolynomialFeatures(degree, include_bias=False),
        # Squares of indicators are the indicators again; scaling keeps the penalty even.
        StandardScaler(),
        model,
    )


def fit_weighted(model: Any, X: np.ndarray, y: np.ndarray, sample_weight: Any, name: str) -> Any:
    """Fit a clone, with weights where there are any.

    Raises
    ------
    ValueError
        If there are weights and the model takes none.
    """
    model = clone(model)
    if sample_weight is None:
        return model.fit(X, y)
    if not takes_weights(model):
        raise ValueError(
            f"{name}={type(model).__name__}(...) takes no sample_weight in fit. Leave the weights "
            f"out, or pass a model that takes them."
        )
    if isinstance(model, Pipeline):
        return model.fit(X, y, **{f"{model.steps[-1][0]}__sample_weight": sample_weight})
    return model.fit(X, y, sample_weight=sample_weight)


def takes_weights(model: Any) -> bool:
    """Whether the model, or the last step of a pipeline, is fitted with sample weights."""
    last = model.steps[-1][1] if isinstance(model, Pipeline) else model
    return has_fit_parameter(last, "sample_weight")


class CellFrequencies(ClassifierMixin, BaseEstimator):
    """Frequencies of the classes among equal rows, smoothed by one row of the overall frequencies.

    A row not seen in fit has the overall frequencies.
    """

    def fit(self, X: np.ndarray, y: np.ndarray, sample_weight: Any = None) -> CellFrequencies:
        """Count classes by cell."""
        weight = np.ones(len(X)) if sample_weight is None else np.asarray(sample_weight)
        # Weights are of any scale; the smoothing is one average row.
        weight = weight / weight.mean()
        self.classes_, codes = np.unique(y, return_inverse=True)
        cells, inverse = np.unique(X, axis=0, return_inverse=True)
        counts = np.zeros((len(cells), len(self.classes_)))
        np.add.at(counts, (inverse.ravel(), codes), weight)
        self.overall_ = counts.sum(axis=0) / counts.sum()
        smoothed = (counts + self.overall_) / (counts.sum(axis=1, keepdims=True) + 1.0)
        self.table_ = dict(zip(map(tuple, cells.tolist()), smoothed, strict=True))
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Frequencies of each row's cell, of shape (n_rows, n_classes)."""
        return np.array([self.table_.get(tuple(row), self.overall_) for row in X.tolist()])

    def predict(self, X: np.ndarray) -> np.ndarray:
        """The most frequent class of each row's cell."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]
