"""Networks for binary tasks with a threshold each, set by hand or calibrated."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse
from scipy.special import expit
from sklearn.utils.multiclass import type_of_target

from fairsk.base import check_rows
from fairsk.neural._base import TrainingRows
from fairsk.neural._multilabel import FairTasksClassifier
from fairsk.neural._thresholds import (
    calibrated_log_odds,
    check_thresholds,
    fixed_log_odds,
    system_log_odds,
)


class FairMultiLabelClassifier(FairTasksClassifier):
    """A network for binary tasks, of which the system flags a row when any task does.

    y is one binary label (any two values), or an indicator matrix of several tasks. The loss is the
    sum of the tasks' cross-entropies. The subclass has the constructor parameters ``thresholds``,
    ``threshold_level``, ``target_rate`` and ``combination`` beside the others.

    Attributes
    ----------
    classes_ : ndarray of shape (2,), or a list of one for each task
    task_names_ : tuple of str
    n_tasks_ : int
        Number of logits.
    thresholds_ : ndarray of shape (n_tasks_,)
        Probabilities over which a task flags a row; all are the system's with "noisy_or".
    """

    thresholds: Any
    threshold_level: Any
    target_rate: Any
    combination: Any

    # --------------------------------------------------------------- targets

    def _check_target(self, y: Any) -> np.ndarray:
        y = super()._check_target(y)
        kind = type_of_target(y, input_name="y", raise_unknown=True) if y.ndim == 1 else "binary"
        if kind != "binary":
            raise ValueError(
                f"Only binary classification is supported. The type of the target is {kind}. "
                f"For several tasks give y as a matrix of zeros and ones, one column a task."
            )
        return y

    def _encode_target(self, y: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
        if y.ndim == 2:
            return self._encode_tasks(y, warn=True)
        return super()._encode_target(y, weight).astype(np.float32)[:, None]

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
        self._check_thresholds()

    def _check_thresholds(self) -> None:
        check_thresholds(self.thresholds, self.threshold_level, self.target_rate, self.combination)

    def _holds_out(self) -> bool:
        return super()._holds_out() or isinstance(self.thresholds, str)

    def _train(self, torch: Any, rows: TrainingRows) -> None:
        self._set_thresholds(fixed_log_odds(self.thresholds, self.n_tasks_))
        super()._train(torch, rows)

    def _after_training(self, validation: TrainingRows) -> None:
        if isinstance(self.thresholds, str):
            self._calibrate(self._module_outputs(validation.X), validation.y)

    def _calibrate(self, scores: np.ndarray, Y: np.ndarray) -> None:
        if self.threshold_level == "system":
            scores = system_log_odds(scores, self.combination)[:, None]
            Y, names = Y.max(axis=1, keepdims=True), ["the system"]
        else:
            names = [f"task {name!r}" for name in self.task_names_]
        found = calibrated_log_odds(
            scores, Y, rule=self.thresholds, rate=self.target_rate, names=names
        )
        self._set_thresholds(np.broadcast_to(found, self.n_tasks_).copy())

    def _set_thresholds(self, log_odds: np.ndarray) -> None:
        # Kept as log-odds too: a probability near one has lost their digits.
        self._threshold_log_odds, self.thresholds_ = log_odds, expit(log_odds)
        # Thresholds belong to the combination that they were set for.
        self._combination = self.combination

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
        self._check_thresholds()
        if not isinstance(self.thresholds, str):
            raise ValueError(
                f"thresholds={self.thresholds!r} are fixed; set thresholds='fpr', 'tpr' or "
                f"'base_rate' to calibrate them."
            )
        y = y.toarray() if sparse.issparse(y) else y
        check_rows(X, y, None)
        self._calibrate(self._outputs(X), self._known_tasks(y))
        return self

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
        margins = self._margins(self._outputs(X))
        return margins if self._is_multilabel() else margins[:, 0]

    def _margins(self, outputs: np.ndarray) -> np.ndarray:
        return outputs - self._threshold_log_odds.astype(outputs.dtype)

    def system_score(self, X: Any) -> np.ndarray:
        """What ranks rows for the system, which flags where it is positive.

        The largest of the tasks' margins; with ``combination="noisy_or"`` the log-odds that any
        task is positive, less those of the threshold.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        outputs = self._outputs(X)
        if self._combination == "max":
            return self._margins(outputs).max(axis=1)
        margins = system_log_odds(outputs, self._combination) - self._threshold_log_odds[0]
        return margins.astype(outputs.dtype)

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

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags
