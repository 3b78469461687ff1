"""Kernel partial correlation of predictions and sensitive features given the label, as a metric."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fairsk.independence._kernel_partial_correlation import PartialCorrelation, check_neighbors
from fairsk.independence._kernels import make_kernel
from fairsk.independence._points import as_points
from fairsk.utils import SensitiveFeatures, check_same_rows, check_sensitive_features


def equalized_odds_kpc(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    sensitive_features: Any,
    kernel: str | Callable[..., np.ndarray] = "gaussian",
    bandwidth: str | float = "median",
    n_neighbors: int = 1,
) -> float:
    r"""How far predictions are from equalized odds: :math:`\hat\rho^2(\hat Y, A \mid Y)`.

    `kernel_partial_correlation` in the form of a metric, for labels, probabilities and regression
    predictions and sensitive features of any number and types. Label and sensitive features are
    encoded as the permutation samplers do, measurements standardised and groups at distance one.
    `~fairsk.model_selection.make_kpc_scorer` makes a scorer of it.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
    y_pred : array-like of shape (n_samples,) or (n_samples, n_classes)
    sensitive_features : array-like of shape (n_samples,) or (n_samples, n_features)
        Rows with a missing value are left out.
    kernel, bandwidth, n_neighbors
        As in `kernel_partial_correlation`. Ties are averaged.

    Returns
    -------
    float
        At most 1; about 0 at equalized odds, below by chance. Exactly 0 for predictions that are
        constant, or constant given the label: they satisfy equalized odds.

    Raises
    ------
    ValueError
        If rows do not match, a prediction or label is missing, or there are too few rows.

    References
    ----------
    FairICP, section 3.1.

    Examples
    --------
    >>> import numpy as np
    >>> from fairsk.independence import equalized_odds_kpc
    >>> rng = np.random.default_rng(0)
    >>> age, sex = rng.integers(18, 80, 3000), rng.choice(["f", "m"], 3000)
    >>> y_true = rng.normal(size=3000)
    >>> y_pred = y_true + (sex == "f") * rng.normal(size=3000)
    >>> equalized_odds_kpc(y_true, y_pred, sensitive_features=sex) > 0.1
    True
    >>> abs(equalized_odds_kpc(y_true, y_pred, sensitive_features=age)) < 0.1
    True
    """
    check_same_rows(y_true=y_true, y_pred=y_pred, sensitive_features=sensitive_features)
    features = check_sensitive_features(sensitive_features)
    rows = complete_rows(features)
    check_neighbors(n_neighbors, len(rows))
    outputs = as_points(np.asarray(y_pred)[rows], "y_pred")
    label = as_points(np.asarray(y_true)[rows], "y_true", standardize=True)
    coefficient = PartialCorrelation(
        make_kernel(outputs, kernel, bandwidth), label, n_neighbors=n_neighbors
    )
    points = as_points(features.take(rows), "sensitive_features", standardize=True)
    return coefficient.of(points)


def complete_rows(features: SensitiveFeatures) -> np.ndarray:
    """Positions of the rows in which no sensitive feature is missing."""
    return np.flatnonzero(~np.any(features.missing, axis=0))
