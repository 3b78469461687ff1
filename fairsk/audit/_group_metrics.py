"""Metrics by group with draws of their sampling error: rates, accuracy, AUC, any score."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import wraps
from inspect import signature
from typing import Any

import numpy as np
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import get_scorer, get_scorer_names

from fairsk.audit._gaps import GroupValues
from fairsk.audit._models import check_target, decisions_of, is_estimator, positive_scores
from fairsk.audit._splits import Split
from fairsk.metrics import (
    RESPONSE_METHODS,
    ConfusionCells,
    auc_and_error,
    inform,
    notion_of_rates,
    task_scores,
)
from fairsk.notions import FairnessNotion, GroupRate, cell_masses, get_notion, list_notions
from fairsk.utils import Groups

# Blocks of the delete-a-block jackknife: its standard error is then known to 10 %.
N_BLOCKS = 50


class GroupMetric(ABC):
    """A metric of each group, over all families of groups.

    Parameters
    ----------
    name : str
        What the table calls it.
    """

    by_task = True

    def __init__(self, name: str) -> None:
        self.name = name

    @abstractmethod
    def prepare(self, model: Any, split: Split) -> Any:
        """Ask the model once for what the metric needs; one column a task."""

    @abstractmethod
    def values(
        self, answer: Any, split: Split, task: int | None, n_draws: int, rng: np.random.Generator
    ) -> tuple[GroupValues, dict[int, str]]:
        """Values of all groups, and reasons for those that have none."""


class _CellMetric(GroupMetric):
    """A rate, from the confusion cells."""

    def _of_cells(
        self,
        rate: GroupRate,
        y: np.ndarray,
        decision: np.ndarray,
        split: Split,
        n_draws: int,
        rng: np.random.Generator,
    ) -> tuple[GroupValues, dict[int, str]]:
        cells = ConfusionCells.from_rows(y, decision, split.groups, sample_weight=split.weight)
        notion = FairnessNotion(self.name, (rate,), "")
        plain = _masses(y, decision, split)
        estimate = rate.of(*plain)
        draws = notion.group_rates(cells.resample(n_draws, rng))[:, 0]
        centre = notion.group_rates(cells.centre)[0]
        labels = {(0, 1): "no positive rows", (1, 0): "no negative rows"}
        reason = labels.get(tuple(rate.condition), "no rows")  # type: ignore[arg-type]
        missing = {int(a): reason for a in np.flatnonzero(np.isnan(estimate))}
        # A resample that lost the cell says nothing about its error.
        deviations = np.nan_to_num(draws - centre)
        return GroupValues(
            estimate, np.where(np.isnan(estimate), np.nan, centre), deviations
        ), missing


class RateMetric(_CellMetric):
    """A rate of the notions, of one binary decision."""

    def __init__(self, rate: GroupRate, options: dict[str, Any]) -> None:
        super().__init__(rate.name)
        self.rate, self.options = rate, options

    def prepare(self, model: Any, split: Split) -> Any:
        if split.y.ndim == 2:
            return np.asarray(_predictions(model, split))
        y, pos_label = check_target(split.y, self.options.get("pos_label"))
        return decisions_of(
            model,
            split.X,
            y,
            split.prediction_features,
            **{**self.options, "pos_label": pos_label},
            name=f"the model on {split.name}",
        )

    def values(
        self, answer: Any, split: Split, task: int | None, n_draws: int, rng: np.random.Generator
    ) -> tuple[GroupValues, dict[int, str]]:
        y, decision = answer if task is None else (split.y[:, task], answer[:, task])
        return self._of_cells(self.rate, y, decision.astype(float), split, n_draws, rng)


class AccuracyMetric(_CellMetric):
    """Share of rows that are predicted right, for any number of classes."""

    _rate = GroupRate("accuracy", gain=(1, 1), offset=(0, 0), condition=(1, 1))

    def prepare(self, model: Any, split: Split) -> Any:
        predicted = np.asarray(_predictions(model, split))
        if predicted.shape != split.y.shape:
            raise ValueError(
                f"Predictions on {split.name} have shape {predicted.shape}, y has {split.y.shape}."
            )
        _refuse_scores(predicted, split)
        return (predicted == split.y).astype(float)

    def values(
        self, answer: Any, split: Split, task: int | None, n_draws: int, rng: np.random.Generator
    ) -> tuple[GroupValues, dict[int, str]]:
        right = answer if task is None else answer[:, task]
        zeros = np.zeros(len(right), dtype=np.intp)
        return self._of_cells(self._rate, zeros, right, split, n_draws, rng)


class AucMetric(GroupMetric):
    """Area under the ROC curve of each group, with DeLong's error."""

    def __init__(self, options: dict[str, Any]) -> None:
        super().__init__("roc_auc")
        self.pos_label = options.get("pos_label")

    def prepare(self, model: Any, split: Split) -> Any:
        if not is_estimator(model):
            return np.asarray(model, dtype=float)
        known = inform(model, split.prediction_features)
        if split.y.ndim == 2:
            return task_scores(known, split.X, split.y.shape[1])
        return positive_scores(known, split.X, self._positive(split))

    def _positive(self, split: Split) -> Any:
        return np.unique(split.y)[-1] if self.pos_label is None else self.pos_label

    def values(
        self, answer: Any, split: Split, task: int | None, n_draws: int, rng: np.random.Generator
    ) -> tuple[GroupValues, dict[int, str]]:
        labels = split.y if task is None else split.y[:, task]
        if len(np.unique(labels)) > 2 and self.pos_label is None:
            raise ValueError(
                "roc_auc is of two labels; pass pos_label to rank one class against the rest, or "
                "metric='roc_auc_ovr'."
            )
        y = (labels == (self._positive(split) if task is None else 1)).astype(np.intp)
        score = answer if task is None else answer[:, task]
        found = {}
        for a, rows in enumerate(_rows_of_groups(split.groups)):
            found[a] = auc_and_error(
                y[rows], score[rows], None if split.weight is None else split.weight[rows]
            )
        estimate, error = np.array(list(found.values())).T
        missing = {int(a): "one label only" for a in np.flatnonzero(np.isnan(estimate))}
        return _normal(estimate, error, n_draws, rng), missing


class ScoreMetric(GroupMetric):
    """Any scorer or metric, with the error of a delete-a-block jackknife."""

    by_task = False

    def __init__(self, name: str, scorer: Any, function: Callable | None, response: str) -> None:
        super().__init__(name)
        self.scorer, self.function, self.response = scorer, function, response

    def prepare(self, model: Any, split: Split) -> Any:
        if self.function is None:
            if not is_estimator(model):
                raise ValueError(
                    f"metric={self.name!r} asks an estimator for its response; for predictions "
                    f"give a function f(y_true, y_pred), 'accuracy', 'roc_auc' or a rate."
                )
            return _Answers(inform(model, split.prediction_features), split.X)
        if self.response == "predict" or not is_estimator(model):
            return np.asarray(_predictions(model, split))
        known = inform(model, split.prediction_features)
        if split.y.ndim == 2:
            return task_scores(known, split.X, split.y.shape[1])
        return positive_scores(known, split.X, np.unique(split.y)[-1])

    def values(
        self, answer: Any, split: Split, task: int | None, n_draws: int, rng: np.random.Generator
    ) -> tuple[GroupValues, dict[int, str]]:
        estimates, errors, missing = [], [], {}
        for a, rows in enumerate(_rows_of_groups(split.groups)):
            rows = rows[split.counted[rows]]
            value, reason = self._score(answer, split, rows)
            error = np.nan
            if reason:
                missing[a] = reason
            else:
                error = self._jackknife(answer, split, rng.permutation(rows))
            estimates.append(value)
            errors.append(error)
        return _normal(np.array(estimates), np.array(errors), n_draws, rng), missing

    def _jackknife(self, answer: Any, split: Split, rows: np.ndarray) -> float:
        n_blocks = min(N_BLOCKS, len(rows))
        block = np.arange(len(rows)) % n_blocks
        left = [self._score(answer, split, rows[block != b])[0] for b in range(n_blocks)]
        values = np.array([value for value in left if not np.isnan(value)])
        if len(values) < 2:
            return float("nan")
        spread = np.sum((values - values.mean()) ** 2)
        return float(np.sqrt(spread * (len(values) - 1) / len(values)))

    def _score(self, answer: Any, split: Split, rows: np.ndarray) -> tuple[float, str]:
        """A value, or why there is none."""
        if not len(rows):
            return float("nan"), "no rows"
        kwargs = {} if split.weight is None else {"sample_weight": split.weight[rows]}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UndefinedMetricWarning)
                if self.function is None:
                    value = float(self.scorer(answer, rows, split.y[rows], **kwargs))
                else:
                    value = float(self.function(split.y[rows], answer[rows], **kwargs))
        except ValueError as error:
            # A group may lack a class that the metric needs; others have their value.
            return float("nan"), str(error).splitlines()[0]
        return value, "" if np.isfinite(value) else "not defined for its rows"


class _Answers:
    """An estimator that is asked once about all rows of a split, then for some of them."""

    def __init__(self, estimator: Any, X: Any) -> None:
        self._estimator, self._X = estimator, X

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._estimator, name)
        if name not in RESPONSE_METHODS:
            return value
        known: list[Any] = []

        @wraps(value)
        def answer(rows: np.ndarray) -> Any:
            if not known:
                known.append(value(self._X))
            if isinstance(known[0], list):
                return [np.asarray(part)[rows] for part in known[0]]
            return np.asarray(known[0])[rows]

        # Kept, so that the next call finds it before it comes here.
        setattr(self, name, answer)
        return answer


def resolve_metrics(metric: Any, options: dict[str, Any]) -> list[GroupMetric]:
    """The metrics asked for.

    Parameters
    ----------
    metric : str, callable, scorer, FairnessNotion, or sequence of these
    options : dict
        ``response_method``, ``threshold`` and ``pos_label`` of the decisions.

    Raises
    ------
    ValueError
        If a name is unknown; the message lists the kinds that are known.
    """
    several = isinstance(metric, list | tuple)
    metrics = [
        found for one in (metric if several else [metric]) for found in _resolve(one, options)
    ]
    if not metrics:
        raise ValueError(
            "metric is empty; give 'accuracy', 'roc_auc', a rate, a notion or a score."
        )
    return metrics


def _resolve(metric: Any, options: dict[str, Any]) -> list[GroupMetric]:
    if isinstance(metric, FairnessNotion | GroupRate):
        rates = metric.rates if isinstance(metric, FairnessNotion) else (metric,)
        return [RateMetric(rate, options) for rate in rates]
    if not isinstance(metric, str):
        return [_of_callable(metric, options)]
    if metric == "accuracy":
        return [AccuracyMetric("accuracy")]
    if metric == "roc_auc":
        return [AucMetric(options)]
    known = {rate for name in list_notions() for rate in get_notion(name).rate_names}
    if metric in known or metric in list_notions():
        return [RateMetric(rate, options) for rate in notion_of_rates(metric).rates]
    if metric in get_scorer_names():
        return [ScoreMetric(metric, get_scorer(metric), None, options["response_method"])]
    raise ValueError(
        f"metric must be 'accuracy', 'roc_auc', a rate among {sorted(known)}, a notion among "
        f"{list_notions()}, a name among sklearn.metrics.get_scorer_names(), a scorer, or a "
        f"function f(y_true, y_pred); got {metric!r}."
    )


def _of_callable(metric: Any, options: dict[str, Any]) -> GroupMetric:
    if not callable(metric):
        raise ValueError(f"metric must be a name or a function f(y_true, y_pred), got {metric!r}.")
    name = getattr(metric, "__name__", None) or repr(metric)
    target = metric if not hasattr(metric, "get_metadata_routing") else metric.__call__
    if "sensitive_features" in signature(target).parameters:
        raise ValueError(
            f"{name} compares groups by itself. The report computes a metric within each group and "
            f"then the gap: name the rate or the notion instead, such as 'demographic_parity'."
        )
    if hasattr(metric, "set_score_request"):
        return ScoreMetric(name, metric, None, options["response_method"])
    return ScoreMetric(name, None, metric, options["response_method"])


def _predictions(model: Any, split: Split) -> Any:
    if not is_estimator(model):
        predicted = model
    else:
        predicted = inform(model, split.prediction_features).predict(split.X)
    return predicted.toarray() if hasattr(predicted, "toarray") else predicted


def _refuse_scores(predicted: np.ndarray, split: Split) -> None:
    if predicted.dtype.kind != "f" or split.y.dtype.kind not in "iufb":
        return
    if not np.array_equal(predicted, np.round(predicted)):
        raise ValueError(
            f"Predictions on {split.name} are scores, not labels; accuracy needs labels. Use "
            f"metric='roc_auc', or a loss such as sklearn.metrics.mean_squared_error."
        )


def _masses(y: np.ndarray, decision: np.ndarray, split: Split) -> tuple[np.ndarray, np.ndarray]:
    masses = cell_masses(y, decision, split.groups, sample_weight=split.weight)
    return masses.selected, masses.total


def _rows_of_groups(groups: Groups) -> list[np.ndarray]:
    """Rows of each group, over all families."""
    members = groups.indicators().tocsc()
    return [
        members.indices[members.indptr[a] : members.indptr[a + 1]] for a in range(groups.n_groups)
    ]


def _normal(
    estimate: np.ndarray, error: np.ndarray, n_draws: int, rng: np.random.Generator
) -> GroupValues:
    # An error that is not known is no error of zero: the value is left out of gaps.
    estimate = np.where(np.isnan(error), np.nan, estimate)
    deviations = rng.standard_normal((n_draws, len(estimate))) * np.nan_to_num(error)
    return GroupValues(estimate, estimate, deviations)
