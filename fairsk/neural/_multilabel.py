"""Networks with one logit for each of several binary tasks, and the system they make up."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from scipy import sparse
from scipy.special import expit
from sklearn.metrics import accuracy_score
from sklearn.utils.multiclass import type_of_target

from fairsk.base import check_rows
from fairsk.neural._base import TrainingRows
from fairsk.neural._tasks import FairNetworkClassifier
from fairsk.neural._thresholds import (
    calibrated_log_odds,
    check_thresholds,
    fixed_log_odds,
)


class FairMultiLabelClassifier(FairNetworkClassifier):
    """A network for binary tasks, of which the system flags a row when any task does.

    y is one binary label (any two values), or an indicator matrix of several tasks. The loss is the
    sum of the tasks' cross-entropies. The subclass has the constructor parameters ``thresholds``,
    ``threshold_level`` and ``target_rate`` beside the others.

    Attributes
    ----------
    classes_ : ndarray of shape (2,), or a list of one for each task
    task_names_ : tuple of str
    n_tasks_ : int
        Number of logits.
    thresholds_ : ndarray of shape (n_tasks_,)
        Probabilities over which a task flags a row.
    """

    thresholds: Any
    threshold_level: Any
    target_rate: Any

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
            y = super()._check_target(y)
            kind = type_of_target(y, input_name="y", raise_unknown=True)
            if kind != "binary":
                raise ValueError(
                    f"Only binary classification is supported. The type of the target is {kind}. "
                    f"For several tasks give y as a matrix of zeros and ones, one column a task."
                )
            return y
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
            return super()._encode_target(y, weight).astype(np.float32)[:, None]
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
        return isinstance(self.classes_, list)

    def _output_widths(self) -> tuple[int, ...]:
        return (self.n_tasks_,)

    def _output_meaning(self) -> str:
        return f"the log-odds of each of the tasks {list(self.task_names_)}"

    def _loss(self, torch: Any) -> Any:
        functional = torch.nn.functional

        def summed_cross_entropy(outputs: Any, y: Any) -> Any:
            losses = functional.binary_cross_entropy_with_logits(outputs, y, reduction="none")
            return losses.sum(1)

        return summed_cross_entropy

    # ------------------------------------------------------------ thresholds

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_thresholds(self.thresholds, self.threshold_level, self.target_rate)

    def _holds_out(self) -> bool:
        return super()._holds_out() or isinstance(self.thresholds, str)

    def _train(self, torch: Any, rows: TrainingRows) -> None:
        self._set_thresholds(fixed_log_odds(self.thresholds, self.n_tasks_))
        super()._train(torch, rows)

    def _after_training(self, validation: TrainingRows) -> None:
        if isinstance(self.thresholds, str):
            self._calibrate(self._module_outputs(validation.X), validation.y)

    def _calibrate(self, scores: np.ndarray, Y: np.ndarray) -> None:
        self._set_thresholds(
            calibrated_log_odds(
                scores,
                Y,
                rule=self.thresholds,
                level=self.threshold_level,
                rate=self.target_rate,
                names=self.task_names_,
            )
        )

    def _set_thresholds(self, log_odds: np.ndarray) -> None:
        # Kept as log-odds too: a probability near one has lost their digits.
        self._threshold_log_odds, self.thresholds_ = log_odds, expit(log_odds)

    def calibrate_thresholds(self, X: Any, y: Any) -> Any:
        """Set `thresholds_` by the rule ``thresholds`` on validation data of your own.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_tasks)

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If ``thresholds`` is not a rule, or no row is left to compute a rate from.

        Warns
        -----
        ThresholdWarning
            If the rate cannot be reached.
        """
        check_thresholds(self.thresholds, self.threshold_level, self.target_rate)
        if not isinstance(self.thresholds, str):
            raise ValueError(
                f"thresholds={self.thresholds!r} are fixed; set thresholds='fpr', 'tpr' or "
                f"'base_rate' to calibrate them."
            )
        y = y.toarray() if sparse.issparse(y) else y
        check_rows(X, y, None)
        self._calibrate(self._outputs(X), self._known_tasks(y))
        return self

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
        """Log-odds of each task less those of its threshold: a task flags where it is positive.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_tasks)
        """
        outputs = self._outputs(X)
        margins = outputs - self._threshold_log_odds.astype(outputs.dtype)
        return margins if self._is_multilabel() else margins[:, 0]

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities: of both classes for one label, of a one for each of several tasks.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, 2) or (n_samples, n_tasks)
            float32 for X in float32, else float64.
        """
        outputs = self._outputs(X)
        if self._is_multilabel():
            return expit(outputs)
        return np.column_stack([expit(-outputs[:, 0]), expit(outputs[:, 0])])

    def predict(self, X: Any) -> np.ndarray:
        """Predict labels; the groups are not needed.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_tasks)
            Labels of `classes_`; 0 or 1 for several tasks.
        """
        flags = (self.decision_function(X) > 0).astype(int)
        return flags if self._is_multilabel() else self.classes_[flags]

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
        return margins.max(axis=1) if margins.ndim == 2 else margins

    def predict_system(self, X: Any) -> np.ndarray:
        """The system's decision: 1 where any task is over its threshold.

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
        tags.classifier_tags.multi_class = False
        tags.classifier_tags.multi_label = True
        return tags
