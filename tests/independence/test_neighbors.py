"""Neighbour searches against all distances, and how ties are shared."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from fairsk.independence import _search
from fairsk.independence._neighbors import PointCells, draw_neighbors, neighbor_graph
from fairsk.independence._search import TIE, nearest_others


def all_within(points, queries, k):
    distance = cdist(points[queries], points)
    distance[np.arange(len(queries)), queries] = np.inf
    limit = np.sort(distance, axis=1)[:, k - 1] * (1 + TIE)
    return set(zip(*np.nonzero(distance <= limit[:, None]), strict=True))


@pytest.mark.parametrize("search", ["_search_sorted", "_search_tree", "_search_tiles"])
@pytest.mark.parametrize("seed", range(20))
def test_searches_find_all_ties(search, seed):
    rng = np.random.default_rng(seed)
    n_columns = 1 if search == "_search_sorted" else int(rng.integers(2, 5))
    n_points = int(rng.integers(4, 500))
    points = rng.normal(size=(n_points, n_columns))
    if seed % 2:  # a grid away from zero, whose equal distances differ by rounding
        points = np.unique(rng.integers(0, 9, points.shape), axis=0) / 3.7 + 5
    k = int(rng.integers(1, min(len(points), 9)))
    queries = rng.permutation(len(points))[: int(rng.integers(1, len(points) + 1))]
    values = points[:, 0] if search == "_search_sorted" else points
    found = getattr(_search, search)(values, queries, k)
    assert set(zip(found.query, found.point, strict=True)) == all_within(points, queries, k)
    assert (np.diff(found.query) >= 0).all()


def test_many_columns_are_searched_in_tiles():
    """Near-ties that float32 cannot tell apart are decided in float64."""
    rng = np.random.default_rng(0)
    points = rng.normal(size=(700, 10)) + 100
    points[1::2] = points[::2] + 1e-7 * rng.normal(size=(350, 10))
    found = nearest_others(points, np.arange(700), 2)
    assert set(zip(found.query, found.point, strict=True)) == all_within(points, np.arange(700), 2)


def test_weights_of_a_row_sum_to_one_and_share_ties():
    points = np.array([[0.0], [0.0], [1.0], [-1.0], [-1.0], [5.0]])
    cells = PointCells.of_points(points)
    graph = neighbor_graph(cells, points[cells.example], 2)
    weight = np.zeros((6, 6))
    for i, j in np.ndindex(6, 6):
        if cells.code[i] == cells.code[j]:
            weight[i, j] = graph.own_weight[cells.code[i]] * (i != j)
        edge = (graph.source == cells.code[i]) & (graph.target == cells.code[j])
        weight[i, j] += graph.weight[edge].sum()
    # Row 0: row 1 is at distance zero, and one of rows 2, 3, 4 follows.
    np.testing.assert_allclose(weight[0], [0, 1 / 2, 1 / 6, 1 / 6, 1 / 6, 0])
    np.testing.assert_allclose(weight[2], [1 / 2, 1 / 2, 0, 0, 0, 0])
    np.testing.assert_allclose(weight.sum(axis=1), 1)


@pytest.mark.parametrize("n_neighbors", [1, 2, 5])
def test_random_ties_occur_as_often_as_their_weight(n_neighbors):
    rng = np.random.default_rng(n_neighbors)
    points = rng.integers(0, 3, (14, 2)).astype(float)
    cells = PointCells.of_points(points)
    graph = neighbor_graph(cells, points[cells.example], n_neighbors)
    n_draws = 4000
    count = np.zeros((14, 14))
    for _ in range(n_draws):
        row, neighbor = draw_neighbors(graph, rng)
        drawn = np.zeros((14, 14))
        np.add.at(drawn, (row, neighbor), 1)
        assert drawn.max() == 1 and (drawn.sum(axis=1) == n_neighbors).all()
        count += drawn
    expected = np.zeros((14, 14))
    same = cells.code[:, None] == cells.code
    expected[same] = np.repeat(graph.own_weight[cells.code], same.sum(axis=1))
    np.fill_diagonal(expected, 0)
    for source, target, weight in zip(graph.source, graph.target, graph.weight, strict=True):
        expected[np.ix_(cells.code == source, cells.code == target)] = weight
    p = expected * n_neighbors
    # Binomial frequencies of 182 pairs: five standard deviations, and nothing where p is 0 or 1.
    assert (np.abs(count / n_draws - p) <= 5 * np.sqrt(p * (1 - p) / n_draws) + 1e-12).all()


def test_minus_zero_is_zero():
    assert PointCells.of_points(np.array([[0.0], [-0.0]])).n_cells == 1
