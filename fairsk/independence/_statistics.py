"""Test statistics of predictions, sensitive features and label, for many copies of the features."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np

from fairsk.independence._hgr import MaximalCorrelation, as_levels
from fairsk.independence._kernel_partial_correlation import PartialCorrelation, check_neighbors
from fairsk.independence._kernels import make_kernel
from fairsk.independence._neighbors import PointCells
from fairsk.independence._points import as_points
from fairsk.notions import CellMasses, get_notion
from fairsk.utils import GroupEncoder, SensitiveFeatures

N_GRID = 40


class Statistic(ABC):
    """Large where predictions depend on the sensitive features given the label.

    Made for the predictions of several models, so that what depends on the copy alone is computed
    once for all of them, and what does not depend on it, once for all copies.
    """

    @abstractmethod
    def __call__(self, permutation: np.ndarray) -> list[float]:
        """The statistic of each model with ``A[permutation]`` in the place of A."""


class KernelPartialCorrelationStatistic(Statistic):
    """`equalized_odds_kpc`: bandwidths, T(Y) and the cells of Y and of A are the same in copies."""

    def __init__(
        self, label: np.ndarray, outputs: list, features: SensitiveFeatures, **options: Any
    ) -> None:
        n_neighbors = options.get("n_neighbors", 1)
        check_neighbors(n_neighbors, features.n_samples)
        kernel, bandwidth = options.get("kernel", "gaussian"), options.get("bandwidth", "median")
        given = as_points(label, "y_true", standardize=True)
        self._coefficients = [
            PartialCorrelation(
                make_kernel(as_points(output, "y_pred"), kernel, bandwidth),
                given,
                n_neighbors=n_neighbors,
            )
            for output in outputs
        ]
        points = as_points(features, "sensitive_features", standardize=True)
        cells = PointCells.of_points(points)
        self._code, self._points = cells.code, points[cells.example]

    def __call__(self, permutation: np.ndarray) -> list[float]:
        graph = self._coefficients[0].joint_graph(self._code[permutation], self._points)
        return [coefficient.of_graph(graph) for coefficient in self._coefficients]


class MaximalCorrelationStatistic(Statistic):
    """`hgr_correlation` given the label, mean over columns."""

    def __init__(
        self, label: np.ndarray, outputs: list, features: SensitiveFeatures, **options: Any
    ) -> None:
        n_grid = options.get("n_grid", N_GRID)
        self._coefficients = [
            MaximalCorrelation(
                as_points(output, "y_pred", codes=True),
                as_points(label, "y_true", codes=True),
                aggregate=options.get("aggregate", "mean"),
                relaxation=options.get("relaxation"),
                n_grid=n_grid,
            )
            for output in outputs
        ]
        columns = as_points(features, "sensitive_features", codes=True).T
        self._levels = [as_levels(column, n_grid) for column in columns]

    def __call__(self, permutation: np.ndarray) -> list[float]:
        copies = [level[:, permutation] for level in self._levels]
        return [
            float(np.mean([coefficient.of_levels(level) for level in copies]))
            for coefficient in self._coefficients
        ]


class OddsStatistic(Statistic):
    """DEO of binary decisions: `fairsk.metrics.deo`, the rates of empty cells left out."""

    def __init__(self, label: np.ndarray, outputs: list, features: SensitiveFeatures) -> None:
        pairs = [_binary(label, np.asarray(output)) for output in outputs]
        self._label, self._decisions = pairs[0][0], [decision for _, decision in pairs]
        groups = GroupEncoder("intersectional").fit_transform(features.check_discrete())
        self._group = groups.flat_codes()[:, 0]
        self._n_groups, self._family_of = groups.n_groups, np.zeros(groups.n_groups, dtype=np.intp)
        self._notion = get_notion("equalized_odds")

    def __call__(self, permutation: np.ndarray) -> list[float]:
        cell = self._label * self._n_groups + self._group[permutation]
        total = self._by_cell(cell, None)
        return [self._value(self._by_cell(cell, each), total) for each in self._decisions]

    def _by_cell(self, cell: np.ndarray, values: np.ndarray | None) -> np.ndarray:
        sums = np.bincount(cell, values, 2 * self._n_groups)
        return sums.reshape(2, self._n_groups).astype(float)

    def _value(self, selected: np.ndarray, total: np.ndarray) -> float:
        masses = CellMasses(selected, total, self._family_of)
        return float(np.nansum(np.abs(self._notion.disparities(masses))))


class CustomStatistic(Statistic):
    """A function ``statistic(y_pred, A, y)``.

    Parameters
    ----------
    label : ndarray of shape (n_rows,)
    outputs : list of ndarray
    take : callable
        From a permutation to A in the container that the user passed.
    function : callable
    """

    def __init__(
        self,
        label: np.ndarray,
        outputs: list,
        take: Callable[[np.ndarray], Any],
        function: Callable[[Any, Any, Any], float],
    ) -> None:
        self._label, self._outputs, self._take, self._function = label, outputs, take, function

    def __call__(self, permutation: np.ndarray) -> list[float]:
        features = self._take(permutation)
        return [self._value(output, features) for output in self._outputs]

    def _value(self, output: np.ndarray, features: Any) -> float:
        value = self._function(output, features, self._label)
        if np.ndim(value) or not np.isfinite(float(value)):
            raise ValueError(f"statistic(y_pred, A, y) must return a finite number, got {value!r}.")
        return float(value)


STATISTICS: dict[str, Callable[..., Statistic]] = {
    "kpc": KernelPartialCorrelationStatistic,
    "hgr": MaximalCorrelationStatistic,
    "deo": OddsStatistic,
}
OPTIONS: dict[str, tuple[str, ...]] = {
    "kpc": ("kernel", "bandwidth", "n_neighbors"),
    "hgr": ("aggregate", "relaxation", "n_grid"),
    "deo": (),
}


def check_statistic(statistic: str | Callable, options: dict[str, Any]) -> str:
    """The name of a statistic; refuse an unknown one, or options that it does not have."""
    known: tuple[str, ...] = ()
    if callable(statistic):
        name = getattr(statistic, "__name__", "custom")
    elif isinstance(statistic, str) and statistic.lower() in STATISTICS:
        name = statistic.lower()
        known = OPTIONS[name]
    else:
        raise ValueError(
            f"statistic must be one of {list(STATISTICS)} or a function statistic(y_pred, A, y) "
            f"that is large where they are dependent, got {statistic!r}."
        )
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise ValueError(f"statistic {name!r} takes the options {list(known)}, not {unknown}.")
    return name


def _binary(y_true: np.ndarray, y_pred: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Labels as 0 and 1, and decisions in [0, 1]."""
    labels = np.unique(y_true)
    if len(labels) != 2 or y_pred.ndim != 1:
        raise ValueError(
            f"statistic='deo' is for two labels and one decision a row; y_true has {len(labels)} "
            f"values and y_pred the shape {y_pred.shape}. Use statistic='kpc'."
        )
    if np.isin(y_pred, labels).all():
        decision = (y_pred == labels[1]).astype(float)
    elif y_pred.dtype.kind in "iufb" and y_pred.min() >= 0 and y_pred.max() <= 1:
        decision = y_pred.astype(float)
    else:
        raise ValueError(
            f"statistic='deo' needs y_pred of the labels of y_true, {labels.tolist()}, or "
            f"decisions in [0, 1]. Use statistic='kpc' for other predictions."
        )
    return (y_true == labels[1]).astype(np.intp), decision
