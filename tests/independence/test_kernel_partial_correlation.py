"""Kernel partial correlation against its formula, its properties, and bad input."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.spatial.distance import cdist, pdist

from fairsk.independence import kernel_partial_correlation, kernel_partial_correlation_report
from fairsk.notions import UndefinedFairnessWarning
from tests._reference.naive_kpc import naive_kpc

KINDS = {
    "continuous": lambda rng, shape: rng.normal(size=shape),
    "few": lambda rng, shape: rng.integers(0, 3, shape).astype(float),
    "zeros": lambda rng, shape: rng.integers(0, 2, shape) * rng.normal(size=shape),
    "grid": lambda rng, shape: rng.integers(0, 8, shape) * 0.37 - 1.1,
}
KERNELS = ["gaussian", "laplace", "linear", "discrete"]


def rows(array):
    return [tuple(row) for row in array.tolist()]


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("seed", range(25))
def test_equals_the_formula(kernel, seed):
    rng = np.random.default_rng([seed, KERNELS.index(kernel)])
    n_neighbors = int(rng.choice([1, 1, 2, 3]))
    n_rows = int(rng.integers(6, 18 if n_neighbors == 3 else 40))
    kinds = rng.choice(list(KINDS), 3)
    U, V, W = (
        KINDS[kind](rng, (n_rows, int(rng.integers(1, width))))
        for kind, width in zip(kinds, (3, 4, 3), strict=True)
    )
    if len(np.unique(U, axis=0)) < 2:
        return
    options = {"kernel": kernel, "n_neighbors": n_neighbors}
    try:
        value = kernel_partial_correlation(U, V, given=W, **options)
    except UndefinedFairnessWarning:
        return
    # Sums in another order; the promise is 1e-10.
    assert value == pytest.approx(naive_kpc(rows(U), rows(V), rows(W), **options), abs=1e-10)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("n_outputs", [1, 2, 3, 5])
def test_large_cells_equal_all_pairs(kernel, n_outputs):
    """Cells of hundreds of rows go through series and scans, not pairs."""
    rng = np.random.default_rng(n_outputs)
    n_rows = 1200
    U = rng.standard_t(2, (n_rows, n_outputs)) if n_outputs == 1 else rng.dirichlet(
        [1.0] * n_outputs, n_rows
    )  # fmt: skip
    W, V = rng.integers(0, 2, (2, n_rows, 1)).astype(float)
    distance, s = cdist(U, U), np.median(pdist(U))
    gram = {
        "gaussian": np.exp(-(distance**2) / (2 * s**2)),
        "laplace": np.exp(-distance / s),
        "linear": U @ U.T,
        "discrete": (distance == 0).astype(float),
    }[kernel]

    def likeness(Z):
        same = (Z[:, None] == Z).all(axis=2) & ~np.eye(n_rows, dtype=bool)
        return (np.sum(gram * same, axis=1) / same.sum(axis=1)).mean()

    with_v, without_v = likeness(np.hstack([W, V])), likeness(W)
    expected = (with_v - without_v) / (np.trace(gram) / n_rows - without_v)
    value = kernel_partial_correlation(U, V, given=W, kernel=kernel)
    # The Fourier series is exact to rounding of sums of 1e5 terms.
    assert value == pytest.approx(expected, abs=1e-12)


def test_known_value_of_the_linear_kernel():
    """U = W + beta V + noise has beta^2 / (1 + beta^2) (FairICP, appendix A)."""
    rng = np.random.default_rng(0)
    W, V, noise = rng.normal(size=(3, 20_000))
    value = kernel_partial_correlation(W + 2 * V + noise, V, given=W, kernel="linear")
    # Standard deviation .005, and a bias of the nearest neighbours' distance.
    assert value == pytest.approx(4 / 5, abs=0.03)


def test_random_ties_agree_in_mean_with_averaged_ones():
    rng = np.random.default_rng(5)
    U, W, V = rng.random(80), rng.integers(0, 3, 80), rng.integers(0, 12, 80)
    for n_neighbors in (1, 3):
        options = {"given": W, "n_neighbors": n_neighbors}
        draws = [
            kernel_partial_correlation(U, V, ties="random", random_state=seed, **options)
            for seed in range(300)
        ]
        # T(W, V) and T(W) are drawn apart, and the denominator varies little: four standard
        # errors for the ratio of two draws, and the bias of a ratio, of order 1 / n.
        error = 4 * np.std(draws) / np.sqrt(len(draws)) + 0.005
        assert np.mean(draws) == pytest.approx(
            kernel_partial_correlation(U, V, **options), abs=error
        )
        assert np.std(draws) > 0.005


def test_row_order_does_not_matter():
    rng = np.random.default_rng(6)
    U, W, V = rng.random(300), rng.integers(0, 9, 300), rng.integers(0, 2, (300, 2))
    order = rng.permutation(300)
    value = kernel_partial_correlation(U, V, given=W, n_neighbors=4)
    again = kernel_partial_correlation(U[order], V[order], given=W[order], n_neighbors=4)
    assert value == pytest.approx(again, abs=1e-13)  # sums in another order


def test_binary_labels_have_one_value_whatever_kernel_of_a_distance():
    """k is then an affine function of 1{u = v}, and the ratio does not change."""
    rng = np.random.default_rng(7)
    W, V = rng.normal(size=(2, 400))
    U = W + V > 0.5
    values = [
        kernel_partial_correlation(U, V, given=W, kernel=kernel)
        for kernel in ("gaussian", "laplace", "discrete")
    ]
    assert values == pytest.approx([values[0]] * 3, abs=1e-12)  # rounding
    as_text = np.where(U, "yes", "no")
    assert kernel_partial_correlation(as_text, V, given=W) == pytest.approx(values[0], abs=1e-12)
    both = np.column_stack([U, ~U])
    assert kernel_partial_correlation(both, V, given=W) == pytest.approx(values[0], abs=1e-12)


def test_containers_and_mixed_types():
    rng = np.random.default_rng(8)
    frame = {
        "age": rng.integers(17, 95, 200),
        "race": rng.choice(["a", "b", "c"], 200),
        "sex": rng.choice(["f", "m"], 200),
    }
    U, W = rng.random(200), rng.integers(0, 2, 200)
    value = kernel_partial_correlation(U, pd.DataFrame(frame), given=W)
    assert kernel_partial_correlation(U, pl.DataFrame(frame), given=W) == value
    corners = np.eye(3)[np.unique(frame["race"], return_inverse=True)[1]] / np.sqrt(2)
    by_hand = np.column_stack([frame["age"], corners, frame["sex"] == "m"])
    # Distances between corners are one but for rounding.
    assert kernel_partial_correlation(U, by_hand, given=W) == pytest.approx(value, abs=1e-12)
    scaled = pd.DataFrame(frame).assign(age=lambda f: (f.age - f.age.mean()) / f.age.std(ddof=0))
    assert kernel_partial_correlation(
        U, pd.DataFrame(frame), given=W, standardize=True
    ) == pytest.approx(kernel_partial_correlation(U, scaled, given=W), abs=1e-12)


def test_without_a_condition_it_is_the_unconditional_coefficient():
    rng = np.random.default_rng(9)
    V = rng.normal(size=500)
    U = V + 0.1 * rng.normal(size=500)
    assert kernel_partial_correlation(U, V) == kernel_partial_correlation(U, V, given=np.ones(500))
    assert kernel_partial_correlation(U, V) > 0.8


def test_own_kernel_and_bandwidth():
    rng = np.random.default_rng(10)
    U, V, W = rng.normal(size=(60, 2)), rng.normal(size=60), rng.integers(0, 2, 60)

    def gaussian(u, v):
        return np.exp(-((u - v) ** 2).sum(axis=1) / (2 * 0.7**2))

    value = kernel_partial_correlation(U, V, given=W, bandwidth=0.7)
    # The same sums in another order.
    assert kernel_partial_correlation(U, V, given=W, kernel=gaussian) == pytest.approx(
        value, abs=1e-12
    )
    with pytest.raises(ValueError, match="a finite value for each of the m pairs"):
        kernel_partial_correlation(U, V, given=W, kernel=lambda u, v: u @ v.T)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_neighbors": 30}, "needs at least 31 rows, got 30"),
        ({"n_neighbors": 0}, "positive integer"),
        ({"n_neighbors": 1.5}, "positive integer"),
        ({"ties": "first"}, "ties must be one of"),
        ({"kernel": "cubic"}, "kernel must be one of"),
        ({"bandwidth": -1.0}, "bandwidth must be 'median' or a positive number"),
        ({"bandwidth": "mean"}, "bandwidth must be 'median' or a positive number"),
        ({"given": np.arange(29)}, "has 30 rows but given has 29"),
        ({"U": np.r_[np.nan, np.arange(29)]}, "U has missing or infinite values"),
        ({"V": [None, *range(29)]}, "V has missing or infinite values"),
        ({"given": np.r_[np.inf, np.arange(29)]}, "given has missing or infinite values"),
        ({"U": np.zeros((30, 1, 1))}, "U must be 1-D or 2-D"),
    ],
)
def test_bad_input(changes, message):
    rng = np.random.default_rng(0)
    arguments = {"U": rng.random(30), "V": rng.random(30), "given": rng.random(30)} | changes
    for function in (kernel_partial_correlation, kernel_partial_correlation_report):
        with pytest.raises(ValueError, match=message):
            function(**arguments)


def test_constant_u_is_undefined():
    rng = np.random.default_rng(0)
    V, W = rng.random(30), rng.integers(0, 2, 30)
    for U in (np.full(30, 0.3), W):  # constant, and constant given W
        with pytest.warns(UndefinedFairnessWarning, match="nothing is left for V to explain"):
            assert np.isnan(kernel_partial_correlation(U, V, given=W))
    with pytest.warns(UndefinedFairnessWarning):
        report = kernel_partial_correlation_report(np.full(30, 0.3), V, given=W)
    assert np.isnan(report.value) and np.isnan(report.standard_error)


def test_report_holds_the_value_and_what_it_depends_on():
    rng = np.random.default_rng(11)
    U, V, W = rng.random(200), rng.integers(0, 2, (200, 3)), rng.integers(0, 2, 200)
    report = kernel_partial_correlation_report(U, V, given=W)
    assert report.value == float(report) == kernel_partial_correlation(U, V, given=W)
    assert report.clipped == min(max(report.value, 0), 1)
    assert report.n_columns == (1, 3, 1) and report.n_rows == 200 and report.n_neighbors == 1
    assert report.share_tied == 1
    assert report == kernel_partial_correlation_report(U, V, given=W)
    assert "ties: average (100.0% of rows)" in str(report)
    few = kernel_partial_correlation_report(U[:30], V[:30], given=W[:30])
    assert np.isnan(few.standard_error)
    with pytest.raises(ValueError, match="n_resamples must be at least 2"):
        kernel_partial_correlation_report(U, V, given=W, n_resamples=1)


def test_standard_error_covers_the_mean_of_the_estimate():
    values, errors = [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        W, V, noise = rng.normal(size=(3, 200))
        report = kernel_partial_correlation_report(W + V + noise, V, given=W, n_resamples=20)
        values.append(report.value)
        errors.append(report.standard_error)
    spread, typical = np.std(values, ddof=1), np.sqrt(np.mean(np.square(errors)))
    # The spread of 60 values is known to 9%: three of these, beside the promised .95 to 1.2.
    assert 0.95 * 0.73 < typical / spread < 1.2 * 1.27
    covered = np.abs(np.array(values) - np.mean(values)) <= 1.96 * np.array(errors)
    # Binomial(60, .95) is below 50 with probability .0004.
    assert covered.sum() >= 50
