"""Probabilities on rows the models have not seen, for choosing the rule."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import StratifiedKFold, StratifiedShuffleSplit, check_cv
from sklearn.utils import _safe_indexing
from sklearn.utils.parallel import Parallel, delayed

from fairsk.base._models import GroupModel, fit_model, positive_probability
from fairsk.solvers import JointProbabilities
from fairsk.utils import Groups

CALIBRATIONS = (None, "sigmoid", "isotonic", "temperature")


@dataclass(frozen=True)
class TuningSample:
    """Labelled rows with probabilities from models that were not trained on them.

    Attributes
    ----------
    rows : ndarray of int
        Positions in the training data.
    y : ndarray of int of shape (n_rows,)
    groups : Groups
    joint : JointProbabilities
    sample_weight : ndarray of shape (n_rows,)
        Sums to one.
    """

    rows: np.ndarray
    y: np.ndarray
    groups: Groups
    joint: JointProbabilities
    sample_weight: np.ndarray


@dataclass(frozen=True)
class JointSettings:
    """How the probabilities are estimated.

    Attributes
    ----------
    estimator, group_estimator : estimator
        Of the label, and of the group among the rows of a label.
    attribute_aware : bool
        Whether the group itself is used, instead of its probability.
    calibration : {None, "sigmoid", "isotonic", "temperature"}
    cv : int, float, splitter or iterable
    n_jobs, verbose, random_state
        As in scikit-learn.
    """

    estimator: Any
    group_estimator: Any
    attribute_aware: bool
    calibration: str | None
    cv: Any
    n_jobs: int | None
    verbose: int
    random_state: int | None


@dataclass(frozen=True)
class JointModels:
    """Fitted models of eta(x) and, attribute-blind, of P(A | x, y) for each family."""

    label_model: Any
    group_models: tuple[GroupModel, ...] | None
    marginal: np.ndarray


def fit_label_model(
    settings: JointSettings, X: Any, y: np.ndarray, sample_weight: np.ndarray | None
) -> JointModels:
    """The model of the label alone, for training without groups."""
    label_model = fit_model(calibrated(settings.estimator, settings), X, y, sample_weight)
    return JointModels(label_model, None, np.zeros((0, 2, 0)))


def fit_joint_models(
    settings: JointSettings,
    X: Any,
    y: np.ndarray,
    groups: Groups,
    sample_weight: np.ndarray | None,
) -> JointModels:
    """Fit the label model on all rows and the group models on the rows of known group."""
    return JointModels(
        fit_label_model(settings, X, y, sample_weight).label_model,
        None if settings.attribute_aware else _fit_groups(settings, X, y, groups, sample_weight),
        _marginal(y, groups, sample_weight),
    )


def _fit_groups(
    settings: JointSettings, X: Any, y: np.ndarray, groups: Groups, sample_weight: Any
) -> tuple[GroupModel, ...]:
    models = []
    for family, codes in zip(groups.families, groups.codes.T, strict=True):
        known = np.flatnonzero(codes >= 0)
        weight = None if sample_weight is None else sample_weight[known]
        model = GroupModel(settings.group_estimator, len(family))
        models.append(model.fit(_safe_indexing(X, known), y[known], codes[known], weight))
    return tuple(models)


def calibrated(estimator: Any, settings: JointSettings) -> Any:
    """The estimator with its probabilities calibrated out of fold, if asked."""
    if settings.calibration is None:
        return estimator
    frozen = isinstance(estimator, FrozenEstimator)
    return CalibratedClassifierCV(
        estimator, method=settings.calibration, cv=None if frozen else 5, ensemble=False
    )


def _marginal(y: np.ndarray, groups: Groups, sample_weight: np.ndarray | None) -> np.ndarray:
    """P(A = a | y) of each family, of shape (n_families, 2, n_groups)."""
    shares = []
    for flat in groups.flat_codes().T:
        known = flat >= 0
        weight = None if sample_weight is None else sample_weight[known]
        cell = y[known] * groups.n_groups + flat[known]
        counts = np.bincount(cell, weight, 2 * groups.n_groups).reshape(2, -1)
        shares.append(counts / np.maximum(counts.sum(axis=1, keepdims=True), np.finfo(float).tiny))
    return np.stack(shares)


def predict_joint(models: JointModels, X: Any, groups: Groups | None) -> JointProbabilities:
    """Probabilities of the cells; attribute-aware models take the groups."""
    posterior = positive_probability(models.label_model, X)
    if models.group_models is None:
        unknown = np.full((len(posterior), len(models.marginal)), -1)
        codes = unknown if groups is None else groups.flat_codes()
        return JointProbabilities(posterior, codes=codes, marginal=models.marginal)
    conditional = [model.conditional(X) for model in models.group_models]
    return JointProbabilities(posterior, conditional=np.concatenate(conditional, axis=2))


def tuning_splits(
    settings: JointSettings, X: Any, y: np.ndarray, groups: Groups
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Pairs of training and tuning rows: folds of a cross-fit, or one held-out part."""
    if _is_holdout(settings.cv):
        return list(_holdout(settings, y, groups))
    return list(_folds(settings, X, y, groups))


def make_tuning_sample(
    settings: JointSettings,
    X: Any,
    y: np.ndarray,
    groups: Groups,
    sample_weight: np.ndarray | None,
    *,
    refit: bool = True,
) -> tuple[TuningSample, JointModels]:
    """Cross-fit the probabilities, then fit the models that predict.

    With an integer or a splitter, every row gets probabilities from a fold's models that did not
    see it, and the final models are refitted on all rows. With a fraction, that share of the rows
    is held out to tune the rule and the models are fitted on the rest (the paper's protocol).

    Parameters
    ----------
    settings : JointSettings
    X : array-like of shape (n_samples, n_features)
    y : ndarray of int of shape (n_samples,)
    groups : Groups
    sample_weight : ndarray of shape (n_samples,), optional
    refit : bool, default=True
        Whether models for prediction are needed; without, the last fold's are returned.

    Returns
    -------
    TuningSample
        Of the rows whose group is known.
    JointModels
    """
    splits = tuning_splits(settings, X, y, groups)
    training = [train for train, _ in splits]
    if refit and not _is_holdout(settings.cv):
        training.append(np.arange(len(y)))
    models = Parallel(n_jobs=settings.n_jobs, verbose=settings.verbose)(
        delayed(_fit_fold)(settings, X, y, groups, sample_weight, rows) for rows in training
    )
    # The model of all rows, when there is one, comes last and predicts no fold.
    parts = [
        predict_joint(model, _safe_indexing(X, test), groups.take(test))
        for model, (_, test) in zip(models, splits, strict=False)
    ]
    rows, order = tuning_rows(splits, groups)
    weight = np.ones(len(y)) if sample_weight is None else sample_weight
    share = weight[rows] / weight[rows].sum()
    joint = _concatenate(parts).take(order)
    return TuningSample(rows, y[rows], groups.take(rows), joint, share), models[-1]


def tuning_rows(splits: list, groups: Groups) -> tuple[np.ndarray, np.ndarray]:
    """Tuning rows of known group in their original order, and where the splits have them."""
    rows = np.concatenate([test for _, test in splits])
    order = np.argsort(rows, kind="stable")
    order = order[groups.known[rows[order]]]
    return rows[order], order


def _is_holdout(cv: Any) -> bool:
    return isinstance(cv, Real) and not isinstance(cv, Integral)


def _fit_fold(
    settings: JointSettings, X: Any, y: np.ndarray, groups: Groups, sample_weight: Any, rows: Any
) -> JointModels:
    weight = None if sample_weight is None else sample_weight[rows]
    return fit_joint_models(settings, _safe_indexing(X, rows), y[rows], groups.take(rows), weight)


def _concatenate(parts: list[JointProbabilities]) -> JointProbabilities:
    first = parts[0]
    posterior = np.concatenate([part.posterior for part in parts])
    if first.conditional is not None:
        conditional = np.concatenate([part.conditional for part in parts])
        return JointProbabilities(posterior, conditional=conditional)
    codes = np.concatenate([part.codes for part in parts])
    return JointProbabilities(posterior, codes=codes, marginal=first.marginal)


def _strata(y: np.ndarray, groups: Groups, least: int) -> np.ndarray:
    """Cells (label, groups) to stratify by; cells too small to split join their label's rest."""
    cells = np.column_stack([y, groups.codes])
    _, codes = np.unique(cells, axis=0, return_inverse=True)
    codes = codes.ravel()
    counts = np.bincount(codes)
    strata = np.where(counts[codes] >= least, codes, len(counts) + y)
    rest = np.bincount(strata, minlength=len(counts) + 2)
    return np.where(rest[strata] >= least, strata, len(counts) + 2 + y)


def _holdout(settings: JointSettings, y: np.ndarray, groups: Groups) -> Iterable:
    splitter = StratifiedShuffleSplit(1, test_size=settings.cv, random_state=settings.random_state)
    return splitter.split(np.zeros(len(y)), _strata(y, groups, 2))


def _folds(settings: JointSettings, X: Any, y: np.ndarray, groups: Groups) -> Iterable:
    if not isinstance(settings.cv, Integral):
        return check_cv(settings.cv, y, classifier=True).split(X, y)
    n_splits = int(settings.cv)
    if np.bincount(y, minlength=2).min() < n_splits:
        raise ValueError(
            f"cv={n_splits} needs at least {n_splits} rows of each class, but the rarer class has "
            f"{np.bincount(y, minlength=2).min()}. Lower cv."
        )
    splitter = StratifiedKFold(n_splits, shuffle=True, random_state=settings.random_state)
    with warnings.catch_warnings():
        # Strata of fewer rows than folds are joined above; what is left is the label itself.
        warnings.filterwarnings("ignore", message="The least populated class")
        return list(splitter.split(np.zeros(len(y)), _strata(y, groups, n_splits)))


def clone_for_groups(estimator: Any) -> Any:
    """An unfitted estimator of the same family, also from a fitted, frozen one."""
    inner = estimator
    while isinstance(inner, FrozenEstimator):
        inner = inner.estimator
    return clone(inner)
