"""Time of the kernel partial correlation, against all pairs of rows.

Run with ``python benchmarks/kpc_speed.py`` (about a minute); it prints two tables. Seconds are wall
time of one thread, the least of a few runs. "all pairs" is the same estimate from full matrices of
distances, which at 100,000 rows would take 80 GB each.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.spatial.distance import pdist, squareform

sys.path.insert(0, str(Path(__file__).parents[1]))

from fairsk.independence import (
    equalized_odds_test,
    kernel_partial_correlation,
    kernel_partial_correlation_report,
)

SIZES = (1_000, 10_000, 100_000)
MAX_ROWS_OF_ALL_PAIRS = 1_000
# Rows of Adult's test part in a split 60/40.
N_ADULT = 18_089

Data = tuple[np.ndarray, np.ndarray, np.ndarray]


def continuous(n_rows: int, n_columns: int) -> Data:
    rng = np.random.default_rng(0)
    label, V = rng.normal(size=n_rows), rng.normal(size=(n_rows, n_columns))
    return label + V[:, 0] + rng.normal(size=n_rows), V, label


def discrete(n_rows: int, labels: bool = False) -> Data:
    """Two sensitive columns with 2 and 5 values, a binary label, probabilities or labels."""
    rng = np.random.default_rng(0)
    V = np.column_stack([rng.integers(0, 2, n_rows), rng.integers(0, 5, n_rows)])
    label = (rng.random(n_rows) < 0.2 + 0.1 * V[:, 0]).astype(int)
    p = 1 / (1 + np.exp(0.5 - label - 0.3 * V[:, 0] + rng.normal(size=n_rows)))
    return (p > 0.5).astype(int) if labels else p, V, label


def three_classes(n_rows: int) -> Data:
    _, V, label = discrete(n_rows)
    return np.random.default_rng(1).dirichlet([1, 1, 1], n_rows), V, label


def rounded(n_rows: int) -> Data:
    """A label with 90 values, as that of Communities and Crime: many ties, many cells."""
    U, V, label = continuous(n_rows, 1)
    return U, V, np.round(label, 1)


def all_pairs(U: np.ndarray, V: np.ndarray, W: np.ndarray) -> float:
    """The estimate from full matrices, ties averaged, one neighbour."""
    U, V, W = (np.reshape(array, (len(U), -1)).astype(float) for array in (U, V, W))
    distance = pdist(U)
    gram = np.exp(-(squareform(distance) ** 2) / (2 * np.median(distance) ** 2))
    likeness = []
    for points in (np.hstack([W, V]), W):
        near = squareform(pdist(points))
        np.fill_diagonal(near, np.inf)
        tied = near <= near.min(axis=1, keepdims=True) * (1 + 1e-9)
        likeness.append(np.mean((gram * tied).sum(axis=1) / tied.sum(axis=1)))
    return (likeness[0] - likeness[1]) / (1 - likeness[1])


def seconds(run: Callable[[], object]) -> float:
    times: list[float] = []
    while len(times) < 3 and sum(times) < 5:
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def print_speed() -> None:
    cases: dict[str, Callable[[int], Data]] = {
        "continuous, d = 1": lambda n: continuous(n, 1),
        "continuous, d = 3": lambda n: continuous(n, 3),
        "continuous, d = 10": lambda n: continuous(n, 10),
        "d = 1, label of 90 values": rounded,
        "discrete, d = 2, probabilities": discrete,
        "discrete, d = 2, labels": lambda n: discrete(n, labels=True),
        "discrete, d = 2, three classes": three_classes,
    }
    print("Seconds of one kernel partial correlation, one neighbour, ties averaged")
    print(f"{'':32}" + "".join(f"{n:>10,}" for n in SIZES) + f"{'all pairs, 1,000':>18}")
    for name, make in cases.items():
        cells = []
        for n_rows in SIZES:
            U, V, W = make(n_rows)
            cells.append(
                f"{seconds(lambda: kernel_partial_correlation(U, V, given=W)):10.3f}"  # noqa: B023
            )
        U, V, W = make(MAX_ROWS_OF_ALL_PAIRS)
        slow = seconds(lambda: all_pairs(U, V, W))  # noqa: B023
        difference = abs(all_pairs(U, V, W) - kernel_partial_correlation(U, V, given=W))
        assert difference < 1e-10, (name, difference)
        print(f"{name:32}" + "".join(cells) + f"{slow:18.3f}", flush=True)


def print_uses() -> None:
    U, V, W = continuous(10_000, 1)
    report = seconds(lambda: kernel_partial_correlation_report(U, V, given=W))
    adult = discrete(N_ADULT)

    def test(resampling: str) -> float:
        return seconds(
            lambda: equalized_odds_test(
                adult[2], adult[0], sensitive_features=adult[1], resampling=resampling,
                random_state=0,
            )
        )  # fmt: skip

    print("\nSeconds of what is built on it")
    rows = (
        ("with standard error, d = 1, 10,000 rows, 40 resamples", report),
        (f"test on {N_ADULT:,} rows as Adult's, 101 statistics", test("within_label")),
        ("the same by 'icp', density and its check included", test("icp")),
    )
    for name, value in rows:
        print(f"{name:56}{value:6.2f}")


def main() -> None:
    print_speed()
    print_uses()


if __name__ == "__main__":
    main()
