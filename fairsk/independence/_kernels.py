"""Kernels on the values of U."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np
from scipy.spatial.distance import cdist

from fairsk.independence._median import median_distance
from fairsk.independence._neighbors import PointCells
from fairsk.independence._pair_features import (
    CountFeatures,
    EqualityFeatures,
    FourierFeatures,
    LaplaceScan,
    LinearFeatures,
    PairFeatures,
)

# With so few distinct values, a cell's counts of them say all about it.
MAX_VALUES_COUNTED = 128
# A direction with less than this share of the variance is a rounding error.
FLAT = 1e-15


class PairKernel(ABC):
    """A kernel whose arguments are rows of one array.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_columns)
    """

    def __init__(self, values: np.ndarray) -> None:
        self.values = values

    @abstractmethod
    def gram(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """k of all rows of one array with all rows of another."""

    @abstractmethod
    def pairs(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        """k of pairs of rows; (m,) and (m,) -> (m,)."""

    def diagonal(self) -> np.ndarray:
        """k of every row with itself, of shape (n_rows,)."""
        return np.ones(len(self.values))

    def take(self, rows: np.ndarray) -> PairKernel:
        """The same kernel, bandwidth included, on some of the rows."""
        taken = copy.copy(self)
        taken.values = self.values[rows]
        return taken

    def features(self) -> PairFeatures | None:
        """Features whose inner product is k, where there are few enough."""
        cells = PointCells.of_points(self.values)
        if cells.n_cells > MAX_VALUES_COUNTED:
            return self._features()
        distinct = self.values[cells.example]
        return CountFeatures(cells.code, self.gram(distinct, distinct))

    def _features(self) -> PairFeatures | None:
        """The same for many distinct values."""
        return None


class _DistanceKernel(PairKernel):
    """A kernel of the Euclidean distance over a bandwidth."""

    def __init__(self, values: np.ndarray, bandwidth: float) -> None:
        super().__init__(_in_full_rank(values))
        self.bandwidth = bandwidth

    def gram(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        return self._of_square(cdist(first, second, "sqeuclidean"))

    def pairs(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        square = np.zeros(len(i))
        for column in self.values.T:
            square += (column[i] - column[j]) ** 2
        return self._of_square(square)

    @abstractmethod
    def _of_square(self, square: np.ndarray) -> np.ndarray:
        """k at squared distances."""


class GaussianKernel(_DistanceKernel):
    """``exp(-|u - v|^2 / (2 s^2))``."""

    def _of_square(self, square: np.ndarray) -> np.ndarray:
        return np.exp(-0.5 / self.bandwidth**2 * square)

    def _features(self) -> PairFeatures | None:
        return FourierFeatures.of(self.values, self.bandwidth)


class LaplaceKernel(_DistanceKernel):
    """``exp(-|u - v| / s)``."""

    def _of_square(self, square: np.ndarray) -> np.ndarray:
        return np.exp(-np.sqrt(square) / self.bandwidth)

    def _features(self) -> PairFeatures | None:
        if self.values.shape[1] > 1:
            return None
        return LaplaceScan(self.values[:, 0] / self.bandwidth)


class LinearKernel(PairKernel):
    """``u . v``, of the values as they are."""

    def gram(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        return first @ second.T

    def pairs(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        return np.einsum("ij,ij->i", self.values[i], self.values[j])

    def diagonal(self) -> np.ndarray:
        return np.einsum("ij,ij->i", self.values, self.values)

    def _features(self) -> PairFeatures:
        return LinearFeatures(self.values)


class DiscreteKernel(PairKernel):
    """1 where all columns are equal, else 0."""

    def gram(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        return (first[:, None] == second).all(axis=2).astype(float)

    def pairs(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        return (self.values[i] == self.values[j]).all(axis=1).astype(float)

    def _features(self) -> PairFeatures:
        return EqualityFeatures(PointCells.of_points(self.values).code)


class CallableKernel(PairKernel):
    """A function of corresponding rows: (m, n_columns) twice -> (m,)."""

    def __init__(self, values: np.ndarray, function: Callable[..., np.ndarray]) -> None:
        super().__init__(values)
        self.function = function

    def gram(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        n, m = len(first), len(second)
        return self._call(np.repeat(first, m, axis=0), np.tile(second, (n, 1))).reshape(n, m)

    def pairs(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        return self._call(self.values[i], self.values[j])

    def diagonal(self) -> np.ndarray:
        return self._call(self.values, self.values)

    def _call(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        result = np.asarray(self.function(first, second), dtype=float)
        if result.shape != (len(first),) or not np.isfinite(result).all():
            raise ValueError(
                f"kernel must take two arrays of shape (m, {first.shape[1]}) and return a finite "
                f"value for each of the m pairs of rows; for m = {len(first)} it returned shape "
                f"{result.shape}{'' if np.isfinite(result).all() else ' with NaN or infinity'}."
            )
        return result


KERNELS: dict[str, type[PairKernel]] = {
    "gaussian": GaussianKernel,
    "laplace": LaplaceKernel,
    "linear": LinearKernel,
    "discrete": DiscreteKernel,
}


def make_kernel(
    values: np.ndarray,
    kernel: str | Callable[..., np.ndarray] = "gaussian",
    bandwidth: str | float = "median",
) -> PairKernel:
    """A kernel on the rows of an array.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_columns)
    kernel : {"gaussian", "laplace", "linear", "discrete"} or callable
    bandwidth : "median" or float
        Of the kernels of a distance; the others have none.

    Returns
    -------
    PairKernel

    Raises
    ------
    ValueError
        If the kernel is unknown or the bandwidth is not positive.
    """
    if not callable(kernel) and kernel not in KERNELS:
        raise ValueError(
            f"kernel must be one of {list(KERNELS)} or a function of two arrays of rows, got "
            f"{kernel!r}."
        )
    is_number = isinstance(bandwidth, float | int | np.number) and not isinstance(bandwidth, bool)
    if bandwidth != "median" and not (is_number and 0 < float(bandwidth) < np.inf):
        raise ValueError(f"bandwidth must be 'median' or a positive number, got {bandwidth!r}.")
    if callable(kernel):
        return CallableKernel(values, kernel)
    cls = KERNELS[kernel]
    if not issubclass(cls, _DistanceKernel):
        return cls(values)
    scale = _median_bandwidth(values) if bandwidth == "median" else float(bandwidth)
    return cls(values, scale)


def _median_bandwidth(values: np.ndarray) -> float:
    """Median distance; of different rows alone where most pairs are equal; 1 for a constant."""
    points = _in_full_rank(values)
    return median_distance(points) or median_distance(points, positive=True) or 1.0


def _in_full_rank(values: np.ndarray) -> np.ndarray:
    """The same distances in as few columns as there are: (p, 1 - p) is one-dimensional."""
    if values.shape[1] == 1:
        return values
    centred = values - values.mean(axis=0)
    variance, directions = np.linalg.eigh(centred.T @ centred)
    kept = variance > FLAT * len(variance) * variance[-1]
    if kept.all() or not kept.any():
        return values
    return centred @ directions[:, kept]
