"""Fitting the user's classifiers and reading their probabilities."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
from sklearn import config_context
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import has_fit_parameter

# Probabilities may sum to one only up to single precision.
PROBABILITY_SLACK = 1e-4


def fit_model(
    estimator: Any, X: Any, y: np.ndarray, sample_weight: np.ndarray | None = None
) -> Any:
    """Fit a clone, with sample weights wherever the estimator takes them.

    Parameters
    ----------
    estimator : estimator
        A classifier or a pipeline that ends in one; weights go to the last step of a pipeline.
    X : array-like of shape (n_samples, n_features)
    y : ndarray of shape (n_samples,)
    sample_weight : ndarray of shape (n_samples,), optional

    Returns
    -------
    estimator
        The fitted clone.

    Raises
    ------
    TypeError
        If weights are given to an estimator that does not take them.
    """
    model = clone(estimator)
    if sample_weight is None:
        return model.fit(X, y)
    parameter = weight_parameter(model)
    # The weights go by name, so no request has to be set on the user's steps.
    with config_context(enable_metadata_routing=False):
        return model.fit(X, y, **{parameter: sample_weight})


def weight_parameter(model: Any) -> str:
    """Name under which ``model.fit`` takes sample weights.

    Raises
    ------
    TypeError
        If it takes none.
    """
    if isinstance(model, Pipeline):
        name, last = model.steps[-1]
        return f"{name}__{weight_parameter(last)}"
    if has_fit_parameter(model, "sample_weight"):
        return "sample_weight"
    parameters = inspect.signature(model.fit).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return "sample_weight"
    raise TypeError(
        f"{type(model).__name__}.fit does not take sample_weight. Choose an estimator that does, "
        f"such as LogisticRegression, HistGradientBoostingClassifier or XGBClassifier."
    )


def check_has_probabilities(estimator: Any) -> None:
    """Refuse a classifier without ``predict_proba``.

    Raises
    ------
    TypeError
        With what to do about it.
    """
    if not hasattr(estimator, "predict_proba"):
        raise TypeError(
            f"{type(estimator).__name__} has no predict_proba, which the Bayes rule needs. Wrap "
            f"it in sklearn.calibration.CalibratedClassifierCV, or switch its probabilities on "
            f"(for example loss='log_loss')."
        )


def check_probabilities(probabilities: np.ndarray, model: Any) -> np.ndarray:
    """Probabilities as float64, refused if they are none.

    Raises
    ------
    ValueError
        If some are NaN, infinite, or outside [0, 1].
    """
    values = np.asarray(probabilities, dtype=float)
    name = type(model).__name__
    if not np.isfinite(values).all():
        rows = np.flatnonzero(~np.isfinite(values).reshape(len(values), -1).all(axis=1))
        raise ValueError(
            f"{name}.predict_proba returned NaN or infinite values in {len(rows)} rows (first: "
            f"row {rows[0]}). Check its inputs and training before correcting it."
        )
    if values.min() < -PROBABILITY_SLACK or values.max() > 1 + PROBABILITY_SLACK:
        raise ValueError(f"{name}.predict_proba returned values outside [0, 1].")
    return np.clip(values, 0, 1)


def positive_probability(model: Any, X: Any) -> np.ndarray:
    """P(Y = 1 | x) of a classifier fitted on labels 0 and 1, of shape (n_samples,)."""
    probabilities = check_probabilities(model.predict_proba(X), model)
    classes = list(model.classes_)
    if len(classes) == 1:
        return np.full(len(probabilities), float(classes[0]))
    return probabilities[:, 1]


class GroupModel:
    """P(A = a | x, y): a classifier of the group for each label.

    With the probability of the label, from a model of its own, this is the joint probability of
    label and group. A single classifier of the pairs would take twice as long, most of it to tell
    the labels apart once more.

    Parameters
    ----------
    estimator : estimator
        A classifier with ``predict_proba``; multiclass if there are more than two groups.
    n_groups : int

    Attributes
    ----------
    models_ : list of two estimators
        Of the rows of label 0 and of label 1; None for a label whose rows are of one group.
    groups_ : list of two ndarrays of int
        The groups of each label's rows: the model's classes, in order.
    marginal_ : ndarray of shape (2, n_groups)
        P(A = a | y), where the model gives no group any probability.
    """

    def __init__(self, estimator: Any, n_groups: int) -> None:
        self.estimator = estimator
        self.n_groups = n_groups

    def fit(
        self, X: Any, y: np.ndarray, group: np.ndarray, sample_weight: np.ndarray | None
    ) -> GroupModel:
        """Fit on rows whose group is known; y and group are integer codes."""
        cell = y * self.n_groups + group
        mass = np.bincount(cell, sample_weight, 2 * self.n_groups).reshape(2, -1)
        self.models_: list[Any] = []
        self.groups_: list[np.ndarray] = []
        for label in (0, 1):
            rows = np.flatnonzero(y == label) if mass[label].any() else np.zeros(0, dtype=int)
            # Contiguous classes: some estimators refuse gaps, and a fold may lack a group.
            groups, codes = np.unique(group[rows], return_inverse=True)
            model = None
            if len(groups) > 1:
                weight = None if sample_weight is None else sample_weight[rows]
                model = fit_model(self.estimator, _safe_indexing(X, rows), codes, weight)
            self.models_.append(model)
            self.groups_.append(groups)
        # A label absent from a fold says nothing of its groups: use the overall shares.
        mass = np.where(mass.sum(axis=1, keepdims=True) > 0, mass, mass.sum(axis=0))
        self.marginal_ = mass / mass.sum(axis=1, keepdims=True)
        return self

    def conditional(self, X: Any) -> np.ndarray:
        """P(A = a | x, y) of shape (n_samples, 2, n_groups); sums to one over groups."""
        n_samples = X.shape[0] if hasattr(X, "shape") else len(X)
        shares = np.zeros((n_samples, 2, self.n_groups))
        for label, (model, groups) in enumerate(zip(self.models_, self.groups_, strict=True)):
            if model is not None:
                places = groups[np.asarray(model.classes_, dtype=int)]
                shares[:, label, places] = check_probabilities(model.predict_proba(X), model)
        norm = shares.sum(axis=2, keepdims=True)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(norm > 0, shares / norm, self.marginal_)
