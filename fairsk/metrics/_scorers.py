"""Scorers for model selection: fairness scores, and accuracy scores of attribute-aware models.

scikit-learn's own scorers call ``predict(X)`` and never hand metadata on, so a model that needs the
sensitive features to predict scores NaN in them. The scorers here get the sensitive features by
metadata routing, or read them from X, and hand them on to a model that asks for them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from inspect import signature
from typing import Any

import numpy as np
from sklearn.metrics import get_scorer, make_scorer

from fairsk.metrics._routed_scorer import RoutedScorer, own_columns
from fairsk.notions import (
    CONTRASTS,
    MEASURES,
    FairnessNotion,
    cell_masses,
    get_notion,
    list_notions,
)
from fairsk.utils import GroupEncoder, check_sensitive_features

# What each option may be, so that a misspelling fails where it is written, not as NaN in a search.
OPTIONS = {
    "measure": MEASURES,
    "contrast": CONTRASTS,
    "groups": ("intersectional", "independent"),
    "empty": ("nan", "raise", "skip"),
}


@dataclass(frozen=True)
class _Violation:
    """A notion's violation as a metric: f(y_true, y_pred, *, sensitive_features) -> float."""

    notion: FairnessNotion
    measure: str
    contrast: str
    groups: str
    empty: str
    soft: bool

    def __call__(
        self,
        y_true: Any,
        y_pred: Any,
        *,
        sensitive_features: Any,
        sample_weight: Any = None,
        pos_label: Any = None,
    ) -> float:
        y, decision = self._binary(np.asarray(y_true), np.asarray(y_pred), pos_label)
        features = check_sensitive_features(sensitive_features, n_samples=len(y))
        groups = GroupEncoder(self.groups).fit_transform(features)
        return self.notion.violation(
            cell_masses(y, decision, groups, sample_weight=sample_weight),
            measure=self.measure,
            contrast=self.contrast,
            empty=self.empty,
            labels=groups.labels,
        )

    def _binary(
        self, y_true: np.ndarray, y_pred: np.ndarray, pos_label: Any
    ) -> tuple[np.ndarray, np.ndarray]:
        """Labels as 0 or 1 and decisions in [0, 1]; several tasks joined by their maximum."""
        positive = 1 if pos_label is None else pos_label
        if y_true.ndim == 2 and y_true.shape[1] > 1:
            if not self.notion.multilabel or self.soft or y_pred.shape != y_true.shape:
                raise ValueError(
                    f"y has shape {y_true.shape}, but {self.notion.name} with "
                    f"{'probabilities' if self.soft else 'labels'} is for one binary label. For "
                    f"several tasks use 'overall_equal_opportunity' on predicted labels."
                )
            return (y_true == positive).any(axis=1), (y_pred == positive).any(axis=1)
        y_true = y_true.ravel()
        if pos_label is None:
            labels = np.unique(y_true if self.soft else np.concatenate([y_true, y_pred.ravel()]))
            positive = _positive_of(labels)
        decision = y_pred if self.soft else y_pred.ravel() == positive
        return y_true == positive, decision.astype(float)


def _positive_of(labels: np.ndarray) -> Any:
    """The positive one of the labels that occur: 1 among {-1, 0, 1}, else the last of two."""
    if len(labels) > 2:
        raise ValueError(
            f"Fairness notions compare rates of a positive decision, but there are {len(labels)} "
            f"classes ({labels[:5]}...). Pass pos_label to compare one class with the rest."
        )
    return 1 if np.isin(labels, [-1, 0, 1]).all() else labels[-1]


class _FairnessScorer(RoutedScorer):
    """Scores a metric of labels, decisions and groups."""

    def __init__(
        self,
        metric: Callable[..., float],
        *,
        sign: int,
        response_method: str | Sequence[str],
        pos_label: Any,
        sensitive_columns: Sequence[str | int] | None,
        description: str,
    ) -> None:
        super().__init__(_takes(metric, "sample_weight"), sensitive_columns, description)
        # Named as in scikit-learn's scorers: TunedThresholdClassifierCV reads these.
        self._score_func, self._sign, self._response_method = metric, sign, response_method
        self._kwargs = {} if pos_label is None else {"pos_label": pos_label}

    def _score(self, estimator: Any, X: Any, y: Any, groups: Any, metadata: dict) -> float:
        if groups is None:
            raise ValueError(self._no_groups(estimator))
        kwargs = dict(self._kwargs)
        classes = getattr(estimator, "classes_", None)
        of_notion = isinstance(self._score_func, _Violation) and not kwargs
        if of_notion and isinstance(classes, np.ndarray) and np.ndim(y) == 1 and len(classes) > 1:
            # From the classes, not from y: a fold may lack one of them.
            kwargs["pos_label"] = _positive_of(classes)
        # Bound by partial: scikit-learn refuses keyword metadata while routing is off.
        scorer = make_scorer(
            partial(self._score_func, sensitive_features=groups, **metadata),
            response_method=self._response_method,
            greater_is_better=self._sign > 0,
            **kwargs,
        )
        return float(scorer(estimator, X, y))

    def _no_groups(self, estimator: Any) -> str:
        columns = own_columns(estimator)
        if columns is not None:
            return (
                f"{self!r} got no sensitive features. The estimator reads its own from X; pass "
                f"the same columns to the scorer too: make_fairness_scorer(..., "
                f"sensitive_columns={columns!r})."
            )
        return (
            f"{self!r} got no sensitive features. Either name columns of X, "
            f"make_fairness_scorer(..., sensitive_columns=[...]), or call "
            f"sklearn.set_config(enable_metadata_routing=True) and pass sensitive_features to fit "
            f"of the search (params={{'sensitive_features': ...}} to cross_validate and the like)."
        )


class _AwareScorer(RoutedScorer):
    """A scikit-learn scorer, called with an estimator that knows the sensitive features."""

    def __init__(
        self, scorer: Any, sensitive_columns: Sequence[str | int] | None, description: str
    ) -> None:
        self._scorer = scorer
        super().__init__(
            getattr(scorer, "_accept_sample_weight", lambda: _takes(scorer, "sample_weight"))(),
            sensitive_columns,
            description,
        )

    def _score(self, estimator: Any, X: Any, y: Any, groups: Any, metadata: dict) -> float:
        return float(self._scorer(estimator, X, y, **metadata))


def _takes(function: Callable[..., Any], parameter: str) -> bool:
    return parameter in signature(function).parameters


def _describe(function: str, first: Any, options: dict[str, Any]) -> str:
    """The call that makes the scorer, without options left at None."""
    shown = first if isinstance(first, str) else getattr(first, "name", None)
    text = repr(shown) if shown else getattr(first, "__name__", repr(first))
    given = [f"{name}={value!r}" for name, value in options.items() if value is not None]
    return f"{function}({', '.join([text, *given])})"


def make_fairness_scorer(
    notion_or_metric: str | FairnessNotion | Callable[..., float],
    *,
    measure: str = "difference",
    contrast: str = "population",
    groups: str = "intersectional",
    response_method: str | Sequence[str] = "predict",
    empty: str = "nan",
    greater_is_better: bool | None = None,
    sensitive_columns: Sequence[str | int] | None = None,
    pos_label: Any = None,
) -> _FairnessScorer:
    """A scorer of fairness for ``scoring=``, alone or in a dict.

    A notion's difference is ``max_a |rate_a - reference|``, negated so that greater is better, as
    in ``neg_log_loss``; its ratio is ``min_a min(rate_a / reference, reference / rate_a)``, 1 at
    parity.

    Parameters
    ----------
    notion_or_metric : str, FairnessNotion or callable
        A notion, or a metric ``f(y_true, y_pred, *, sensitive_features)`` such as fairlearn's.
    measure : {"difference", "ratio"}, default="difference"
    contrast : {"population", "groups"}, default="population"
        Each group against the whole population (the papers), or against each other (fairlearn).
    groups : {"intersectional", "independent"}, default="intersectional"
    response_method : str or sequence of str, default="predict"
        ``"predict"`` scores decisions, ``"predict_proba"`` the positive class's probability as a
        soft decision. A metric may also take ``"decision_function"``, or a sequence of methods,
        of which it gets the first that the model has.
    empty : {"nan", "raise", "skip"}, default="nan"
        What becomes of a group without the rows a rate needs: NaN with a warning, an error, or
        left out. A group with no row at all in the scored sample cannot be known of.
    greater_is_better : bool, optional
        Required for a metric; a notion's measure implies it.
    sensitive_columns : list of str or int, optional
        Columns of X that hold the groups, for tools that pass no metadata and while routing is
        off. Without it the groups come as ``sensitive_features``, which the scorer requests by
        default. With both, these columns are scored and the metadata goes to the estimator.
    pos_label : label, optional
        The positive decision; by default the second of the estimator's classes. A metric gets it
        as a keyword.

    Returns
    -------
    scorer : callable
        ``scorer(estimator, X, y, sensitive_features=None, sample_weight=None) -> float``.

    Raises
    ------
    ValueError
        If the notion or an option is unknown; when called, if neither channel gives the groups.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.dummy import DummyClassifier
    >>> X, y = np.array([[0], [0], [1], [1]]), np.array([0, 1, 0, 1])
    >>> model = DummyClassifier(strategy="constant", constant=1).fit(X, y)
    >>> scorer = make_fairness_scorer("demographic_parity", measure="ratio")
    >>> scorer(model, X, y, sensitive_features=["a", "a", "b", "b"])
    1.0
    >>> make_fairness_scorer("equal_opportunity", sensitive_columns=[0])(model, X, y)
    -0.0
    """
    shown: dict[str, Any] = {}
    metric, sign = notion_or_metric, 1 if greater_is_better else -1
    if isinstance(notion_or_metric, str | FairnessNotion):
        options = {"measure": measure, "contrast": contrast, "groups": groups, "empty": empty}
        metric = _notion_metric(notion_or_metric, options, response_method)
        sign = 1 if measure == "ratio" else -1
        if greater_is_better is not None and greater_is_better != (sign > 0):
            raise ValueError(
                f"greater_is_better={greater_is_better} contradicts measure={measure!r}: parity is "
                f"a {measure} of {1 if sign > 0 else 0}. Leave it out."
            )
        shown = {name: value for name, value in options.items() if value != OPTIONS[name][0]}
    elif greater_is_better is None or not callable(metric):
        raise ValueError(
            f"{notion_or_metric!r} is no notion ({list_notions()}); if it is a metric, say "
            f"greater_is_better=True (as for ratios) or False (as for differences)."
        )
    else:
        shown = {"greater_is_better": greater_is_better}
    if response_method != "predict":
        shown["response_method"] = response_method
    shown |= {"sensitive_columns": sensitive_columns, "pos_label": pos_label}
    return _FairnessScorer(
        metric,
        sign=sign,
        response_method=response_method,
        pos_label=pos_label,
        sensitive_columns=sensitive_columns,
        description=_describe("make_fairness_scorer", notion_or_metric, shown),
    )


def _notion_metric(
    notion: str | FairnessNotion, options: dict[str, str], response_method: str | Sequence[str]
) -> _Violation:
    notion = get_notion(notion)
    for name, value in options.items():
        if value not in OPTIONS[name]:
            raise ValueError(f"{name} must be one of {OPTIONS[name]}, got {value!r}.")
    if response_method not in ("predict", "predict_proba"):
        raise ValueError(
            f"response_method must be 'predict' or 'predict_proba' for a notion, whose decisions "
            f"lie in [0, 1]; got {response_method!r}."
        )
    return _Violation(notion, **options, soft=response_method == "predict_proba")


def make_aware_scorer(
    metric_or_name: str | Callable[..., Any] = "accuracy",
    *,
    response_method: str | Sequence[str] | None = None,
    greater_is_better: bool = True,
    sensitive_columns: Sequence[str | int] | None = None,
    **metric_kwargs: Any,
) -> RoutedScorer:
    """Any scikit-learn score, for models that use the sensitive features to predict.

    scikit-learn's built-in scorers never pass metadata to ``predict``, so such a model scores NaN
    in them. This one forwards to models that ask for it, and scores all others as usual.

    Parameters
    ----------
    metric_or_name : str, scorer or metric, default="accuracy"
        A name from `sklearn.metrics.get_scorer_names`, a scorer, or ``f(y_true, y_pred)``.
    response_method : str or list of str, optional
        For a metric; ``"predict"`` by default.
    greater_is_better : bool, default=True
        For a metric.
    sensitive_columns : list of str or int, optional
        Columns of X to forward when no sensitive features come as metadata and the estimator does
        not read its own.
    **metric_kwargs
        Passed to the metric.

    Returns
    -------
    scorer : callable
        ``scorer(estimator, X, y, sensitive_features=None, sample_weight=None) -> float``.

    Examples
    --------
    >>> make_aware_scorer("roc_auc")
    make_aware_scorer('roc_auc')
    """
    if isinstance(metric_or_name, RoutedScorer):
        return metric_or_name
    options = {"response_method": response_method, "sensitive_columns": sensitive_columns}
    description = _describe("make_aware_scorer", metric_or_name, {**options, **metric_kwargs})
    if isinstance(metric_or_name, str) or hasattr(metric_or_name, "set_score_request"):
        if response_method is not None or metric_kwargs or not greater_is_better:
            raise ValueError(
                f"{metric_or_name!r} is a finished scorer; response_method, greater_is_better and "
                f"metric options go with a metric function."
            )
        return _AwareScorer(get_scorer(metric_or_name), sensitive_columns, description)
    scorer = make_scorer(
        metric_or_name,
        response_method=response_method or "predict",
        greater_is_better=greater_is_better,
        **metric_kwargs,
    )
    return _AwareScorer(scorer, sensitive_columns, description)


def list_fairness_scorers() -> list[str]:
    """Names that `get_fairness_scorer` knows: each notion's negated difference and its ratio.

    Examples
    --------
    >>> list_fairness_scorers()[:2]
    ['neg_demographic_parity_difference', 'demographic_parity_ratio']
    """
    return [
        f"{prefix}{notion}_{measure}"
        for notion in list_notions()
        for prefix, measure in (("neg_", "difference"), ("", "ratio"))
    ]


def get_fairness_scorer(name: str, **options: Any) -> _FairnessScorer:
    """A ready-made fairness scorer by name.

    Parameters
    ----------
    name : str
        One of `list_fairness_scorers`.
    **options
        Of `make_fairness_scorer`, such as ``sensitive_columns``.

    Raises
    ------
    ValueError
        If the name is unknown; the message lists the known ones.

    Examples
    --------
    >>> get_fairness_scorer("equalized_odds_ratio")
    make_fairness_scorer('equalized_odds', measure='ratio')
    """
    if name not in list_fairness_scorers():
        raise ValueError(f"{name!r} is not one of {list_fairness_scorers()}.")
    notion, _, measure = name.removeprefix("neg_").rpartition("_")
    return make_fairness_scorer(notion, measure=measure, **options)
