"""Any classifier, trained on labels some of which are flipped."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin, MetaEstimatorMixin
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _check_sample_weight, validate_data

from fairsk.base import check_rows, fit_model
from fairsk.reweighting._label_flipper import BaseLabelFlipper


def _has(method: str) -> Any:
    def check(self: Any) -> bool:
        # The fitted estimator, or the one given before fit.
        return hasattr(getattr(self, "estimator_", self._inner_estimator()), method)

    return check


class LabelFlippingClassifier(MetaEstimatorMixin, ClassifierMixin, BaseLabelFlipper):
    """Train a classifier on labels of which a share of a group's is flipped.

    What `LabelFlipper` is in imbalanced-learn's pipelines, as a classifier around another one, for
    scikit-learn's own pipelines and searches: labels are flipped while fitting and never again.
    The flips are drawn once a fit; a network of ours with ``label_flip=`` draws them afresh in
    every epoch.

    Parameters
    ----------
    estimator : classifier, default=None
        Any classifier, any number of classes; logistic regression by default.
    p, group, to
        As in `LabelFlipper`.
    sensitive_columns, drop_sensitive_columns
        As in `fairsk.BayesOptimalFairPostProcessor`; columns are dropped by default.
    random_state : int, RandomState instance or None, default=None
        Decides which labels are flipped, and to what. The estimator has its own.

    Attributes
    ----------
    estimator_ : classifier
    classes_ : ndarray of shape (n_classes,)
    flipped_ : ndarray of int
        Positions of the rows whose labels were flipped.
    n_features_in_ : int

    Warns
    -----
    SensitiveFeaturesWarning
        If fitted without sensitive features: nothing is flipped then.

    References
    ----------
    Cherepanova et al., Technical Challenges for Training Fair Neural Networks, section 6.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from fairsk import LabelFlippingClassifier
    >>> from fairsk.datasets import load_compas
    >>> X, y, race = load_compas(sensitive_features="race", return_X_y=True)
    >>> model = LabelFlippingClassifier(p=0.1, group="Caucasian", random_state=0)
    >>> model = model.set_params(estimator=LogisticRegression(max_iter=2000))
    >>> len(model.fit(X, y, sensitive_features=race).flipped_), int((race == "Caucasian").sum())
    (210, 2103)
    """

    def __init__(
        self,
        estimator: Any = None,
        *,
        p: Any = 0.1,
        group: Any = None,
        to: str = "any",
        sensitive_columns: Any = None,
        drop_sensitive_columns: Any = "auto",
        random_state: Any = None,
    ) -> None:
        self.estimator = estimator
        self.p = p
        self.group = group
        self.to = to
        self.sensitive_columns = sensitive_columns
        self.drop_sensitive_columns = drop_sensitive_columns
        self.random_state = random_state

    def _inner_estimator(self) -> Any:
        return LogisticRegression() if self.estimator is None else self.estimator

    def fit(
        self, X: Any, y: Any, *, sensitive_features: Any = None, sample_weight: Any = None
    ) -> LabelFlippingClassifier:
        """Flip labels and fit the classifier.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Anything the inner estimator takes.
        y : array-like of shape (n_samples,)
            Two or more classes, of any type.
        sensitive_features : array-like of shape (n_samples,) or (n_samples, n_sensitive), optional
            Groups of any discrete type. A row with a missing value keeps its label.
        sample_weight : array-like of shape (n_samples,), optional
            Shares are of rows, not of weights; rows of weight zero are not counted.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            Before any work: for `p` outside [0, 1], a group that is not there, y of one class, or
            rows that do not match.
        """
        self._check_parameters()
        check_rows(X, y, sensitive_features)
        validate_data(self, X, skip_check_array=True)
        codes = self._encode_labels(y)
        weight = None
        if sample_weight is not None:
            weight = _check_sample_weight(sample_weight, X)
        inner_X, features = self._split_sensitive(X, sensitive_features)
        flipped = self._flip(codes, features, None if weight is None else weight > 0)
        self.estimator_ = fit_model(
            self._inner_estimator(), inner_X, self.classes_[flipped], weight
        )
        return self

    def _inner_X(self, X: Any) -> Any:
        self._check_fitted(X)
        return self._split_at_predict(X, None)[0]

    def predict(self, X: Any) -> np.ndarray:
        """Predict labels; the sensitive features are not needed.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        inner_X = self._inner_X(X)
        return self.estimator_.predict(inner_X)

    @available_if(_has("predict_proba"))
    def predict_proba(self, X: Any) -> np.ndarray:
        """Probability of each class, on the flipped labels.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
        """
        inner_X = self._inner_X(X)
        return self._of_every_class(self.estimator_.predict_proba(inner_X))

    def _of_every_class(self, probabilities: np.ndarray) -> np.ndarray:
        """A class whose every label was flipped away has the probability zero."""
        if probabilities.shape[1] == len(self.classes_):
            return probabilities
        full = np.zeros((len(probabilities), len(self.classes_)))
        full[:, np.searchsorted(self.classes_, self.estimator_.classes_)] = probabilities
        return full

    @available_if(_has("decision_function"))
    def decision_function(self, X: Any) -> np.ndarray:
        """The inner estimator's scores.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
        """
        inner_X = self._inner_X(X)
        return self.estimator_.decision_function(inner_X)

    def score(
        self, X: Any, y: Any, *, sensitive_features: Any = None, sample_weight: Any = None
    ) -> float:
        """Accuracy of `predict`, against labels as they are given.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        sensitive_features : array-like, optional
            Taken because a pipeline may route it; not used.
        sample_weight : array-like of shape (n_samples,), optional

        Returns
        -------
        float
        """
        return float(accuracy_score(y, self.predict(X), sample_weight=sample_weight))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        inner = get_tags(self._inner_estimator()).input_tags
        tags.input_tags.sparse = inner.sparse
        tags.input_tags.allow_nan = inner.allow_nan
        tags.input_tags.string = inner.string
        tags.input_tags.categorical = inner.categorical
        return tags
