"""Training, validation and test rows, as people hold them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from fairsk.metrics import check_weight
from fairsk.utils import (
    GroupEncoder,
    Groups,
    SensitiveFeatures,
    check_same_rows,
    check_sensitive_features,
)

KEYS = ("X", "y", "sensitive_features", "sample_weight", "prediction_features")


@dataclass(frozen=True)
class Split:
    """Rows of one split.

    Attributes
    ----------
    name : str
    X : array-like or None
    y : ndarray of shape (n_samples,) or (n_samples, n_tasks)
    prediction_features : array-like
        What estimators that use sensitive features are given.
    groups : Groups
        Of the same families in every split.
    weight : ndarray of shape (n_samples,) or None
    tasks : tuple of str
        Names of the columns of y; empty where it has one.
    """

    name: str
    X: Any
    y: np.ndarray
    prediction_features: Any
    groups: Groups
    weight: np.ndarray | None
    tasks: tuple[str, ...] = ()

    @property
    def counted(self) -> np.ndarray:
        """Rows of positive weight."""
        return np.ones(len(self.y), dtype=bool) if self.weight is None else self.weight > 0


def make_splits(given: Mapping[str, Any], *, groups: str) -> list[Split]:
    """Validate splits; those that are None are left out.

    Parameters
    ----------
    given : mapping of str to tuple or mapping
        ``(X, y, sensitive_features)``, with ``sample_weight`` as a fourth, or a mapping with these
        names and ``prediction_features``. X may be None where predictions are given.
    groups : {"intersectional", "independent"}

    Returns
    -------
    list of Split

    Raises
    ------
    ValueError, TypeError
        If a split is not one of these, rows do not match, or no split is left to compare with.
    """
    parts = {name: _parts(name, value) for name, value in given.items() if value is not None}
    if len(parts) < 2:
        raise ValueError("Give held-out rows too: validation=, test= or both.")
    features = {}
    for name, (X, y, sensitive, weight, known) in parts.items():
        check_same_rows(**{f"{name} X": X, f"{name} y": y, f"{name} sensitive_features": sensitive})
        check_same_rows(
            **{
                f"{name} y": y,
                f"{name} sample_weight": weight,
                f"{name} prediction_features": known,
            }
        )
        features[name] = check_sensitive_features(sensitive)
    names = {split: feature.names for split, feature in features.items()}
    if len({len(of_split) for of_split in names.values()}) > 1:
        raise ValueError(f"The splits have different sensitive features: {names}.")
    # Groups of all rows: a split may lack one.
    encoder = GroupEncoder(groups).fit(_stacked(list(features.values()))).check_not_constant()
    return [
        Split(
            name,
            X,
            _as_labels(y),
            sensitive if known is None else known,
            encoder.transform(features[name]),
            check_weight(weight),
            _task_names(y),
        )
        for name, (X, y, sensitive, weight, known) in parts.items()
    ]


def _parts(name: str, value: Any) -> tuple[Any, ...]:
    if isinstance(value, Mapping):
        unknown = [key for key in value if key not in KEYS]
        missing = [key for key in ("y", "sensitive_features") if value.get(key) is None]
        if unknown or missing:
            raise ValueError(
                f"{name} must be a mapping with {list(KEYS)}; it has {list(value)}"
                f"{f' and lacks {missing}' if missing else ''}."
            )
        parts = tuple(value.get(key) for key in KEYS)
    elif isinstance(value, tuple) and len(value) in (3, 4):
        parts = (*value, None, None)[: len(KEYS)]
    else:
        raise TypeError(
            f"{name} must be a tuple (X, y, sensitive_features) or (X, y, sensitive_features, "
            f"sample_weight), or a mapping with these names; got {type(value).__name__}."
        )
    return parts


def _as_labels(y: Any) -> np.ndarray:
    labels = y.toarray() if hasattr(y, "toarray") else np.asarray(y)
    return labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels


def _task_names(y: Any) -> tuple[str, ...]:
    shape = getattr(y, "shape", np.shape(y))
    if len(shape) < 2 or shape[1] == 1:
        return ()
    return tuple(
        str(name) for name in getattr(y, "columns", [f"task {t}" for t in range(shape[1])])
    )


def _stacked(features: list[SensitiveFeatures]) -> SensitiveFeatures:
    first = features[0]
    positions = range(len(first.columns))
    return SensitiveFeatures(
        tuple(np.concatenate([f.columns[j].astype(object) for f in features]) for j in positions),
        tuple(np.concatenate([f.missing[j] for f in features]) for j in positions),
        first.names,
        first.named,
    )
