"""The median of pairwise distances against the one from the full list."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from fairsk.independence import _median
from fairsk.independence._median import median_distance

SHAPES = {
    "continuous": lambda rng, n: rng.normal(size=n),
    "heavy tails": lambda rng, n: rng.standard_cauchy(n),
    "grid": lambda rng, n: rng.integers(0, 6, n) * 0.37,
    "mostly zero": lambda rng, n: np.where(rng.random(n) < 0.6, 0.0, rng.normal(size=n)),
    "half of the pairs zero": lambda rng, n: np.where(
        np.arange(n) < 0.707 * n, 0.0, 1 + rng.random(n)
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("n_rows", [2, 3, 10, 57, 700])
def test_one_column(shape, n_rows):
    x = SHAPES[shape](np.random.default_rng(n_rows), n_rows)
    expected = np.median(pdist(x[:, None]))
    # The bisection itself, whatever path the public function takes at this size.
    for value in (median_distance(x[:, None]), _median._bisect(np.sort(x))):
        # Bisection stops at a relative width of 1e-13 where many pairs are equal.
        assert value == pytest.approx(expected, rel=1e-12, abs=0)


def test_several_columns_with_duplicates():
    points = np.random.default_rng(0).integers(0, 3, (61, 2)).astype(float)
    distance = pdist(points)
    # A sum of the same squares in another order.
    assert median_distance(points) == pytest.approx(np.median(distance), rel=1e-14)
    positive = np.median(distance[distance > 0])
    assert median_distance(points, positive=True) == pytest.approx(positive, rel=1e-14)


def test_constant_and_single_rows():
    assert median_distance(np.zeros((5, 2))) == 0
    assert median_distance(np.zeros((5, 2)), positive=True) == 0
    assert median_distance(np.zeros((1, 1))) == 0


def test_sample_of_pairs_is_close_and_independent_of_row_order(monkeypatch):
    monkeypatch.setattr(_median, "MAX_ROWS_OF_ALL_PAIRS", 100)
    monkeypatch.setattr(_median, "N_SAMPLED_PAIRS", 200_000)
    points = np.random.default_rng(1).normal(size=(500, 3))
    value = median_distance(points)
    # Standard error of a sample median: half a root of the sample size over the density, here
    # about 0.3 of a unit: 0.4%; five of these.
    assert value == pytest.approx(np.median(pdist(points)), rel=0.02)
    assert median_distance(points[::-1].copy()) == value
