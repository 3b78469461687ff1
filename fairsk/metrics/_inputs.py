"""Labels, decisions, weights and groups as people hold them, validated once for every metric."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from inspect import Parameter, signature
from typing import Any, TypedDict

import numpy as np
from numpy.typing import ArrayLike

from fairsk.notions import CellMasses, cell_masses
from fairsk.utils import GroupEncoder, Groups, check_same_rows, check_sensitive_features


class MetricOptions(TypedDict, total=False):
    """Keywords that every metric takes and hands on to `check_labelled_decisions`."""

    sample_weight: ArrayLike | None
    groups: str
    empty: str
    pos_label: Any


@dataclass(frozen=True)
class LabelledDecisions:
    """What a metric is computed from.

    Attributes
    ----------
    y : ndarray of int of shape (n_samples,)
        1 for the positive label.
    decision : ndarray of float of shape (n_samples,)
        Decisions in [0, 1].
    groups : Groups
    sample_weight : ndarray of shape (n_samples,) or None
    """

    y: np.ndarray
    decision: np.ndarray
    groups: Groups
    sample_weight: np.ndarray | None

    @property
    def masses(self) -> CellMasses:
        return cell_masses(self.y, self.decision, self.groups, sample_weight=self.sample_weight)

    @property
    def group_labels(self) -> tuple[str, ...]:
        """Names of the groups; with several families each says which feature it is of."""
        return group_labels(self.groups)


def check_labelled_decisions(
    y_true: Any,
    y_pred: Any,
    *,
    sensitive_features: Any,
    sample_weight: Any = None,
    groups: str = "intersectional",
    pos_label: Any = None,
    multilabel: bool = False,
    compare: bool = True,
    scores: bool = False,
) -> LabelledDecisions:
    """Validate the arguments of a metric.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,), or (n_samples, n_tasks) where ``multilabel``
        Any two labels.
    y_pred : array-like of the same rows
        The same labels, or decisions in [0, 1]: the probability of deciding for ``pos_label``.
    sensitive_features : array-like of shape (n_samples,) or (n_samples, n_features)
        Missing values mean that the group of the row is unknown.
    sample_weight : array-like of shape (n_samples,), optional
    groups : {"intersectional", "independent"}
    pos_label : label, optional
        By default the larger one, as in scikit-learn.
    multilabel : bool
        Whether several tasks are accepted and joined by their maximum.
    compare : bool
        Whether groups will be compared, so that a constant sensitive feature is an error.
    scores : bool
        Whether ``y_pred`` holds any finite numbers instead of decisions.

    Returns
    -------
    LabelledDecisions

    Raises
    ------
    ValueError
        If rows do not match, there are more than two labels, a prediction is neither a label nor
        in [0, 1], a weight is negative or not finite, or the groups cannot be compared.
    """
    check_same_rows(
        y_true=y_true,
        y_pred=y_pred,
        sensitive_features=sensitive_features,
        sample_weight=sample_weight,
    )
    features = check_sensitive_features(sensitive_features)
    encoder = GroupEncoder(groups=groups).fit(features)
    if compare:
        encoder.check_not_constant()
    y, decision = check_binary(
        y_true, y_pred, pos_label=pos_label, multilabel=multilabel, scores=scores
    )
    return LabelledDecisions(y, decision, encoder.transform(features), check_weight(sample_weight))


def check_binary(
    y_true: Any,
    y_pred: Any,
    *,
    pos_label: Any = None,
    multilabel: bool = False,
    scores: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Labels as 0 and 1 and decisions in [0, 1]; several tasks are joined by their maximum."""
    truth = _as_array(y_true, "y_true", multilabel)
    prediction = _as_array(y_pred, "y_pred", multilabel)
    labels = _two_labels(truth, "y_true")
    if scores:
        if prediction.dtype.kind not in "iufb" or not np.isfinite(prediction).all():
            raise ValueError("Scores must be finite numbers.")
        return (truth == _positive(labels, pos_label)).astype(np.intp), prediction.astype(float)
    if len(labels) == 1 and labels[0] in (0, 1) and _all_among(prediction, (0, 1)):
        labels = (0, 1)  # a fold with one class: the usual coding is the likely one
    are_labels = _all_among(prediction, labels)
    if not are_labels and not _all_in_unit_interval(prediction):
        union = np.concatenate([truth.ravel().astype(object), prediction.ravel().astype(object)])
        labels, are_labels = _two_labels(union, "y_true and y_pred together"), True
    positive = _positive(labels, pos_label)
    y = (truth == positive).astype(np.intp)
    decision = (prediction == positive if are_labels else prediction).astype(float)
    return _join_tasks(y), _join_tasks(decision)


def check_weight(sample_weight: Any) -> np.ndarray | None:
    """Weights as finite, nonnegative numbers, or None."""
    if sample_weight is None:
        return None
    weight = np.asarray(sample_weight, dtype=float)
    if weight.ndim != 1:
        raise ValueError(f"sample_weight must be 1-D, got {weight.ndim} dimensions.")
    if not np.isfinite(weight).all() or (weight < 0).any() or not weight.any():
        raise ValueError("sample_weight must be finite and nonnegative, and not zero everywhere.")
    return weight


def group_labels(groups: Groups) -> tuple[str, ...]:
    """Names of the groups; with several families each says which feature it is of."""
    if len(groups.families) == 1:
        return groups.labels
    return tuple(
        f"{', '.join(family.features)}={label}"
        for family in groups.families
        for label in family.labels
    )


def takes_options_of(reference: Callable) -> Callable[[Callable], Callable]:
    """Show the keywords of ``reference`` in place of ``**options``, in help() and tooltips."""
    shared = [
        parameter.replace(kind=Parameter.KEYWORD_ONLY)
        for name, parameter in signature(reference).parameters.items()
        if name in MetricOptions.__annotations__
    ]

    def decorate(function: Callable) -> Callable:
        own = signature(function)
        named = [p for p in own.parameters.values() if p.kind is not Parameter.VAR_KEYWORD]
        function.__signature__ = own.replace(parameters=named + shared)  # type: ignore[attr-defined]
        return function

    return decorate


def _as_array(values: Any, name: str, multilabel: bool) -> np.ndarray:
    array = np.asarray(values)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1 and not (multilabel and array.ndim == 2):
        raise ValueError(
            f"{name} must be 1-D, got shape {array.shape}. Labels of several tasks are for "
            f"notion='overall_equal_opportunity', which joins them by their maximum."
        )
    if not array.size:
        raise ValueError(f"{name} is empty.")
    return array


def _two_labels(values: np.ndarray, name: str) -> tuple:
    """The one or two distinct values, sorted."""
    if values.dtype.kind in "iufb":
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise ValueError(f"{name} has missing or infinite values.")
        low, high = values.min(), values.max()
        distinct = {low.item(), high.item()}
        binary = _all_among(values, (low, high))
    else:
        distinct = set(values.ravel().tolist())
        if any(_is_missing(value) for value in distinct):
            raise ValueError(f"{name} has missing values.")
        binary = len(distinct) <= 2
    if not binary:
        raise ValueError(
            f"{name} must hold two labels, or y_pred decisions in [0, 1]. For more classes, "
            f"compare one class with the rest, as in (y == 'class')."
        )
    try:
        return tuple(sorted(distinct))
    except TypeError:
        raise ValueError(
            f"{name} mixes labels that cannot be ordered, {distinct}. y_pred must hold the labels "
            f"of y_true, or decisions in [0, 1]."
        ) from None


def _is_missing(value: Any) -> bool:
    # pandas.NA compares to NA, whose truth is an error: recognised by name, without pandas.
    return value is None or type(value).__name__ in ("NAType", "NaTType") or bool(value != value)


def _all_among(values: np.ndarray, labels: tuple) -> bool:
    return bool(np.all(sum((values == label) for label in labels)))


def _all_in_unit_interval(values: np.ndarray) -> bool:
    if values.dtype.kind not in "iufb":
        return False
    # A NaN fails both comparisons and is reported where the labels are checked.
    return bool(np.all((values >= 0) & (values <= 1)))


def _positive(labels: tuple, pos_label: Any) -> Any:
    if pos_label is not None:
        if len(labels) == 2 and pos_label not in labels:
            raise ValueError(f"pos_label={pos_label!r} is not one of the labels {labels}.")
        return pos_label
    if len(labels) == 2:
        return labels[1]
    if labels[0] in (-1, 0, 1):
        return 1
    raise ValueError(
        f"Every label is {labels[0]!r}, so the positive label is not known: pass pos_label."
    )


def _join_tasks(values: np.ndarray) -> np.ndarray:
    if values.ndim == 1:
        return values
    if not _all_among(values, (0, 1)):
        raise ValueError(
            "The decisions of several tasks must be labels: the maximum of their probabilities is "
            "not the probability of a positive system decision. Threshold them first."
        )
    return values.max(axis=1)
