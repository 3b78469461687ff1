"""The fast one-dimensional MMD against pair-by-pair loops, and its gradients."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from fairsk.neural import _mmd  # noqa: E402
from fairsk.neural._mmd import KERNELS, harmonics, signed_form  # noqa: E402
from tests._reference.naive_min_diff import kernel, naive_mmd  # noqa: E402

EVERY = pytest.mark.parametrize("name", KERNELS)


@pytest.fixture
def never_dense(monkeypatch):
    """The fast sums also for few predictions."""
    monkeypatch.setattr(_mmd, "DENSE_ENTRIES", 0)


def samples(n_forms=3, n_inside=23, n_outside=31, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    p = torch.rand((n_forms, n_inside + n_outside), generator=generator, dtype=torch.float64)
    w = torch.full_like(p, 1 / n_inside)
    w[:, n_inside:] = -1 / n_outside
    return p.to(dtype), w.to(dtype), n_inside


@EVERY
@pytest.mark.parametrize("length", [0.05, 0.1, 0.7, 20.0])
# In double precision the fast sums are exact; in single, the promise is 1e-5 (measured 1e-8).
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-6)])
def test_equals_the_loops(name, length, dtype, tolerance, never_dense):
    p, w, n_inside = samples(dtype=dtype)
    found = signed_form(p, w, KERNELS[name](length))
    for row, value in zip(p.tolist(), found.tolist(), strict=True):
        expected = naive_mmd(row[:n_inside], row[n_inside:], kernel(name, length))
        assert value == pytest.approx(expected, abs=tolerance)


@EVERY
@pytest.mark.parametrize("n", [40, 300])
def test_fast_and_dense_agree_with_gradients(name, n, never_dense):
    generator = torch.Generator().manual_seed(1)
    p = torch.rand((5, n), generator=generator, dtype=torch.float64)
    w = torch.randn((5, n), generator=generator, dtype=torch.float64) / n
    single = KERNELS[name](0.1)
    for dtype, tolerance in ((torch.float64, 1e-12), (torch.float32, 1e-6)):
        fast = single.form(p.to(dtype), w.to(dtype))
        dense = single.dense_form(p, w)
        for a, b in zip(fast, dense, strict=True):
            torch.testing.assert_close(a.double(), b, rtol=0, atol=tolerance)


@EVERY
@pytest.mark.parametrize("dense", [True, False])
def test_gradcheck(name, dense, monkeypatch):
    monkeypatch.setattr(_mmd, "DENSE_ENTRIES", 10**9 if dense else 0)
    p, w, _ = samples(2, 21, 24)
    p.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: signed_form(x, w, KERNELS[name](0.1)), p)


def test_ties_pull_nowhere(never_dense):
    """The Laplace kernel has a corner at zero: tied predictions take its middle slope, zero."""
    p, w, _ = samples(2, 20, 20)
    p[:, ::3] = p[:, :1]
    p[1] = 1.0
    form = KERNELS["laplace"](0.1)
    fast, dense = form.form(p, w), form.dense_form(p, w)
    for a, b in zip(fast, dense, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-12)
    assert fast[1][1].abs().max() < 1e-12


@EVERY
def test_extremes(name, never_dense):
    """Saturated predictions, the smallest length, rows without weight."""
    p = torch.cat([torch.zeros(1, 40), torch.ones(1, 40)], dim=1)
    w = torch.cat([torch.full((1, 40), 1 / 40), torch.full((1, 40), -1 / 40)], dim=1)
    value, gradient = KERNELS[name](_mmd.MIN_LENGTH).form(p, w)
    # Two far points: k(0) - 0 + k(0).
    assert float(value) == pytest.approx(2.0, abs=1e-5)
    assert torch.isfinite(gradient).all()
    none = signed_form(p, torch.zeros_like(w), KERNELS[name](0.1))
    assert float(none) == 0.0


@EVERY
def test_many_forms_in_parts_are_the_same(name, never_dense, monkeypatch):
    p, w, _ = samples(11, 40, 40)
    whole = KERNELS[name](0.1).form(p, w)
    monkeypatch.setattr(_mmd, "CACHED", 5_000)
    parts = KERNELS[name](0.1).form(p, w)
    for a, b in zip(whole, parts, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-15)


@pytest.mark.parametrize("n_terms", [1, 2, 7, 16])
def test_harmonics(n_terms):
    angle = torch.linspace(-3, 5, 6, dtype=torch.float64).reshape(2, 3)
    waves = harmonics(angle, n_terms)
    k = np.arange(1, n_terms + 1)[:, None, None]
    # Errors of the products double with each doubling, from 1e-16.
    np.testing.assert_allclose(waves[0], np.cos(k * angle.numpy()), atol=1e-13)
    np.testing.assert_allclose(waves[1], np.sin(k * angle.numpy()), atol=1e-13)
