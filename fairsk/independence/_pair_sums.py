"""Sums of a kernel over the edges of a neighbour graph."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fairsk.independence._kernels import PairKernel
from fairsk.independence._neighbors import NeighborGraph, PointCells, edge_pairs
from fairsk.independence._pair_features import PairFeatures

# Pairs computed at a time, so that memory does not grow with their number.
PAIRS_A_STEP = 1_000_000
# Cells with fewer rows are summed pair by pair, many cells at a time.
MIN_LARGE_CELL = 32


class PairSums:
    """Means of a kernel over neighbours, for any graph on the same rows.

    Parameters
    ----------
    kernel : PairKernel
    """

    def __init__(self, kernel: PairKernel) -> None:
        self.kernel = kernel
        self.diagonal = kernel.diagonal()
        self._features: PairFeatures | None = None
        self._knows_features = False

    def mean_over_neighbors(self, graph: NeighborGraph) -> float:
        """Mean over rows i of the weighted mean of ``k(i, j)`` over the neighbours j of i."""
        count = graph.cells.count
        total = float(graph.own_weight @ self._within(graph.cells))
        for edges in _steps(graph.cells, graph.source, graph.target):
            source, target = graph.source[edges], graph.target[edges]
            weight = np.repeat(graph.weight[edges], count[source] * count[target])
            total += float(self.kernel.pairs(*edge_pairs(graph.cells, source, target)) @ weight)
        return total / graph.cells.n_rows

    def mean_over_pairs(self, i: np.ndarray, j: np.ndarray) -> float:
        """Mean of ``k(i, j)`` over some pairs of rows."""
        return float(self.kernel.pairs(i, j).mean())

    def _within(self, cells: PointCells) -> np.ndarray:
        """Sum of k over the ordered pairs of different rows of each cell."""
        count = cells.count
        result = np.zeros(cells.n_cells)
        if cells.n_cells == cells.n_rows:
            return result
        limit = MIN_LARGE_CELL
        if count.max() > limit and not self._knows_features:
            self._features, self._knows_features = self.kernel.features(), True
        if self._features is not None:
            limit = max(limit, self._features.n_features)
        for size in np.unique(count[(count > 1) & (count <= limit)]):
            which = np.flatnonzero(count == size)
            result[which] = self._small(cells, which, int(size))
        large = np.flatnonzero(count > limit)
        if len(large) and self._features is not None:
            diagonal = np.add.reduceat(self.diagonal[cells.order], cells.start[:-1])
            result[large] = self._features.cell_sums(cells, large) - diagonal[large]
        elif len(large):
            result[large] = [self._large(cells, cell) for cell in large.tolist()]
        return result

    def _small(self, cells: PointCells, which: np.ndarray, size: int) -> np.ndarray:
        """Cells of one size, pair by pair."""
        first, second = np.triu_indices(size, 1)
        step = max(1, PAIRS_A_STEP // len(first))
        sums = []
        for part in range(0, len(which), step):
            start = cells.start[which[part : part + step]][:, None]
            i, j = cells.order[start + first].ravel(), cells.order[start + second].ravel()
            sums.append(self.kernel.pairs(i, j).reshape(-1, len(first)).sum(axis=1))
        return 2 * np.concatenate(sums)

    def _large(self, cells: PointCells, cell: int) -> float:
        """One cell, all its pairs, some rows at a time."""
        values = self.kernel.values[cells.order[cells.start[cell] : cells.start[cell + 1]]]
        step = max(1, PAIRS_A_STEP // len(values))
        total = 0.0
        for first in range(0, len(values), step):
            rows = values[first : first + step]
            total += 2 * float(self.kernel.gram(rows, values[first + len(rows) :]).sum())
            square = self.kernel.gram(rows, rows)
            total += float(square.sum() - np.trace(square))
        return total


def _steps(cells: PointCells, source: np.ndarray, target: np.ndarray) -> Iterator[slice]:
    """Runs of edges with about `PAIRS_A_STEP` pairs of rows each."""
    n_pairs = np.cumsum(cells.count[source] * cells.count[target])
    first = 0
    while first < len(source):
        done = n_pairs[first - 1] if first else 0
        last = max(first + 1, int(np.searchsorted(n_pairs, done + PAIRS_A_STEP, side="right")))
        yield slice(first, last)
        first = last
