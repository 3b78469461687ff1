"""Maximal correlation against known values, and the power iteration over functions."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from fairsk.independence import hgr_correlation


def best_functions(u, v):
    """HGR of two discrete variables by alternating conditional expectations."""
    rng = np.random.default_rng(0)
    f = rng.normal(size=u.max() + 1)
    correlation = 0.0
    for _ in range(300):
        g = np.array([f[u[v == b]].mean() for b in range(v.max() + 1)])
        g = (g - g[v].mean()) / g[v].std()
        f = np.array([g[v[u == a]].mean() for a in range(u.max() + 1)])
        correlation = f[u].std()
        f = (f - f[u].mean()) / f[u].std()
    return correlation


def test_discrete_equals_the_best_functions():
    rng = np.random.default_rng(1)
    u = rng.integers(0, 4, 500)
    v = (u * rng.integers(0, 2, 500) + rng.integers(0, 2, 500)) % 3
    # 300 alternations leave less than the ratio of singular values to that power.
    assert hgr_correlation(u, v) == pytest.approx(best_functions(u, v), abs=1e-8)
    names = np.array(["x", "y", "z", "w"])
    assert hgr_correlation(names[u], names[v]) == pytest.approx(hgr_correlation(u, v), abs=1e-12)


def test_two_binary_variables_have_their_correlation():
    rng = np.random.default_rng(2)
    u = rng.integers(0, 2, 300)
    v = np.where(rng.random(300) < 0.3, 1 - u, u)
    assert hgr_correlation(u, v) == pytest.approx(abs(np.corrcoef(u, v)[0, 1]), abs=1e-12)
    # Two singular values: the relaxation is the square.
    chi_square = hgr_correlation(u, v, relaxation="chi_square")
    assert chi_square == pytest.approx(hgr_correlation(u, v) ** 2, abs=1e-12)


def test_gaussian_has_the_absolute_correlation():
    rng = np.random.default_rng(3)
    u, noise = rng.normal(size=(2, 20_000))
    for rho in (0.0, 0.5, -0.8):
        v = rho * u + np.sqrt(1 - rho**2) * noise
        # Lancaster's theorem. Smoothing takes some off, sampling adds some.
        assert hgr_correlation(u, v) == pytest.approx(abs(rho), abs=0.08)


def test_given_is_the_mean_or_largest_over_its_values():
    rng = np.random.default_rng(4)
    y = rng.choice([0, 0, 1], 900)
    u, v = rng.integers(0, 3, (2, 900))
    u = np.where(y == 1, v, u)
    values = [hgr_correlation(u[y == c], v[y == c]) for c in (0, 1)]
    assert values[1] == pytest.approx(1)
    weights = [np.mean(y == c) for c in (0, 1)]
    mean = hgr_correlation(u, v, given=y)
    assert mean == pytest.approx(np.dot(weights, values), abs=1e-12)  # rounding
    assert hgr_correlation(u, v, given=y, aggregate="max") == pytest.approx(1)
    # Dependence that y explains: both follow a continuous y.
    y = rng.normal(size=4000)
    u, v = y + 0.3 * rng.normal(size=(2, 4000))
    # Slices as wide as the bandwidth still hold some of y's spread.
    assert hgr_correlation(u, v) > 0.8 > 0.5 > hgr_correlation(u, v, given=y)


def test_several_columns():
    rng = np.random.default_rng(5)
    u = rng.integers(0, 2, 400)
    frame = pd.DataFrame({"same": np.where(u, "yes", "no"), "other": rng.normal(size=400)})
    values = [hgr_correlation(u, frame[name]) for name in frame]
    assert values[0] == pytest.approx(1)
    assert hgr_correlation(u, frame) == pytest.approx(np.mean(values))
    assert hgr_correlation(u, frame, over_columns="max") == pytest.approx(1)
    assert hgr_correlation(np.column_stack([u, 1 - u]), frame) == pytest.approx(np.mean(values))
    assert hgr_correlation(np.zeros(400), frame) == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"aggregate": "sum"}, "aggregate must be one of"),
        ({"relaxation": "l1"}, "relaxation must be one of"),
        ({"over_columns": "sum"}, "over_columns must be one of"),
        ({"n_grid": 2}, "n_grid must be an integer of at least 3"),
        ({"V": np.arange(9)}, "U has 10 rows but V has 9"),
        ({"U": np.r_[np.nan, np.arange(9)]}, "U has missing or infinite values"),
        ({"given": np.zeros((10, 2))}, "given must be one column, got 2"),
    ],
)
def test_bad_input(changes, message):
    with pytest.raises(ValueError, match=message):
        hgr_correlation(**({"U": np.arange(10), "V": np.arange(10)} | changes))
