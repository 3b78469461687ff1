"""Every point within the distance of the k-th nearest other point, ties included."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

# Distances that differ by less than this relative amount are the same distance, computed twice.
TIE = 1e-9
# Beyond so many columns a tree visits most of its leaves, and comparing all pairs is faster.
MAX_TREE_COLUMNS = 8
# Beyond so many points it is not.
MAX_POINTS_OF_ALL_PAIRS = 300_000
# Points a tile, rows a block: a block of one tile's distances (64 kB) stays in the cache.
TILE, ROWS_A_BLOCK, TILES_A_STEP = 128, 256, 16


@dataclass(frozen=True)
class Candidates:
    """Points near each query, flat: sorted by query, then by distance.

    Attributes
    ----------
    query : ndarray of int of shape (m,)
        Position in the array of queries.
    point : ndarray of int of shape (m,)
        A point other than the query itself.
    distance : ndarray of shape (m,)
    """

    query: np.ndarray
    point: np.ndarray
    distance: np.ndarray


def nearest_others(points: np.ndarray, queries: np.ndarray, k: int) -> Candidates:
    """All points that are as near to a query as its k-th nearest other point.

    Parameters
    ----------
    points : ndarray of shape (n_points, n_columns)
        Distinct points.
    queries : ndarray of int of shape (n_queries,)
        Which points to search from.
    k : int
        Less than the number of points.

    Returns
    -------
    Candidates
        At least k a query: with ties at the k-th distance, all of them.
    """
    if points.shape[1] == 1:
        return _search_sorted(points[:, 0], queries, k)
    n_points = len(points)
    if points.shape[1] > MAX_TREE_COLUMNS and n_points <= MAX_POINTS_OF_ALL_PAIRS:
        return _search_tiles(points, queries, k)
    return _search_tree(points, queries, k)


def _search_sorted(values: np.ndarray, queries: np.ndarray, k: int) -> Candidates:
    """In one column: a window of the sorted values around each query."""
    order = np.argsort(values)
    ordered = np.concatenate([np.full(k, -np.inf), values[order], np.full(k, np.inf)])
    place = np.empty(len(values), dtype=np.intp)
    place[order] = np.arange(len(values))
    centre = place[queries] + k
    # Ties lie on both sides, so that k neighbours on each are all that can be needed.
    offsets = np.concatenate([np.arange(-k, 0), np.arange(1, k + 1)])
    distance = np.abs(ordered[centre[:, None] + offsets] - values[queries][:, None])
    limit = np.partition(distance, k - 1, axis=1)[:, k - 1]
    query, column = np.nonzero(distance <= limit[:, None] * (1 + TIE))
    point = order[place[queries][query] + offsets[column]]
    return _sorted(query, point, distance[query, column])


def _search_tree(points: np.ndarray, queries: np.ndarray, k: int) -> Candidates:
    """With a k-d tree, asking again for more neighbours where a tie may be cut off."""
    tree = cKDTree(points)
    found: list[tuple[np.ndarray, ...]] = []
    open_queries, n_asked = np.arange(len(queries)), k + 2
    while len(open_queries):
        n_asked = min(n_asked, len(points))
        distance, point = tree.query(points[queries[open_queries]], k=n_asked)
        # The query itself may not come first: a point can be at distance zero by underflow.
        other = point != queries[open_queries][:, None]
        rank = np.cumsum(other, axis=1)
        limit = distance[np.arange(len(distance)), (rank == k).argmax(axis=1)] * (1 + TIE)
        settled = (distance[:, -1] > limit) | (n_asked == len(points))
        row, column = np.nonzero(other & (distance <= limit[:, None]) & settled[:, None])
        found.append((open_queries[row], point[row, column], distance[row, column]))
        open_queries, n_asked = open_queries[~settled], 2 * n_asked
    return _sorted(*(np.concatenate(parts) for parts in zip(*found, strict=True)))


def _search_tiles(points: np.ndarray, queries: np.ndarray, k: int) -> Candidates:
    """In many columns: all pairs in float32, then in float64 where it can matter.

    The k-th smallest of the least distances to the tiles bounds the k-th nearest distance from
    above. Tiles whose least distance is within it, allowing for the rounding of float32, hold all
    that is sought; they are computed again in float64.
    """
    centred = points - points.mean(axis=0)
    scale = np.abs(centred).max() or 1.0
    centred /= scale
    least, slack = _least_of_tiles(centred, queries, k)
    bound = np.full(len(queries), np.inf)
    if k <= least.shape[1]:
        bound = np.partition(least, k - 1, axis=1)[:, k - 1]
    found = []
    for first in range(0, len(queries), 4 * ROWS_A_BLOCK):
        rows = slice(first, first + 4 * ROWS_A_BLOCK)
        near = least[rows] <= (bound[rows] + slack[rows])[:, None]
        query, point, distance = _exact(centred, queries[rows], near, k)
        found.append((query + first, point, distance * scale))
    return _sorted(*(np.concatenate(parts) for parts in zip(*found, strict=True)))


def _least_of_tiles(
    centred: np.ndarray, queries: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Least squared distance (less the query's square) to each tile; a bound of its rounding."""
    n_points, n_columns = centred.shape
    n_tiles = -(-n_points // TILE)
    square = np.einsum("ij,ij->i", centred, centred)
    # |x - y|^2 - |x|^2 = |y|^2 - 2 x.y is one matrix product; absent points are infinitely far.
    right = np.zeros((n_tiles * TILE, n_columns + 1), dtype=np.float32)
    right[:n_points, :-1] = -2 * centred
    right[:n_points, -1] = square
    right[n_points:, -1] = np.finfo(np.float32).max / 4
    left = np.ones((len(queries), n_columns + 1), dtype=np.float32)
    left[:, :-1] = centred[queries]
    least = np.empty((len(queries), n_tiles), dtype=np.float32)
    width = TILES_A_STEP * TILE
    for first in range(0, len(queries), ROWS_A_BLOCK):
        rows = slice(first, min(first + ROWS_A_BLOCK, len(queries)))
        n_rows = rows.stop - first
        for start in range(0, n_tiles * TILE, width):
            part = right[start : start + width]
            product = part @ left[rows].T
            own = queries[rows] - start
            inside = np.flatnonzero((own >= 0) & (own < len(part)))
            product[own[inside], inside] = np.inf
            tiles = slice(start // TILE, (start + len(part)) // TILE)
            least[rows, tiles] = product.reshape(-1, TILE, n_rows).min(axis=1).T
    # Two sums of n_columns + 1 products, each off by at most that many roundings of its terms,
    # besides the roundings of the factors: two of them are compared, hence the factor.
    terms = 2 * np.sqrt(square[queries] * square.max()) + square.max()
    slack = 4 * (n_columns + 4) * np.finfo(np.float32).eps * terms
    return least, slack.astype(np.float32)


def _exact(
    centred: np.ndarray, queries: np.ndarray, near: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points of some tiles within the k-th nearest distance, in float64."""
    query, tile = np.nonzero(near)
    members = tile[:, None] * TILE + np.arange(TILE)
    last = len(centred) - 1
    outside = (members > last) | (members == queries[query][:, None])
    difference = centred[np.minimum(members, last)] - centred[queries[query]][:, None, :]
    distance = np.sqrt(np.einsum("ijk,ijk->ij", difference, difference))
    distance[outside] = np.inf
    # The k nearest of each tile, then the k nearest of those of one query.
    n_kept = min(k, TILE)
    smallest = np.partition(distance, n_kept - 1, axis=1)[:, :n_kept]
    owner = np.repeat(query, n_kept)
    order = np.lexsort((smallest.ravel(), owner))
    start = np.searchsorted(owner[order], np.arange(len(queries)))
    limit = smallest.ravel()[order][start + k - 1] * (1 + TIE)
    pair, column = np.nonzero(distance <= limit[query][:, None])
    return query[pair], members[pair, column], distance[pair, column]


def _sorted(query: np.ndarray, point: np.ndarray, distance: np.ndarray) -> Candidates:
    order = np.lexsort((point, distance, query))
    return Candidates(query[order], point[order], distance[order])
