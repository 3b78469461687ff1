"""Scorers of a system of classifiers: its errors by group, and its ranking."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

from fairsk.metrics._multilabel import (
    overall_equal_opportunity_difference,
    overall_equal_opportunity_ratio,
)
from fairsk.metrics._routed_scorer import RoutedScorer
from fairsk.utils import MembershipEncoder

FAIRNESS = {
    "neg_dEO": overall_equal_opportunity_difference,
    "rEO": overall_equal_opportunity_ratio,
}
RANKING = {"roc_auc": roc_auc_score, "average_precision": average_precision_score}
LEVELS = ("system", "task")


def list_system_scores() -> list[str]:
    """Names that `make_system_scorer` knows.

    Examples
    --------
    >>> list_system_scores()
    ['neg_dEO', 'rEO', 'system_roc_auc', 'system_average_precision',
     'task_roc_auc', 'task_average_precision']
    """
    return [*FAIRNESS, *(f"{level}_{score}" for level in LEVELS for score in RANKING)]


def make_system_scorer(
    score: str,
    *,
    group: str | int | None = None,
    task: int | None = None,
    sensitive_columns: Sequence[str | int] | None = None,
) -> RoutedScorer:
    r"""A scorer of a system that flags a row when any of its tasks does.

    Greater is better. "neg_dEO" is :math:`-d_{EO,m} = -|FPR_{G_m=1} - FPR_{G_m=0}|` of the system's
    decision. "rEO" is :math:`\min(r, 1/r)` of :math:`r_{EO,m} = FPR_{G_m=1} / FPR_{G_m=0}`, 1 at
    parity. "system_roc_auc" and "system_average_precision" rank rows by the system's score (the
    estimator's ``system_score``, else the largest probability of a task) against the largest label;
    "task_roc_auc" and "task_average_precision" rank each task's rows.

    Parameters
    ----------
    score : str
        One of `list_system_scores`.
    group : str or int, optional
        For the fairness scores: a group by name or position; the worst one by default.
    task : int, optional
        For the scores of tasks: one task; their mean by default.
    sensitive_columns : list of str or int, optional
        Columns of X that hold the groups, while routing is off. As in `make_fairness_scorer`.

    Returns
    -------
    scorer : callable
        ``scorer(estimator, X, y, sensitive_features=None) -> float``; y and the groups as in
        `fairsk.MinDiffIOClassifier`. A task of which y has one class only has no ranking and is
        left out of the mean; NaN where none is left.

    Raises
    ------
    ValueError
        If the score is unknown or an option does not belong to it.

    References
    ----------
    MinDiff-IO, equations 10 and 11.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.dummy import DummyClassifier
    >>> X, Y = np.zeros((4, 1)), np.array([[0, 0], [0, 1], [1, 0], [0, 0]])
    >>> model = DummyClassifier(strategy="most_frequent").fit(X, Y)
    >>> make_system_scorer("neg_dEO")(model, X, Y, sensitive_features=[1, 0, 1, 0])
    -0.0
    >>> make_system_scorer("system_roc_auc")
    make_system_scorer('system_roc_auc')
    """
    if score not in list_system_scores():
        raise ValueError(f"score must be one of {list_system_scores()}, got {score!r}.")
    if group is not None and score not in FAIRNESS:
        raise ValueError(f"group goes with {list(FAIRNESS)}, not with {score!r}.")
    if task is not None and not score.startswith("task_"):
        raise ValueError(f"task goes with the scores of tasks, not with {score!r}.")
    options = {"group": group, "task": task, "sensitive_columns": sensitive_columns}
    given = [f"{name}={value!r}" for name, value in options.items() if value is not None]
    description = f"make_system_scorer({', '.join([repr(score), *given])})"
    if score in FAIRNESS:
        return _SystemFairness(score, group, sensitive_columns, description)
    level, _, ranking = score.partition("_")
    return _SystemRanking(level, ranking, task, sensitive_columns, description)


class _SystemFairness(RoutedScorer):
    def __init__(self, score: str, group: Any, sensitive_columns: Any, description: str) -> None:
        super().__init__(False, sensitive_columns, description)
        self._name, self._group = score, group

    def _score(self, estimator: Any, X: Any, y: Any, groups: Any, metadata: dict) -> float:
        if groups is None:
            raise ValueError(
                f"{self!r} got no sensitive features. Give it sensitive_columns=[...], or call "
                f"sklearn.set_config(enable_metadata_routing=True) and pass sensitive_features."
            )
        encoder = MembershipEncoder().fit(groups)
        members = encoder.transform(groups)
        if self._group is not None:
            members = members[:, [_position(self._group, encoder.names_)]]
        values = FAIRNESS[self._name](
            _task_labels(y, estimator).max(axis=1),
            _system_decision(estimator, X),
            sensitive_features=np.where(members < 0, np.nan, members.astype(float)),
        )
        if self._name == "neg_dEO":
            return -float(np.max(values))
        with np.errstate(divide="ignore"):
            return float(np.min(np.minimum(values, 1 / values)))


class _SystemRanking(RoutedScorer):
    def __init__(
        self, level: str, ranking: str, task: int | None, sensitive_columns: Any, description: str
    ) -> None:
        super().__init__(False, sensitive_columns, description)
        self._level, self._task, self._metric = level, task, RANKING[ranking]

    def _score(self, estimator: Any, X: Any, y: Any, groups: Any, metadata: dict) -> float:
        labels = _task_labels(y, estimator)
        if self._level == "system":
            if hasattr(estimator, "system_score"):
                ranks = np.asarray(estimator.system_score(X))
            else:
                ranks = task_scores(estimator, X, labels.shape[1]).max(axis=1)
            return self._rank(labels.max(axis=1), ranks)
        scores = task_scores(estimator, X, labels.shape[1])
        if labels.shape != scores.shape:
            raise ValueError(
                f"y has {labels.shape[1]} tasks, but the estimator scores {scores.shape[1]}."
            )
        tasks = range(labels.shape[1]) if self._task is None else [self._task]
        values = np.array([self._rank(labels[:, t], scores[:, t]) for t in tasks])
        return np.nan if np.isnan(values).all() else float(np.nanmean(values))

    def _rank(self, labels: np.ndarray, scores: np.ndarray) -> float:
        return float(self._metric(labels, scores)) if len(np.unique(labels)) == 2 else np.nan


def _position(group: Any, names: Sequence[str]) -> int:
    if isinstance(group, str):
        if group not in names:
            raise ValueError(f"group must be one of {list(names)}, got {group!r}.")
        return names.index(group)
    return int(group)


def _task_labels(y: Any, estimator: Any) -> np.ndarray:
    """Labels as 0 and 1, one column a task."""
    labels = y.toarray() if hasattr(y, "toarray") else np.asarray(y)
    if labels.ndim == 2 and labels.shape[1] > 1:
        return labels.astype(int)
    classes = getattr(estimator, "classes_", None)
    positive = classes[-1] if isinstance(classes, np.ndarray) and len(classes) == 2 else 1
    return (labels.ravel() == positive).astype(int)[:, None]


def _system_decision(estimator: Any, X: Any) -> np.ndarray:
    """Of an estimator of ours, or of any that predicts labels of tasks."""
    if hasattr(estimator, "predict_system"):
        return np.asarray(estimator.predict_system(X))
    return _task_labels(estimator.predict(X), estimator).max(axis=1)


def task_scores(estimator: Any, X: Any, n_tasks: int) -> np.ndarray:
    """Probabilities of a one, or else decision values, one column a task."""
    method = "predict_proba" if hasattr(estimator, "predict_proba") else "decision_function"
    scores = getattr(estimator, method)(X)
    if isinstance(scores, list):
        # One array a task, as scikit-learn's forests and neighbours give.
        return np.column_stack([part[:, -1] for part in scores])
    scores = np.asarray(scores)
    if scores.ndim == 1:
        return scores[:, None]
    # Both classes of one label.
    return scores[:, 1:] if n_tasks == 1 and scores.shape[1] == 2 else scores
