"""What happened to each row: its part in a rate under one model, or a flip between two."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fairsk.audit._models import check_target, decisions_of, is_estimator, predictions_of
from fairsk.metrics import inform, notion_of_rates
from fairsk.notions import GroupRate
from fairsk.utils import check_same_rows


@dataclass(frozen=True)
class Outcome:
    """Rows divided in two.

    Attributes
    ----------
    used : ndarray of bool of shape (n_samples,)
        Rows that the rate is conditional on.
    before : ndarray of bool of shape (n_samples,) or None
        Whether the row counts in the rate under the baseline.
    after : ndarray of bool of shape (n_samples,)
        Whether it does under the model.
    """

    used: np.ndarray
    before: np.ndarray | None
    after: np.ndarray

    @property
    def tested(self) -> np.ndarray:
        """Rows whose two sides are compared: those that flipped, or all that are used."""
        return self.used if self.before is None else self.used & (self.before != self.after)


def make_outcome(
    model: Any,
    baseline: Any,
    X: Any,
    y: Any,
    rate: GroupRate,
    prediction_features: Any,
    options: dict[str, Any],
) -> Outcome:
    """Ask the model, and the baseline where there is one, about all rows.

    Raises
    ------
    ValueError
        If the rate needs labels and there are none, or the decisions are none.
    """
    models = {"the model": model} | ({} if baseline is None else {"the baseline": baseline})
    if y is None:
        if not _is_of_decisions(rate):
            raise ValueError(
                f"y is missing: the {rate.name} holds decisions against labels. Give y, or use "
                f"rate='selection_rate'."
            )
        found = [_decisions(one, X, prediction_features, options, n) for n, one in models.items()]
        used = np.ones(len(found[0]), dtype=bool)
        return Outcome(used, found[1] if len(found) > 1 else None, found[0])
    labels = y.toarray() if hasattr(y, "toarray") else np.asarray(y)
    if labels.ndim == 2:
        raise ValueError("y has several tasks; audit one at a time.")
    if options["pos_label"] is None and options["threshold"] is None and counts_errors(rate):
        # Right or wrong is defined for any number of classes.
        wrong = []
        for name, one in models.items():
            predicted = _labels_of(one, X, prediction_features)
            check_same_rows(y=labels, **{predictions_of(name): predicted})
            _check_are_labels(predicted, labels, name)
            wrong.append(predicted != labels)
        used = np.ones(len(labels), dtype=bool)
        return Outcome(used, wrong[1] if baseline is not None else None, wrong[0])
    labels, pos_label = check_target(labels, options["pos_label"])
    parts, codes = [], labels
    for name, one in models.items():
        codes, decision = decisions_of(
            one,
            X,
            labels,
            prediction_features,
            threshold=options["threshold"],
            pos_label=pos_label,
            name=name,
        )
        if not np.isin(decision, (0, 1)).all():
            raise ValueError(f"Decisions of {name} must be labels; give a threshold for scores.")
        gain, offset = np.asarray(rate.gain)[codes], np.asarray(rate.offset)[codes]
        parts.append((gain * decision + offset) > 0.5)
    used = np.asarray(rate.condition)[codes] > 0
    return Outcome(used, parts[1] if baseline is not None else None, parts[0])


def resolve_rate(rate: Any) -> GroupRate:
    """One rate by name.

    Raises
    ------
    ValueError
        If it is none, or a notion of several rates.
    """
    rates = (rate,) if isinstance(rate, GroupRate) else notion_of_rates(rate).rates
    if len(rates) != 1:
        raise ValueError(f"rate={rate!r} has {len(rates)} rates; audit one at a time.")
    return rates[0]


def counts_errors(rate: GroupRate) -> bool:
    """Whether it is the share of wrong decisions."""
    return (tuple(rate.gain), tuple(rate.offset), tuple(rate.condition)) == (
        (1, -1),
        (0, 1),
        (1, 1),
    )


def _is_of_decisions(rate: GroupRate) -> bool:
    """Whether labels do not matter."""
    return rate.gain[0] == rate.gain[1] and not any(rate.offset) and len(set(rate.condition)) == 1


def _labels_of(model: Any, X: Any, features: Any) -> np.ndarray:
    if not is_estimator(model):
        return np.asarray(model)
    if X is None:
        raise ValueError("X is missing: an estimator has to predict.")
    return np.asarray(inform(model, features).predict(X))


def _decisions(model: Any, X: Any, features: Any, options: dict[str, Any], name: str) -> np.ndarray:
    """Without labels: as if every row were positive, which the rate does not see."""
    predicted = model if is_estimator(model) else np.asarray(model)
    if options["threshold"] is not None:
        n_rows = len(predicted) if not is_estimator(model) else X.shape[0]
        ones = np.ones(n_rows, dtype=np.intp)
        _, decision = decisions_of(
            predicted, X, ones, features, threshold=options["threshold"], pos_label=1, name=name
        )
        return decision > 0.5
    predicted = _labels_of(model, X, features)
    values = sorted(set(predicted.tolist()), key=str)
    positive = options["pos_label"]
    if positive is None:
        if len(values) > 2:
            raise ValueError(
                f"{predictions_of(name)} have {len(values)} values; give pos_label for one class, "
                f"or threshold for scores."
            )
        classes = getattr(model, "classes_", None)
        positive = classes[-1] if isinstance(classes, np.ndarray) else max(values)
    return predicted == positive


def _check_are_labels(predicted: np.ndarray, labels: np.ndarray, name: str) -> None:
    if predicted.dtype.kind == "f" and not np.isin(predicted, labels).all():
        strange = predicted[~np.isin(predicted, labels)][0]
        raise ValueError(
            f"{predictions_of(name)} are scores (such as {strange:.4g}), not labels of y. Give "
            f"threshold=0.5 to turn them into decisions."
        )
