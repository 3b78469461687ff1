"""Models as people hand them over: an estimator, its predictions, or several of either by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fairsk.metrics import check_binary, inform
from fairsk.utils import check_same_rows

RESPONSES = ("predict", "predict_proba")
# The name of predictions that were given without one.
UNNAMED = "predictions"


def predictions_of(name: str) -> str:
    """The predictions of a model, at the start of a message."""
    return "The predictions" if name == UNNAMED else f"Predictions of {name}"


def is_estimator(model: Any) -> bool:
    return hasattr(model, "predict") or hasattr(model, "predict_proba")


def named_models(models: Any) -> dict[str, Any]:
    """One model or a mapping of them, by name."""
    if not isinstance(models, Mapping):
        return {type(models).__name__ if is_estimator(models) else UNNAMED: models}
    if not models:
        raise ValueError("The dict of models is empty; give at least one name -> model.")
    return {str(name): model for name, model in models.items()}


def check_response(response_method: str, threshold: Any) -> None:
    """Refuse an unknown response method or a threshold that is no number."""
    if response_method not in RESPONSES:
        raise ValueError(f"response_method must be one of {RESPONSES}, got {response_method!r}.")
    if threshold is None:
        return
    if isinstance(threshold, bool) or not isinstance(threshold, int | float | np.number):
        raise ValueError(f"threshold must be a number or None, got {threshold!r}.")


def check_target(y: Any, pos_label: Any) -> tuple[np.ndarray, Any]:
    """Labels, and the positive one where it is named; several classes become one against the rest.

    Raises
    ------
    ValueError
        If there are more than two labels and none is named.
    """
    if y is None:
        raise ValueError("y is missing: the labels that the decisions are held against.")
    labels = y.toarray() if hasattr(y, "toarray") else np.asarray(y)
    if labels.ndim != 1 or labels.dtype.kind not in "iufbOUS":
        return labels, pos_label
    distinct = set(labels.tolist())
    if len(distinct) <= 2:
        return labels, pos_label
    if pos_label is None:
        kind = "continuous" if labels.dtype.kind == "f" else f"of {len(distinct)} classes"
        raise ValueError(
            f"y is {kind}, but rates compare a decision with one of two labels. Pass pos_label to "
            f"audit one class against the rest; for a continuous target see "
            f"fairsk.equalized_odds_test and fairsk.kernel_partial_correlation."
        )
    return labels, pos_label


def decisions_of(
    model: Any,
    X: Any,
    y: np.ndarray,
    features: Any,
    *,
    response_method: str = "predict",
    threshold: float | None = None,
    pos_label: Any = None,
    name: str = "the model",
) -> tuple[np.ndarray, np.ndarray]:
    """Labels as 0 and 1 and a model's decisions in [0, 1].

    Parameters
    ----------
    model : estimator or array-like of shape (n_samples,)
        A fitted estimator, which is given the sensitive features if it uses them, or predictions.
    X : array-like or None
        Needed for an estimator.
    y : ndarray of shape (n_samples,) or (n_samples, n_tasks)
    features : sensitive features as they were given
    response_method : {"predict", "predict_proba"}
        Labels, or probabilities as randomised decisions.
    threshold : float, optional
        Scores of at least this are positive decisions.
    pos_label : label, optional
    name : str
        For error messages.

    Returns
    -------
    y, decision : ndarray of shape (n_samples,)

    Raises
    ------
    ValueError
        If the predictions are neither labels nor what the response method and threshold say.
    """
    scored = threshold is not None or response_method == "predict_proba"
    if is_estimator(model):
        if X is None:
            raise ValueError(f"X is missing: {name} is an estimator, which has to predict.")
        known = inform(model, features)
        classes = getattr(known, "classes_", None)
        if pos_label is None and isinstance(classes, np.ndarray) and len(classes) == 2:
            pos_label = classes[1]
        predicted = positive_scores(known, X, pos_label) if scored else known.predict(X)
    else:
        predicted = model
    predicted = predicted.toarray() if hasattr(predicted, "toarray") else np.asarray(predicted)
    check_same_rows(y=y, **{predictions_of(name): predicted})
    if len(set(y.ravel().tolist())) > 2:
        y, predicted = _one_against_the_rest(y, predicted, pos_label, scored, name)
        pos_label = True
    if scored:
        # As scores: 0 and 1 must not be read as labels, whichever of them is positive.
        decision = _soft(predicted, threshold, name)
        return check_binary(y, decision, pos_label=pos_label, scores=True)
    _check_labels(y, predicted, name)
    return check_binary(y, predicted, pos_label=pos_label, multilabel=True)


def positive_scores(estimator: Any, X: Any, pos_label: Any) -> np.ndarray:
    """Probability of the positive class, or else its decision value."""
    if not hasattr(estimator, "predict_proba"):
        if not hasattr(estimator, "decision_function"):
            raise ValueError(
                f"{type(estimator).__name__} has neither predict_proba nor decision_function; use "
                f"response_method='predict' without a threshold."
            )
        return np.asarray(estimator.decision_function(X))
    scores = np.asarray(estimator.predict_proba(X))
    if scores.ndim == 1:
        return scores
    classes = list(estimator.classes_)
    return scores[:, classes.index(pos_label) if pos_label in classes else -1]


def _one_against_the_rest(
    y: np.ndarray, predicted: np.ndarray, pos_label: Any, scored: bool, name: str
) -> tuple[np.ndarray, np.ndarray]:
    if pos_label not in y:
        raise ValueError(f"pos_label={pos_label!r} is not among the labels {np.unique(y)[:10]}.")
    if scored:
        return y == pos_label, predicted
    strange = [label for label in np.unique(predicted).tolist() if label not in y]
    if predicted.dtype.kind == "f" and strange:
        raise ValueError(f"{predictions_of(name)} are not labels of y (such as {strange[0]!r}).")
    return y == pos_label, predicted == pos_label


def _soft(predicted: np.ndarray, threshold: float | None, name: str) -> np.ndarray:
    if predicted.ndim != 1 or predicted.dtype.kind not in "iufb":
        raise ValueError(
            f"{predictions_of(name)} must be one score a row, got shape {predicted.shape} of "
            f"{predicted.dtype}."
        )
    if not np.isfinite(predicted).all():
        raise ValueError(f"{predictions_of(name)} have missing or infinite values.")
    if threshold is not None:
        return (predicted >= threshold).astype(float)
    if predicted.min() < 0 or predicted.max() > 1:
        raise ValueError(
            f"{predictions_of(name)} are not probabilities (between {predicted.min():.3g} and "
            f"{predicted.max():.3g}). Give a threshold to turn scores into decisions."
        )
    return predicted.astype(float)


def _check_labels(y: np.ndarray, predicted: np.ndarray, name: str) -> None:
    if predicted.dtype.kind != "f":
        return
    labels = set(y.ravel().tolist())
    strange = [value for value in np.unique(predicted).tolist() if value not in labels | {0, 1}]
    if strange:
        raise ValueError(
            f"{predictions_of(name)} are scores (such as {strange[0]:.4g}), not labels. Give "
            f"threshold=0.5 to turn them into decisions, or response_method='predict_proba' to "
            f"take probabilities as randomised decisions. For a regressor see "
            f"fairsk.equalized_odds_test."
        )
