"""Sensitive features through two channels, shared by every estimator that takes them."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar

import numpy as np
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import check_is_fitted, validate_data

from fairsk.utils import (
    SensitiveFeatures,
    check_same_rows,
    check_sensitive_features,
    column_positions,
    n_columns_of,
    take_columns,
)


class SensitiveFeaturesWarning(UserWarning):
    """A fair estimator was used without sensitive features."""


class SensitiveFeaturesMixin:
    """Sensitive features from metadata or from columns of X, with the rows checked.

    For classifiers and regressors, whether they group the features or take them raw. The estimator
    has the constructor parameters ``sensitive_columns`` and ``drop_sensitive_columns``.
    """

    __metadata_request__fit: ClassVar = {"sensitive_features": True}
    __metadata_request__score: ClassVar = {"sensitive_features": True}

    sensitive_columns: Any
    drop_sensitive_columns: Any

    def _split_sensitive(
        self, X: Any, sensitive_features: Any
    ) -> tuple[Any, SensitiveFeatures | None]:
        """X for the inner model, and the sensitive features from whichever channel is in use."""
        if self.sensitive_columns is None:
            if sensitive_features is None:
                return X, None
            return X, check_sensitive_features(sensitive_features, n_samples=_n_rows(X))
        if sensitive_features is not None:
            raise ValueError(
                "Sensitive features were given twice: as metadata and by sensitive_columns. "
                "Drop one of them."
            )
        positions, names = column_positions(X, self.sensitive_columns)
        features = check_sensitive_features(take_columns(X, positions))
        if names is None:
            names = [f"column {position}" for position in positions]
        features = SensitiveFeatures(features.columns, features.missing, tuple(names), True)
        if not self._drops_sensitive_columns():
            return X, features
        rest = [j for j in range(n_columns_of(X)) if j not in set(positions)]
        if not rest:
            raise ValueError("sensitive_columns leaves no column for the model.")
        inner = X if hasattr(X, "shape") else np.asarray(X)
        return _safe_indexing(inner, rest, axis=1), features

    def _drops_sensitive_columns(self) -> bool:
        """Attribute-blind models do not see the sensitive columns unless asked to."""
        if self.drop_sensitive_columns == "auto":
            return not getattr(self, "attribute_aware", False)
        return bool(self.drop_sensitive_columns)

    def _split_at_predict(
        self, X: Any, sensitive_features: Any
    ) -> tuple[Any, SensitiveFeatures | None]:
        """As in fit; a model fitted without groups passes X on as it is."""
        check_same_rows(X=X, sensitive_features=sensitive_features)
        return self._split_sensitive(X, sensitive_features)

    def _warn_without_sensitive_features(self, stacklevel: int = 3) -> None:
        warnings.warn(
            f"{type(self).__name__} was fitted without sensitive features and behaves as its "
            f"plain estimator. Pass fit(..., sensitive_features=...) or set sensitive_columns.",
            SensitiveFeaturesWarning,
            stacklevel=stacklevel,
        )

    def _check_fitted(self, X: Any) -> None:
        check_is_fitted(self)
        if getattr(X, "ndim", 2) == 1 and hasattr(self, "n_features_in_"):
            raise ValueError(
                "Expected a 2-D X, got a 1-D array. Reshape your data with X.reshape(1, -1) if it "
                "is a single sample, or X.reshape(-1, 1) if it is a single feature."
            )
        validate_data(self, X, skip_check_array=True, reset=False)


def check_rows(X: Any, y: Any, sensitive_features: Any) -> None:
    """Lengths of everything; the index of the groups against X, or against y if X has none.

    The indices of X and y are left alone: scikit-learn's permutation_test_score passes a y whose
    index is permuted together with its values.
    """
    check_same_rows(X=X, y=None if y is None else np.asarray(y))
    _check_not_resampled(X, sensitive_features)
    if hasattr(X, "index"):
        check_same_rows(X=X, sensitive_features=sensitive_features)
    else:
        check_same_rows(X=X, y=y, sensitive_features=sensitive_features)


def _check_not_resampled(X: Any, sensitive_features: Any) -> None:
    if not hasattr(sensitive_features, "__len__"):
        return
    n_rows, n_given = _n_rows(X), _n_rows(sensitive_features)
    if n_rows != n_given:
        raise ValueError(
            f"X has {n_rows} rows but sensitive_features has {n_given}. Pass one row of sensitive "
            f"features a sample. If a sampler before this step (such as imbalanced-learn's) "
            f"changed the rows, it did not change the metadata: name the groups' columns of X in "
            f"sensitive_columns instead."
        )


def _n_rows(values: Any) -> int:
    return values.shape[0] if hasattr(values, "shape") else len(values)
