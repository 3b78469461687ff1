"""The weights alone, for a model that somebody else has trained and will train again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils import _safe_indexing

from fairsk.base import check_rows
from fairsk.curvature import trained_model
from fairsk.reweighting._balance import Balancer, BalanceSettings, resolve_damping
from fairsk.reweighting._rate_gaps import RateGaps, Surrogate, check_contrast, resolve_targets
from fairsk.reweighting._validation_rows import encode_validation, warn_of_shared_rows
from fairsk.utils import GroupEncoder, check_sensitive_features


@dataclass(frozen=True)
class InfluenceWeights:
    """Weights that should close the gaps between groups.

    Attributes
    ----------
    sample_weight : ndarray of shape (n_samples,)
        One a training row; 1 where the row stays as it is and no weights were given.
    influence : ndarray of shape (n_samples, n_gaps)
        Derivative of each gap in the weight of each row, where weights sum to one.
    gap, predicted_gap : ndarray of shape (n_gaps,)
        Smooth gaps on the validation rows, now and as predicted.
    gap_names : tuple of str
    residual : float
        Of the inverse solve.
    gradient_norm : float
        Of the training objective: zero where training has converged.
    """

    sample_weight: np.ndarray
    influence: np.ndarray
    gap: np.ndarray
    predicted_gap: np.ndarray
    gap_names: tuple[str, ...]
    residual: float
    gradient_norm: float


def influence_weights(
    model: Any,
    X: Any,
    y: Any,
    *,
    X_val: Any,
    y_val: Any,
    sensitive_features_val: Any,
    sample_weight: Any = None,
    targets: Any = ("tpr", "tnr"),
    l2: float = 0.1,
    damping: Any = "auto",
    nonnegative: bool = True,
    surrogate: str = "sigmoid",
    temperature: float = 1.0,
    n_draws: int = 20,
    contrast: str = "auto",
    groups: str = "intersectional",
    parameters: Any = "all",
    weight_decay: float | None = None,
    random_state: int | None = None,
    **solver: Any,
) -> InfluenceWeights:
    """Stage one of FairIF for any trained model: sample weights for its training rows.

    Parameters
    ----------
    model : estimator or torch.nn.Module
        Trained on ``X`` and ``y``. Beside the estimators of `InfluenceReweighter`, a fitted skorch
        classifier or a module with one logit or two.
    X : array-like of shape (n_samples, ...)
        Training rows as the model takes them; for a module, an array or tensor of its inputs.
    y : array-like of shape (n_samples,)
        Two classes; the second of the sorted ones is the positive one.
    X_val, y_val, sensitive_features_val : array-like
        Validation rows with their groups; rows of missing group are left out.
    sample_weight : array-like of shape (n_samples,), optional
        Positive weights that the model was trained with.
    targets, l2, damping, nonnegative, surrogate, temperature, n_draws, contrast, groups
        As in `InfluenceReweighter`.
    parameters
        As in `InfluenceReweighter`.
    weight_decay : float, optional
        L2 penalty of a network's training, on the scale of the mean loss; read from the estimator
        by default, and zero for a module.
    random_state : int or None, default=None
    **solver
        ``solver``, ``kind``, ``tol``, ``max_iter``, ``max_rows`` of the inverse solve.

    Returns
    -------
    InfluenceWeights

    Raises
    ------
    ValueError, TypeError
        Before any work, as `InfluenceReweighter`.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from fairsk import influence_weights
    >>> from fairsk.datasets import make_biased_classification
    >>> X, y, A = make_biased_classification(600, random_state=0)
    >>> model = LogisticRegression().fit(X[:300], y[:300])
    >>> found = influence_weights(model, X[:300], y[:300], X_val=X[300:], y_val=y[300:],
    ...                           sensitive_features_val=A[300:], l2=0.01)
    >>> found.sample_weight.shape
    (300,)
    >>> bool(abs(found.predicted_gap).max() < abs(found.gap).max())
    True
    """
    notion = resolve_targets(targets)
    check_contrast(contrast)
    smooth = Surrogate(surrogate, temperature, n_draws, random_state)
    smooth.check()
    settings = BalanceSettings(l2, nonnegative, {"random_state": random_state, **solver})
    settings.check(resolve_damping(damping))
    check_rows(X, y, None)
    check_rows(X_val, y_val, sensitive_features_val)
    trained = trained_model(model, parameters=parameters, l2=weight_decay)
    classes = np.unique(np.asarray(y).ravel())
    if len(classes) != 2:
        raise ValueError(f"y must have two classes, got {len(classes)}.")
    codes = np.searchsorted(classes, np.asarray(y).ravel())
    codes_val = encode_validation(y_val, classes)
    weight = None if sample_weight is None else np.asarray(sample_weight, dtype=float).ravel()
    if weight is not None and (weight.shape != codes.shape or not (weight > 0).all()):
        raise ValueError("sample_weight must be positive, one a row: leave out rows of weight 0.")
    features = check_sensitive_features(sensitive_features_val, n_samples=len(codes_val))
    encoder = GroupEncoder(groups).fit(features).check_not_constant()
    members = encoder.transform(features)
    known = np.flatnonzero(members.known)
    gaps = RateGaps(notion, codes_val[known], members.take(known), None, contrast, smooth)
    warn_of_shared_rows(X, codes, X_val, codes_val)
    balancer = Balancer(X, codes, weight, _take(X_val, known), gaps, settings)
    at = balancer.linearize(trained, balancer.start(), resolve_damping(damping, trained.model)[0])
    found = balancer.solve(trained, at, balancer.start())
    return InfluenceWeights(
        found.sample_weight,
        at.influence,
        at.gap,
        found.predicted_gap,
        gaps.names,
        at.residual,
        at.gradient_norm,
    )


def _take(X: Any, rows: np.ndarray) -> Any:
    # scikit-learn indexes arrays and frames; a tensor indexes itself.
    return X[rows] if hasattr(X, "detach") else _safe_indexing(X, rows)
