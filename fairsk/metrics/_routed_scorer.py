"""A scorer's part in metadata routing: it requests the groups and hands them on."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import wraps
from inspect import Parameter, signature
from typing import Any

import numpy as np
from sklearn import get_config
from sklearn.frozen import FrozenEstimator
from sklearn.utils.metadata_routing import MetadataRequest, MetadataRouter, get_routing_for_object

from fairsk.utils import check_same_rows, column_positions, take_columns

SENSITIVE = "sensitive_features"
RESPONSE_METHODS = ("predict", "predict_proba", "predict_log_proba", "decision_function")


class _Informed:
    """A fitted estimator whose response methods are given the sensitive features they consume."""

    def __init__(self, estimator: Any, features: Any, alias: str) -> None:
        self._estimator, self._features, self._alias = estimator, features, alias

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._estimator, name)
        metadata = self._consumed(name) if name in RESPONSE_METHODS else {}
        if not metadata:
            return value

        # scikit-learn's scorers read the method's __name__, so a partial will not do.
        @wraps(value)
        def respond(X: Any) -> Any:
            return value(X, **metadata)

        return respond

    def _consumed(self, method: str) -> dict[str, Any]:
        if self._features is None:
            return {}
        routing = get_routing_for_object(self._estimator)
        names = [name for name in (self._alias, SENSITIVE) if routing.consumes(method, [name])]
        if not names:
            # Not an estimator of ours, such as fairlearn's ThresholdOptimizer.
            needed = _requires(getattr(self._estimator, method), SENSITIVE)
            return {SENSITIVE: self._features} if needed else {}
        # A router takes metadata by alias and translates; a consumer by its parameter's own name.
        return {names[0] if isinstance(routing, MetadataRouter) else SENSITIVE: self._features}


def _requires(function: Callable, name: str) -> bool:
    """Whether a function cannot be called without the parameter."""
    parameter = signature(function).parameters.get(name)
    return parameter is not None and parameter.default is Parameter.empty


def inform(estimator: Any, sensitive_features: Any) -> Any:
    """A fitted estimator that is handed the sensitive features wherever it uses them.

    Parameters
    ----------
    estimator : estimator
        Fitted; a search or a frozen estimator is looked into. One that reads its own sensitive
        columns from X is handed nothing.
    sensitive_features : array-like or None
        Those of the rows that it will be asked about.

    Returns
    -------
    estimator
        Whose ``predict(X)``, ``predict_proba(X)`` and so on need no metadata.
    """
    estimator = serving_estimator(estimator)
    handed_on = None if own_columns(estimator) is not None else sensitive_features
    return _Informed(estimator, handed_on, SENSITIVE)


def serving_estimator(estimator: Any) -> Any:
    """The estimator that answers, inside the wrappers whose predict takes no metadata.

    The best one of a search, and what a ``FrozenEstimator`` holds.
    """
    while True:
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif isinstance(estimator, FrozenEstimator):
            estimator = estimator.estimator
        else:
            return estimator


def own_columns(estimator: Any) -> Any:
    """The `sensitive_columns` of an estimator, or of the last step of a pipeline."""
    last = estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator
    return getattr(last, "sensitive_columns", None)


def response_of(
    estimator: Any,
    X: Any,
    *,
    sensitive_features: Any = None,
    response_method: str = "predict",
) -> np.ndarray:
    """Response of a fitted estimator, which gets the sensitive features where it asks for them.

    Parameters
    ----------
    estimator : estimator
        Fitted; a pipeline or a search too.
    X : array-like of shape (n_samples, n_features)
    sensitive_features : array-like of shape (n_samples,) or (n_samples, n_sensitive), optional
        Not handed to an estimator that reads its own from X.
    response_method : {"predict", "predict_proba", "decision_function"}, default="predict"

    Returns
    -------
    ndarray of shape (n_samples,) or (n_samples, n_columns)

    Raises
    ------
    AttributeError
        If the estimator has no such method.

    Examples
    --------
    >>> from sklearn.dummy import DummyClassifier
    >>> model = DummyClassifier(strategy="prior").fit([[0], [0]], ["no", "yes"])
    >>> response_of(model, [[1]], sensitive_features=["a"]).tolist()
    ['no']
    """
    return np.asarray(getattr(inform(estimator, sensitive_features), response_method)(X))


class RoutedScorer(ABC):
    """A scorer that requests sensitive features, and hands them to the estimator it scores."""

    def __init__(
        self, weighted: bool, sensitive_columns: Sequence[str | int] | None, description: str
    ) -> None:
        if isinstance(sensitive_columns, str | int):
            raise TypeError(f"sensitive_columns must be a list, got {sensitive_columns!r}.")
        self._sensitive_columns = None if sensitive_columns is None else list(sensitive_columns)
        self._description = description
        self._weighted = weighted
        # A sample weight is nobody's default in scikit-learn: it must be asked for or declined.
        self._requests: dict[str, bool | str | None] = {SENSITIVE: True}
        if weighted:
            self._requests["sample_weight"] = None

    def __call__(
        self,
        estimator: Any,
        X: Any,
        y: Any,
        sensitive_features: Any = None,
        sample_weight: Any = None,
    ) -> float:
        """Score a fitted estimator on rows of X, y and the metadata; greater is better."""
        estimator = serving_estimator(estimator)
        groups = handed_on = sensitive_features
        if self._sensitive_columns is not None:
            groups = take_columns(X, column_positions(X, self._sensitive_columns)[0])
            if sensitive_features is None and own_columns(estimator) is None:
                handed_on = groups
        # y's index is not compared: permutation_test_score shuffles y, index and all.
        check_same_rows(X=X, sensitive_features=groups)
        check_same_rows(y=np.asarray(y), sensitive_features=groups)
        alias = self._requests[SENSITIVE]
        informed = _Informed(estimator, handed_on, alias if isinstance(alias, str) else SENSITIVE)
        metadata = {} if sample_weight is None else {"sample_weight": sample_weight}
        return self._score(informed, X, y, groups, metadata)

    @abstractmethod
    def _score(self, estimator: Any, X: Any, y: Any, groups: Any, metadata: dict) -> float:
        """Score an estimator that has been given its sensitive features."""

    def get_metadata_routing(self) -> MetadataRequest:
        """What the scorer requests: sensitive features, unless `set_score_request` said no."""
        request = MetadataRequest(owner=repr(self))
        for name, alias in self._requests.items():
            request.score.add_request(param=name, alias=alias)
        return request

    def set_score_request(self, **requests: bool | str | None) -> RoutedScorer:
        """Request metadata (True), ignore it (False), refuse it (None) or rename it (str).

        What is not named stays as it is, so that weights can be asked for without losing groups.
        """
        if not get_config()["enable_metadata_routing"]:
            raise RuntimeError(
                "set_score_request needs sklearn.set_config(enable_metadata_routing=True)."
            )
        unknown = set(requests) - set(self._requests)
        if unknown:
            raise TypeError(f"{self!r} requests {list(self._requests)}, not {sorted(unknown)}.")
        self._requests = {**self._requests, **requests}
        return self

    def _accept_sample_weight(self) -> bool:
        # Asked by scikit-learn's searches while routing is off.
        return self._weighted

    def __sklearn_clone__(self) -> RoutedScorer:
        return copy.deepcopy(self)

    def __repr__(self) -> str:
        return self._description
