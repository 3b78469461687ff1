"""Out-of-fold conditionals: each row's density comes from a fit that has not seen it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.model_selection import BaseCrossValidator, KFold, StratifiedKFold

from fairsk.independence._density import (
    Conditional,
    ConditionalDensity,
    ExponentialFamilyConditional,
    TableConditional,
)
from fairsk.independence._gaussian import GaussianConditional


class StackedConditional(Conditional):
    """Rows of several conditionals as one.

    Parameters
    ----------
    parts : sequence of Conditional
    rows : sequence of ndarray of int
        For each part, which rows of the whole are its rows, in order.
    """

    def __init__(self, parts: Sequence[Conditional], rows: Sequence[np.ndarray]) -> None:
        self.parts = list(parts)
        self._n_rows = sum(len(part_rows) for part_rows in rows)
        self._part = np.empty(self._n_rows, dtype=np.intp)
        self._row = np.empty(self._n_rows, dtype=np.intp)
        for number, part_rows in enumerate(rows):
            self._part[part_rows] = number
            self._row[part_rows] = np.arange(len(part_rows))

    @property
    def n_rows(self) -> int:
        return self._n_rows

    def log_prob(self, target: np.ndarray, rows: np.ndarray) -> np.ndarray:
        result = np.empty(len(rows))
        part = self._part[rows]
        for number, conditional in enumerate(self.parts):
            mine = np.flatnonzero(part == number)
            if len(mine):
                result[mine] = conditional.log_prob(target[mine], self._row[rows[mine]])
        return result


def stack_conditionals(parts: Sequence[Conditional], rows: Sequence[np.ndarray]) -> Conditional:
    """Join conditionals of disjoint rows, keeping the fast families.

    Parameters
    ----------
    parts : sequence of Conditional
    rows : sequence of ndarray of int
        The rows of each part; together 0, ..., n - 1.

    Returns
    -------
    Conditional

    Raises
    ------
    ValueError
        If parts are tables of different classes.

    Examples
    --------
    >>> parts = [GaussianConditional(np.zeros(2), np.ones(2)),
    ...          GaussianConditional(np.ones(1), np.ones(1))]
    >>> stacked = stack_conditionals(parts, [np.array([0, 2]), np.array([1])])
    >>> stacked.mean.tolist()
    [0.0, 1.0, 0.0]
    """
    if all(isinstance(part, GaussianConditional) for part in parts):
        return GaussianConditional(
            *(_interleave([getattr(p, name) for p in parts], rows) for name in ("mean", "scale"))
        )
    if all(isinstance(part, TableConditional) for part in parts):
        return _stack_tables(parts, rows)
    if all(isinstance(part, ExponentialFamilyConditional) for part in parts):
        return _stack_families(parts, rows) or StackedConditional(parts, rows)
    return StackedConditional(parts, rows)


def cross_fit_conditional(
    density: ConditionalDensity,
    given: np.ndarray,
    target: np.ndarray,
    *,
    cv: int | BaseCrossValidator | Iterable = 5,
    sample_weight: np.ndarray | None = None,
    random_state: int | np.random.RandomState | None = None,
) -> Conditional:
    """Condition every row on a density fitted without it.

    Parameters
    ----------
    density : ConditionalDensity
        Unfitted; it is cloned for each fold.
    given : ndarray of shape (n, n_features)
    target : ndarray of shape (n,) or (n, n_outputs)
    cv : int, splitter or iterable of (train, test), default=5
        A number means shuffled folds, with like shares of the classes where the target has them.
    sample_weight : ndarray of shape (n,), optional
    random_state : int, RandomState instance or None, default=None
        Shuffles the folds.

    Returns
    -------
    Conditional
        Of all n rows.

    Raises
    ------
    ValueError
        If the test folds are not a partition of the rows.

    Examples
    --------
    >>> from fairsk.independence import LinearGaussianDensity
    >>> rng = np.random.default_rng(0)
    >>> given = rng.normal(size=(60, 2))
    >>> target = given.sum(axis=1) + rng.normal(size=60)
    >>> cross_fit_conditional(LinearGaussianDensity(), given, target, random_state=0).n_rows
    60
    """
    parts, rows = [], []
    for train, test in split_folds(density, given, target, cv, random_state):
        weight = None if sample_weight is None else sample_weight[train]
        fitted = clone(density).fit(given[train], target[train], sample_weight=weight)
        parts.append(fitted.condition(given[test]))
        rows.append(np.asarray(test))
    return stack_conditionals(parts, rows)


def split_folds(
    density: ConditionalDensity, given: np.ndarray, target: np.ndarray, cv: Any, random_state: Any
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Folds whose test rows are a partition of all rows."""
    if isinstance(cv, int | np.integer):
        folds = StratifiedKFold if density.discrete_target else KFold
        if density.discrete_target:
            _check_class_sizes(target, int(cv))
        cv = folds(int(cv), shuffle=True, random_state=random_state)
    if hasattr(cv, "split"):
        cv = cv.split(given, target)
    splits = [(np.asarray(train), np.asarray(test)) for train, test in cv]
    tests = np.concatenate([test for _, test in splits]) if splits else np.empty(0, dtype=int)
    if not np.array_equal(np.sort(tests), np.arange(len(given))):
        raise ValueError(
            f"cv must test every row once, but its test folds hold {len(tests)} rows, "
            f"{len(np.unique(tests))} of them different, of {len(given)}. Use KFold, not a "
            f"splitter that draws test sets at random."
        )
    return splits


def _check_class_sizes(target: np.ndarray, n_folds: int) -> None:
    classes, counts = np.unique(target, return_counts=True)
    rarest = classes.tolist()[counts.argmin()]
    if counts.min() < 2:
        raise ValueError(
            f"Cross-fitting needs every class in every training fold, but the class {rarest!r} has "
            f"one row. Merge rare classes, or set cv=None."
        )
    if counts.min() < n_folds:
        raise ValueError(
            f"cv={n_folds} folds, but the class {rarest!r} has {counts.min()} rows. Use fewer "
            f"folds, or merge rare classes."
        )


def _stack_tables(parts: Sequence[Any], rows: Sequence[np.ndarray]) -> TableConditional:
    classes = parts[0].classes
    for part in parts[1:]:
        if not np.array_equal(part.classes, classes):
            raise ValueError(
                f"A fold has the classes {part.classes.tolist()}, another {classes.tolist()}. "
                f"Every class must be in every training fold: use StratifiedKFold, or merge rare "
                f"classes."
            )
    return TableConditional(classes, _interleave([part.log_probabilities for part in parts], rows))


def _stack_families(
    parts: Sequence[Any], rows: Sequence[np.ndarray]
) -> ExponentialFamilyConditional | None:
    """One family, if the parts share statistics and base measure; otherwise these do not cancel."""
    first = parts[0]
    shared = all(
        part.statistics is first.statistics
        and part.log_base is first.log_base
        and type(part) is ExponentialFamilyConditional
        for part in parts
    )
    if not shared:
        return None
    normalizers = [part.log_normalizer for part in parts]
    known = all(normalizer is not None for normalizer in normalizers)
    return ExponentialFamilyConditional(
        first.statistics,
        _interleave([part.natural for part in parts], rows),
        _interleave(normalizers, rows) if known else None,
        first.log_base,
    )


def _interleave(parts: Sequence[np.ndarray], rows: Sequence[np.ndarray]) -> np.ndarray:
    result = np.empty((sum(len(part) for part in parts), *parts[0].shape[1:]))
    for part, part_rows in zip(parts, rows, strict=True):
        result[part_rows] = part
    return result
