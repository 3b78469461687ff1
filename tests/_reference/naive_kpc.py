"""Kernel partial correlation by its formula, row by row, with ties averaged by enumeration."""

from __future__ import annotations

from itertools import combinations
from math import dist, exp
from statistics import median

# Distances closer than this relative amount are ties.
TIE = 1e-9


def naive_kpc(U, V, W, *, kernel="gaussian", n_neighbors=1):
    """(T(W, V) - T(W)) / (mean k(U_i, U_i) - T(W)); U, V, W are lists of tuples."""
    k = naive_kernel(U, kernel)
    with_v = naive_likeness([w + v for w, v in zip(W, V, strict=True)], U, k, n_neighbors)
    without_v = naive_likeness(W, U, k, n_neighbors)
    own = sum(k(u, u) for u in U) / len(U)
    return (with_v - without_v) / (own - without_v)


def naive_kernel(U, kernel):
    n = len(U)
    distances = [dist(U[i], U[j]) for i in range(n) for j in range(i)]
    s = median(distances) or median([d for d in distances if d > 0])
    return {
        "gaussian": lambda u, v: exp(-(dist(u, v) ** 2) / (2 * s**2)),
        "laplace": lambda u, v: exp(-dist(u, v) / s),
        "linear": lambda u, v: sum(a * b for a, b in zip(u, v, strict=True)),
        "discrete": lambda u, v: float(u == v),
    }[kernel]


def naive_likeness(Z, U, k, n_neighbors):
    """Mean over rows of the mean, over all choices of neighbours, of the mean of k."""
    total = 0.0
    for i in range(len(Z)):
        choices = neighbor_choices(Z, i, n_neighbors)
        means = [sum(k(U[i], U[j]) for j in chosen) / n_neighbors for chosen in choices]
        total += sum(means) / len(means)
    return total / len(Z)


def neighbor_choices(Z, i, n_neighbors):
    """All sets of n_neighbors rows such that no other row is nearer to row i."""
    distance = {j: dist(Z[i], Z[j]) for j in range(len(Z)) if j != i}
    radius = sorted(distance.values())[n_neighbors - 1]
    nearer = [j for j, d in distance.items() if d < radius * (1 - TIE)]
    tied = [j for j, d in distance.items() if radius * (1 - TIE) <= d <= radius * (1 + TIE)]
    return [(*nearer, *some) for some in combinations(tied, n_neighbors - len(nearer))]
