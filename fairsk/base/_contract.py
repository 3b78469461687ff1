"""What every fair classifier shares: labels, groups through two channels, clear errors."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.utils import assert_all_finite, column_or_1d, get_tags
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import _check_sample_weight, validate_data

from fairsk.base._channels import SensitiveFeaturesMixin, check_rows
from fairsk.base._models import check_has_probabilities
from fairsk.utils import GroupEncoder, Groups, SensitiveFeatures

UNSEEN = ("error", "blind")


class BaseFairClassifier(SensitiveFeaturesMixin, ClassifierMixin, BaseEstimator, metaclass=ABCMeta):
    """Binary classifier that learns groups from metadata or from columns of X.

    A subclass writes ``_fit(X, y, groups, sample_weight)``, with X as the inner model sees it, y
    as 0/1 codes and `Groups`, and ``_fit_plain(X, y, sample_weight)`` for training without groups.
    It has the constructor parameters ``estimator``, ``groups``, ``sensitive_columns`` and
    ``drop_sensitive_columns``.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
    group_encoder_ : GroupEncoder or None
        None when fitted without sensitive features.
    """

    # ------------------------------------------------------------------ fit

    def fit(
        self, X: Any, y: Any, *, sensitive_features: Any = None, sample_weight: Any = None
    ) -> BaseFairClassifier:
        """Fit the model so that groups are treated alike within the tolerance.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Anything the inner estimator takes: arrays, sparse matrices, pandas or polars frames.
        y : array-like of shape (n_samples,)
            Two classes, of any type.
        sensitive_features : array-like of shape (n_samples,) or (n_samples, n_sensitive), optional
            Series, DataFrame, list or array, of any discrete type. A missing value means that the
            group is unknown: the row trains the model and is left out of the fairness terms.
        sample_weight : array-like of shape (n_samples,), optional

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            Before any work starts: for a target that is not binary, groups that cannot be
            compared, rows that do not match, or parameters out of range.
        """
        self._check_parameters()
        check_rows(X, y, sensitive_features)
        validate_data(self, X, skip_check_array=True)
        codes = self._encode_labels(y)
        weight = None
        if sample_weight is not None:
            weight = _check_sample_weight(sample_weight, X)
        inner_X, features = self._split_sensitive(X, sensitive_features)
        if features is None:
            self._warn_without_sensitive_features()
            self.group_encoder_ = None
            self._fit_plain(inner_X, codes, weight)
            return self
        self.group_encoder_ = GroupEncoder(self.groups).fit(features).check_not_constant()
        self._fit(inner_X, codes, self.group_encoder_.transform(features), weight)
        return self

    def _check_parameters(self) -> None:
        """Refuse bad parameters before any work; subclasses add their own."""
        check_has_probabilities(self._inner_estimator())

    @abstractmethod
    def _fit(self, X: Any, y: np.ndarray, groups: Groups, sample_weight: Any) -> None:
        """Train on 0/1 codes and groups."""

    @abstractmethod
    def _fit_plain(self, X: Any, y: np.ndarray, sample_weight: Any) -> None:
        """Train without groups."""

    def _inner_estimator(self) -> Any:
        return LogisticRegression() if self.estimator is None else self.estimator

    def _encode_labels(self, y: Any) -> np.ndarray:
        """Labels as 0/1 codes; sets ``classes_``."""
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None."
            )
        y = column_or_1d(y, warn=True)
        if not len(y):
            raise ValueError(
                f"Found array with 0 sample(s) while a minimum of 2 is required by "
                f"{type(self).__name__}."
            )
        if y.dtype.kind == "f":
            assert_all_finite(y, input_name="y")
        check_classification_targets(y)
        kind = type_of_target(y, input_name="y", raise_unknown=True)
        classes, codes = np.unique(y, return_inverse=True)
        if kind != "binary":
            raise ValueError(
                f"Only binary classification is supported. The type of the target is {kind} "
                f"({len(classes)} classes)."
            )
        if len(classes) < 2:
            raise ValueError(
                f"{type(self).__name__} needs samples of two classes, but y has one class only: "
                f"{classes[0]}."
            )
        self.classes_ = classes
        return codes

    # ------------------------------------------------- sensitive features

    def _groups_to_predict(self, features: SensitiveFeatures | None, unseen: str) -> Groups | None:
        """Groups of the rows to predict; None where the rule has to do without."""
        if self.group_encoder_ is None or features is None:
            return None
        policy = "error" if unseen == "error" else "unknown"
        return self.group_encoder_.transform(features, unseen=policy)

    # ------------------------------------------------------------- the rest

    def score(
        self, X: Any, y: Any, *, sensitive_features: Any = None, sample_weight: Any = None
    ) -> float:
        """Accuracy of `predict`, with the sensitive features where the rule uses them.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        sensitive_features : array-like, optional
        sample_weight : array-like of shape (n_samples,), optional

        Returns
        -------
        float
        """
        predicted = self._predict_for_score(X, sensitive_features)
        return float(accuracy_score(y, predicted, sample_weight=sample_weight))

    def _predict_for_score(self, X: Any, sensitive_features: Any) -> np.ndarray:
        return self.predict(X)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        inner = get_tags(self._inner_estimator()).input_tags
        tags.input_tags.sparse = inner.sparse
        tags.input_tags.allow_nan = inner.allow_nan
        tags.input_tags.string = inner.string
        tags.input_tags.categorical = inner.categorical
        return tags
