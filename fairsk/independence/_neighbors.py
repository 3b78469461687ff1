"""Nearest-neighbour graphs on data with duplicates, in which ties are shared equally."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fairsk.independence._search import TIE, nearest_others


@dataclass(frozen=True)
class PointCells:
    """Rows that are the same point form a cell.

    Attributes
    ----------
    code : ndarray of int of shape (n_rows,)
        The cell of each row.
    order : ndarray of int of shape (n_rows,)
        Rows, sorted by cell.
    start : ndarray of int of shape (n_cells + 1,)
        Cell c has the rows ``order[start[c] : start[c + 1]]``.
    """

    code: np.ndarray
    order: np.ndarray
    start: np.ndarray

    @property
    def n_rows(self) -> int:
        return len(self.code)

    @property
    def n_cells(self) -> int:
        return len(self.start) - 1

    @property
    def count(self) -> np.ndarray:
        """Rows in each cell."""
        return np.diff(self.start)

    @property
    def example(self) -> np.ndarray:
        """One row of each cell."""
        return self.order[self.start[:-1]]

    def rows_of(self, which: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rows of some cells, one cell after the other, and where each begins (and the end)."""
        if len(which) == self.n_cells:
            return self.order, self.start
        count = self.count[which]
        begin = np.concatenate([[0], np.cumsum(count)])
        shift = np.repeat(self.start[which] - begin[:-1], count)
        return self.order[shift + np.arange(begin[-1])], begin

    @classmethod
    def of_codes(cls, code: np.ndarray) -> PointCells:
        """Cells of the rows that have the same code."""
        order = np.argsort(code, kind="stable")
        sorted_code = code[order]
        return cls._of_sorted(order, sorted_code[1:] != sorted_code[:-1])

    @classmethod
    def of_points(cls, points: np.ndarray) -> PointCells:
        """Cells of the rows that are equal in all columns; (n_rows, n_columns)."""
        order = np.lexsort(points.T)
        ordered = points[order]
        return cls._of_sorted(order, (ordered[1:] != ordered[:-1]).any(axis=1))

    @classmethod
    def _of_sorted(cls, order: np.ndarray, differs: np.ndarray) -> PointCells:
        code = np.empty(len(order), dtype=np.intp)
        code[order] = np.concatenate([[0], np.cumsum(differs)])
        start = np.concatenate([[0], np.flatnonzero(differs) + 1, [len(order)]])
        return cls(code, order, start)

    def crossed_with(self, code: np.ndarray) -> PointCells:
        """Cells of the rows that are equal here and have the same code there."""
        if self.n_cells == self.n_rows:
            return self
        return PointCells.of_codes(self.code * (code.max() + 1) + code)


@dataclass(frozen=True)
class NeighborGraph:
    """K nearest neighbours of every row; where several are equally near, each counts in part.

    Let a row's K-th nearest distance be r, with a rows nearer than r and b rows at r. If ties are
    broken at random, each of the a is a neighbour, and each of the b is one with probability
    (K - a) / b. The weights here are these probabilities over K, so that a weighted sum over
    neighbours is exactly the mean over all ways to break ties. They are the same for all rows of a
    cell, and are kept once for each pair of cells.

    Attributes
    ----------
    cells : PointCells
    n_neighbors : int
        K.
    own_weight : ndarray of shape (n_cells,)
        Weight of each other row of the same cell.
    source, target : ndarray of int of shape (n_edges,)
        Pairs of different cells.
    weight : ndarray of shape (n_edges,)
        Weight of each row of the target for each row of the source.
    """

    cells: PointCells
    n_neighbors: int
    own_weight: np.ndarray
    source: np.ndarray
    target: np.ndarray
    weight: np.ndarray

    @property
    def is_certain(self) -> np.ndarray:
        """Whether the target's rows are neighbours however ties are broken, of each edge."""
        return self.weight > (1 - TIE) / self.n_neighbors

    @property
    def share_tied(self) -> float:
        """Share of the rows whose K nearest neighbours are not unique."""
        tied = self.cells.count - 1 > self.n_neighbors
        tied[self.source[~self.is_certain]] = True
        return float(tied[self.cells.code].mean())


def neighbor_graph(cells: PointCells, points: np.ndarray, n_neighbors: int) -> NeighborGraph:
    """The graph of rows whose cells are at some points.

    Parameters
    ----------
    cells : PointCells
    points : ndarray of shape (n_cells, n_columns)
        Distinct.
    n_neighbors : int
        Less than the number of rows.

    Returns
    -------
    NeighborGraph
    """
    others = cells.count - 1
    own_weight = 1.0 / np.maximum(others, n_neighbors)
    short = np.flatnonzero(others < n_neighbors)
    none = np.empty(0, dtype=np.intp)
    if not len(short):
        return NeighborGraph(cells, n_neighbors, own_weight, none, none, np.empty(0))
    k = min(n_neighbors, cells.n_cells - 1)
    near = nearest_others(points, short, k)
    needed = n_neighbors - others[short]
    reached = np.cumsum(cells.count[near.point])
    first = np.searchsorted(near.query, np.arange(len(short)))
    reached -= (reached[first] - cells.count[near.point[first]])[near.query]
    # The distance at which a query has all the rows that it needs.
    radius = near.distance[_first_true(reached >= needed[near.query], near.query, len(short))]
    radius = radius[near.query]
    nearer = near.distance < radius * (1 - TIE)
    tied = ~nearer & (near.distance <= radius * (1 + TIE))
    n_rows = cells.count[near.point]
    n_nearer, n_tied = (
        np.bincount(near.query, n_rows * part, minlength=len(short)) for part in (nearer, tied)
    )
    weight = np.where(nearer, 1.0, ((needed - n_nearer) / n_tied)[near.query]) / n_neighbors
    kept = nearer | tied
    return NeighborGraph(
        cells, n_neighbors, own_weight, short[near.query[kept]], near.point[kept], weight[kept]
    )


def draw_neighbors(
    graph: NeighborGraph, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Break ties at random: pairs of a row and a neighbour, K for every row.

    Parameters
    ----------
    graph : NeighborGraph
    generator : Generator

    Returns
    -------
    row, neighbor : ndarray of int of shape (n_rows * n_neighbors,)
    """
    cells, k = graph.cells, graph.n_neighbors
    certain = graph.is_certain
    short = np.flatnonzero(cells.count <= k)
    pairs = [edge_pairs(cells, graph.source[certain], graph.target[certain])]
    own, other = edge_pairs(cells, short, short)
    pairs.append((own[own != other], other[own != other]))
    pairs.append(_draw_own(cells, k, generator))
    pairs.append(_draw_tied(graph, ~certain, generator))
    row, neighbor = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
    return row, neighbor


def _draw_own(
    cells: PointCells, k: int, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """K of the other rows of the same cell, in cells that have as many."""
    count = np.repeat(cells.count, cells.count)
    place = np.flatnonzero(count > k)
    size = count[place] - 1
    drawn = _draw_distinct(size, np.full(len(size), k), generator)
    start = np.repeat(cells.start[:-1], cells.count)[place]
    drawn += drawn >= (place - start)[:, None]  # skip the row itself
    return np.repeat(cells.order[place], k), cells.order[(start[:, None] + drawn).ravel()]


def _draw_tied(
    graph: NeighborGraph, uncertain: np.ndarray, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Some of the rows at the K-th distance, which lie in other cells."""
    cells = graph.cells
    source, target = graph.source[uncertain], graph.target[uncertain]
    if not len(source):
        return source, target
    weight = graph.weight[uncertain] * graph.n_neighbors
    # Edges are sorted by source: the rows tied for one source are a run of this numbering.
    end = np.cumsum(cells.count[target])
    first = np.flatnonzero(np.concatenate([[True], source[1:] != source[:-1]]))
    begin = end[first] - cells.count[target[first]]
    size = np.append(begin[1:], end[-1]) - begin
    n_drawn = np.round(weight[first] * size).astype(np.intp)
    of_row = np.repeat(np.arange(len(first)), cells.count[source[first]])
    row, _ = cells.rows_of(source[first])
    drawn = _draw_distinct(size[of_row], n_drawn[of_row], generator)
    at, column = np.nonzero(drawn >= 0)
    number = begin[of_row[at]] + drawn[at, column]
    edge = np.searchsorted(end, number, side="right")
    into = number - (end[edge] - cells.count[target[edge]])
    return row[at], cells.order[cells.start[target[edge]] + into]


def _draw_distinct(
    size: np.ndarray, n_drawn: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    """For each r, n_drawn[r] distinct numbers below size[r], by Floyd's algorithm; -1 after."""
    drawn = np.full((len(size), int(n_drawn.max(initial=0))), -1, dtype=np.intp)
    for step in range(drawn.shape[1]):
        active = np.flatnonzero(n_drawn > step)
        last = size[active] - n_drawn[active] + step
        number = generator.integers(0, last + 1)
        taken = (drawn[active, :step] == number[:, None]).any(axis=1)
        drawn[active, step] = np.where(taken, last, number)
    return drawn


def _first_true(mask: np.ndarray, group: np.ndarray, n_groups: int) -> np.ndarray:
    """Position of the first True of each group; groups are sorted."""
    position = np.flatnonzero(mask)
    return position[np.searchsorted(group[position], np.arange(n_groups))]


def edge_pairs(
    cells: PointCells, source: np.ndarray, target: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """All pairs of a row of the source and a row of the target, edge by edge."""
    count = cells.count
    n_pairs = count[source] * count[target]
    edge = np.repeat(np.arange(len(source)), n_pairs)
    position = np.arange(len(edge)) - np.repeat(np.cumsum(n_pairs) - n_pairs, n_pairs)
    quotient, rest = np.divmod(position, count[target][edge])
    return (
        cells.order[cells.start[source][edge] + quotient],
        cells.order[cells.start[target][edge] + rest],
    )
