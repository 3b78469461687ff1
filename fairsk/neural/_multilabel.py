"""Networks for one label or several binary tasks, and the system that tasks make up."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from scipy import sparse
from scipy.special import expit
from sklearn.metrics import accuracy_score

from fairsk.neural._tasks import FairNetworkClassifier


class FairTasksClassifier(FairNetworkClassifier):
    """A network for one label of two or more classes, or for several binary tasks.

    y is a label a row, or an indicator matrix of tasks. Several tasks have a logit each; the loss
    is the sum of their cross-entropies, and as a system they flag a row when any task does.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,), or a list of one of shape (2,) for each task
    task_names_ : tuple of str
    n_tasks_ : int
    """

    # --------------------------------------------------------------- targets

    def _joins_tasks(self) -> bool:
        """Whether the network learns the system's label alone."""
        return False

    def _validated_rows(
        self, X: Any, y: Any, sensitive_features: Any, sample_weight: Any, *, reset: bool = True
    ) -> Any:
        # Tasks are few: labels may be dense.
        y = y.toarray() if sparse.issparse(y) else y
        return super()._validated_rows(X, y, sensitive_features, sample_weight, reset=reset)

    def _check_target(self, y: Any) -> np.ndarray:
        shape = np.asarray(y).shape
        if len(shape) != 2 or shape[1] < 2:
            self.task_names_: tuple[str, ...] = ("y",)
            return super()._check_target(y)
        names = getattr(y, "columns", None)
        labels = np.asarray(y)
        if names is None:
            names = [f"task {t}" for t in range(labels.shape[1])]
        self.task_names_ = tuple(map(str, names))
        for name, column in zip(self.task_names_, labels.T, strict=True):
            if not np.isin(column, [0, 1]).all():
                raise ValueError(
                    f"y must be 0 or 1 for every task, but task {name!r} has "
                    f"{sorted(set(map(str, column.tolist())) - {'0', '1', '0.0', '1.0'})[:5]}."
                )
        return labels.astype(np.float32)

    def _encode_target(self, y: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
        if y.ndim == 1:
            return super()._encode_target(y, weight)
        return self._encode_tasks(y, warn=True)

    def _encode_tasks(self, y: np.ndarray, warn: bool) -> np.ndarray:
        if self._joins_tasks():
            y, self.task_names_ = y.max(axis=1, keepdims=True), ("any task",)
            self.classes_: Any = np.array([0, 1])
        else:
            self.classes_ = [np.array([0, 1]) for _ in range(y.shape[1])]
        is_constant = y.min(axis=0) == y.max(axis=0)
        if is_constant.all() and warn:
            raise ValueError(
                f"No task has two classes: {self._name_tasks(is_constant)} have one label each. "
                f"There is nothing to learn."
            )
        if is_constant.any() and warn:
            warnings.warn(
                f"{self._name_tasks(is_constant)} have one class only in the training rows; they "
                f"will be predicted as constants and add nothing to the system.",
                UserWarning,
                stacklevel=4,
            )
        return y

    def _name_tasks(self, chosen: np.ndarray) -> str:
        return "Tasks " + ", ".join(
            repr(name) for name, yes in zip(self.task_names_, chosen, strict=True) if yes
        )

    @property
    def n_tasks_(self) -> int:
        return len(self.task_names_)

    def _is_multilabel(self) -> bool:
        # Not fitted, it is none: the plain methods then say so.
        return isinstance(getattr(self, "classes_", None), list)

    def _output_widths(self) -> tuple[int, ...]:
        return (self.n_tasks_,) if self._is_multilabel() else super()._output_widths()

    def _output_meaning(self) -> str:
        if not self._is_multilabel():
            return super()._output_meaning()
        return f"the log-odds of each of the tasks {list(self.task_names_)}"

    def _loss(self, torch: Any) -> Any:
        if not self._is_multilabel():
            return super()._loss(torch)
        task_losses = self._task_losses(torch)
        return lambda outputs, y: task_losses(outputs, y).sum(1)

    def _task_losses(self, torch: Any) -> Any:
        if not self._is_multilabel():
            return super()._task_losses(torch)
        functional = torch.nn.functional

        def cross_entropies(outputs: Any, y: Any) -> Any:
            return functional.binary_cross_entropy_with_logits(
                outputs, y.to(outputs.dtype), reduction="none"
            )

        return cross_entropies

    def _known_tasks(self, y: Any) -> np.ndarray:
        """Labels of further rows as 0 or 1, one column a task of fit."""
        y = y.toarray() if sparse.issparse(y) else np.asarray(y)
        if y.ndim == 1 or y.shape[1] == 1:
            if self._is_multilabel():
                raise ValueError(f"y has one label, but there are {self.n_tasks_} tasks.")
            unknown = set(np.unique(y).tolist()) - set(self.classes_.tolist())
            if unknown:
                raise ValueError(f"y has the labels {unknown}, unlike {self.classes_} in fit.")
            return (y.ravel() == self.classes_[1]).astype(np.float32)[:, None]
        if not np.isin(y, [0, 1]).all():
            raise ValueError("y must be 0 or 1 for every task.")
        if not self._is_multilabel():
            return y.max(axis=1, keepdims=True).astype(np.float32)
        if y.shape[1] != self.n_tasks_:
            raise ValueError(f"y has {y.shape[1]} tasks, but there were {self.n_tasks_} in fit.")
        return y.astype(np.float32)

    # --------------------------------------------------------------- predict

    def decision_function(self, X: Any) -> np.ndarray:
        """Log-odds of the second class or of each task, or a logit a class for more classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,), (n_samples, n_classes) or (n_samples, n_tasks)
        """
        return self._outputs(X) if self._is_multilabel() else super().decision_function(X)

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probability of each class, or of a one for each of several tasks.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_classes) or (n_samples, n_tasks)
            float32 for X in float32, else float64.
        """
        return expit(self._outputs(X)) if self._is_multilabel() else super().predict_proba(X)

    def predict(self, X: Any) -> np.ndarray:
        """Predict labels; the sensitive features are not needed.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_tasks)
            Labels of `classes_`; 0 or 1 for several tasks.
        """
        if not self._is_multilabel():
            return super().predict(X)
        return (self.decision_function(X) > 0).astype(int)

    def system_score(self, X: Any) -> np.ndarray:
        """The largest of the tasks' margins, which ranks rows for the system.

        With one threshold for all tasks it ranks as the largest probability does.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        margins = self.decision_function(X)
        if margins.ndim == 2 and not self._is_multilabel():
            raise AttributeError("Several classes are no tasks: there is no system of them.")
        return margins.max(axis=1) if margins.ndim == 2 else margins

    def predict_system(self, X: Any) -> np.ndarray:
        """The system's decision: 1 where `system_score` is positive.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of int of shape (n_samples,)
        """
        return (self.system_score(X) > 0).astype(int)

    def score(
        self, X: Any, y: Any, *, sensitive_features: Any = None, sample_weight: Any = None
    ) -> float:
        """Accuracy of `predict`; for several tasks the share of rows right on all of them.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_tasks)
        sensitive_features : array-like, optional
            Taken because a pipeline may route it; not used.
        sample_weight : array-like of shape (n_samples,), optional

        Returns
        -------
        float
        """
        shape = np.asarray(y).shape
        if not self._is_multilabel() and len(shape) == 2 and shape[1] > 1:
            y = self._known_tasks(y)[:, 0]
        return float(accuracy_score(y, self.predict(X), sample_weight=sample_weight))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
