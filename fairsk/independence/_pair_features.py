"""Sums of a kernel over all pairs of rows of a cell, in time linear in its rows.

Where ``k(u, v) = sum_f w_f phi_f(u) phi_f(v)``, the sum of k over all pairs of a cell's rows is
``sum_f w_f (sum_i phi_f(u_i))^2``: the cell's sums of the features are all that is needed of it.
"""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterator

import numpy as np
from scipy import sparse

from fairsk.independence._neighbors import PointCells

# A Gaussian is below half a rounding error of its peak beyond so many standard deviations.
REACH = 8.7
# Beyond so many terms the series is given up: pairs are summed one by one.
MAX_TERMS = 4_000
# Numbers kept from call to call, and computed at a time (8 bytes each).
MAX_KEPT, MAX_AT_ONCE = 20_000_000, 4_000_000


class PairFeatures(ABC):
    """Features whose weighted inner product is a kernel.

    Attributes
    ----------
    n_features : int
        What a row costs: cells with fewer rows are faster pair by pair.
    """

    n_features: int

    @abstractmethod
    def cell_sums(self, cells: PointCells, which: np.ndarray) -> np.ndarray:
        """Sum of the kernel over all ordered pairs of rows of some cells, i = j included."""


class CountFeatures(PairFeatures):
    """A few distinct values: the counts of each, and the kernel between them.

    Parameters
    ----------
    code : ndarray of int of shape (n_rows,)
        Which of the values each row has.
    gram : ndarray of shape (n_values, n_values)
    """

    def __init__(self, code: np.ndarray, gram: np.ndarray) -> None:
        self.code, self.gram, self.n_features = code, gram, len(gram)

    def cell_sums(self, cells: PointCells, which: np.ndarray) -> np.ndarray:
        rows, start = cells.rows_of(which)
        cell = np.repeat(np.arange(len(which)), np.diff(start))
        size = self.n_features
        count = np.bincount(cell * size + self.code[rows], minlength=len(which) * size)
        count = count.reshape(len(which), size).astype(float)
        return np.einsum("cu,cu->c", count @ self.gram, count)


class EqualityFeatures(PairFeatures):
    """The kernel 1{u = v}, of any number of values.

    Parameters
    ----------
    code : ndarray of int of shape (n_rows,)
    """

    n_features = 16

    def __init__(self, code: np.ndarray) -> None:
        self.code, self.n_values = code, int(code.max()) + 1

    def cell_sums(self, cells: PointCells, which: np.ndarray) -> np.ndarray:
        rows, start = cells.rows_of(which)
        cell = np.repeat(np.arange(len(which)), np.diff(start))
        joint, count = np.unique(cell * self.n_values + self.code[rows], return_counts=True)
        return np.bincount(joint // self.n_values, count.astype(float) ** 2, len(which))


class LinearFeatures(PairFeatures):
    """The kernel ``u . v``.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_columns)
    """

    def __init__(self, values: np.ndarray) -> None:
        self.values, self.n_features = values, values.shape[1]

    def cell_sums(self, cells: PointCells, which: np.ndarray) -> np.ndarray:
        total = _indicator(cells, which) @ self.values
        return np.einsum("cf,cf->c", total, total)


class LaplaceScan(PairFeatures):
    """The kernel ``exp(-|u - v|)`` of one column, by a scan of the sorted values.

    For y_1 <= y_2 <= ..., the sum over j < i of exp(-(y_i - y_j)) is exp(-y_i) times a running
    sum of exp(y_j). Stretches of limited length keep the exponentials from overflowing.

    Parameters
    ----------
    values : ndarray of shape (n_rows,)
        Over the bandwidth.
    """

    n_features = 64
    _STRETCH = 300.0

    def __init__(self, values: np.ndarray) -> None:
        self.values = values

    def cell_sums(self, cells: PointCells, which: np.ndarray) -> np.ndarray:
        rows, start = cells.rows_of(which)
        values = self.values[rows]
        return np.array([self._scan(values[b:e]) for b, e in itertools.pairwise(start)])

    def _scan(self, values: np.ndarray) -> float:
        y = np.sort(values) - values.min()
        end = np.flatnonzero(np.diff(np.floor(y / self._STRETCH))) + 1
        total = carried = last = 0.0
        for part in np.split(y, end):
            # What earlier stretches contribute at this one's beginning.
            carried *= np.exp(last - part[0])
            shifted = part - part[0]
            running = carried + np.cumsum(np.exp(shifted))
            total += float(np.exp(-shifted) @ running) - len(part)
            carried, last = running[-1] * np.exp(-shifted[-1]), part[-1]
        return 2 * total + len(y)


class FourierFeatures(PairFeatures):
    r"""A Gaussian as a Fourier series, exact to rounding, of one or two columns.

    On an interval of length L, a Gaussian of standard deviation s equals its periodic
    continuation of period :math:`P = L + 8.7 s` to within rounding, whose Fourier coefficients are

    .. math:: a_m = \frac{s\sqrt{2\pi}}{P} \exp\bigl(-(2\pi m s / P)^2 / 2\bigr)

    and vanish beyond about 1.4 P / s (Poisson's summation formula). With the addition theorem,
    k(u, v) = sum_m a_m (cos cos + sin sin)(2 pi m ./P), all weights positive. Columns multiply.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_columns)
    bandwidth : float
        s.
    frequencies, weights
        As `series` returns them.
    """

    def __init__(self, values: np.ndarray, frequencies: np.ndarray, weights: np.ndarray) -> None:
        self.values, self.frequencies, self.weights = values, frequencies, weights
        self.n_features = 2 * len(weights)
        self._kept: list[tuple[np.ndarray, np.ndarray]] | None = None

    @classmethod
    def of(cls, values: np.ndarray, bandwidth: float) -> FourierFeatures | None:
        """The series for some values, or None where it has too many terms."""
        period = np.ptp(values, axis=0) + REACH * bandwidth
        n_terms = np.ceil(REACH * period / (2 * np.pi * bandwidth)) + 1
        # Half of the product of the columns' frequencies, negative ones included.
        if np.prod(2 * n_terms - 1) / 2 > MAX_TERMS:
            return None
        grids = [np.arange(0 if c == 0 else 1 - m, m) for c, m in enumerate(n_terms)]
        number = np.stack(np.meshgrid(*grids, indexing="ij"), axis=-1).reshape(-1, len(n_terms))
        frequencies = 2 * np.pi * number / period
        weights = np.prod(np.sqrt(2 * np.pi) * bandwidth / period) * np.exp(
            -((frequencies * bandwidth) ** 2).sum(axis=1) / 2
        )
        # The terms of m and -m are equal: half of them, twice.
        weights[number[:, 0] > 0] *= 2
        kept = weights > np.finfo(float).eps / 100 * weights.max()
        return cls(values - values.min(axis=0), frequencies[kept], weights[kept])

    def cell_sums(self, cells: PointCells, which: np.ndarray) -> np.ndarray:
        indicator = _indicator(cells, which)
        result = np.zeros(len(which))
        for weights, features in self._blocks():
            result += ((indicator @ features) ** 2) @ weights
        return result

    def _blocks(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Weights of some features, and these features of all rows."""
        if self._kept is None and len(self.values) * self.n_features <= MAX_KEPT:
            self._kept = list(self._compute())
        yield from self._compute() if self._kept is None else self._kept

    def _compute(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        size = max(1, MAX_AT_ONCE // (2 * len(self.values)))
        for first in range(0, len(self.weights), size):
            block = slice(first, first + size)
            phase = self.values @ self.frequencies[block].T
            features = np.concatenate([np.cos(phase), np.sin(phase)], axis=1)
            yield np.tile(self.weights[block], 2), features


def _indicator(cells: PointCells, which: np.ndarray) -> sparse.csr_matrix:
    """1 where a row is in a cell, of shape (n_which, n_rows)."""
    rows, start = cells.rows_of(which)
    shape = (len(which), cells.n_rows)
    return sparse.csr_matrix((np.ones(len(rows)), rows, start), shape=shape)
