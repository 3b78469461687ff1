"""What a classifier still reads of the groups from features, on rows held out."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def default_auditor(hidden_layer_sizes: Sequence[int], seed: int) -> Any:
    """A network as large as the sensitive classifier, on standardised features."""
    sizes = tuple(int(size) for size in hidden_layer_sizes) or (1,)
    return make_pipeline(
        StandardScaler(with_mean=False),
        MLPClassifier(sizes, alpha=0.1, max_iter=100, random_state=seed),
    )


def majority_share(train: np.ndarray, held_out: np.ndarray) -> float:
    """Share of held-out rows in the group that most training rows are in; NaN without any."""
    known = held_out >= 0
    if not known.any() or not (train >= 0).any():
        return float("nan")
    return float(np.mean(held_out[known] == np.bincount(train[train >= 0]).argmax()))


def accuracy_of_fresh(
    auditor: Any, X: Any, held_out_X: Any, groups: np.ndarray, held_out_groups: np.ndarray
) -> float:
    """Held-out accuracy of a clone that learns the groups (-1: unknown); NaN for one group."""
    known, held_out_known = groups >= 0, held_out_groups >= 0
    if len(np.unique(groups[known])) < 2 or not held_out_known.any():
        return float("nan")
    with warnings.catch_warnings():
        # An auditor that is still learning is as good as its accuracy.
        warnings.simplefilter("ignore", ConvergenceWarning)
        fresh = clone(auditor).fit(X[known], groups[known])
    predicted = fresh.predict(held_out_X[held_out_known])
    return float(np.mean(predicted == held_out_groups[held_out_known]))
