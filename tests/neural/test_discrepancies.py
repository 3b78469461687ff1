"""The discrepancies against naive versions, and their gradients."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from fairsk.neural._discrepancies import (  # noqa: E402
    AdversarialTerm,
    Copies,
    EnergyTerm,
    MMDTerm,
    energy_distance,
    mmd_squared,
)
from fairsk.neural._discriminator import Discriminator, cross_entropy  # noqa: E402
from tests._reference.naive_discrepancies import (  # noqa: E402
    naive_energy_distance,
    naive_mmd_squared,
)


def sample(n=7, k=2, d=3, seed=0):
    rng = np.random.default_rng(seed)
    u, v = rng.normal(size=(n, k)), rng.normal(size=(n, d))
    # Rows that repeat: distances of zero, where a square root has no gradient.
    v[1] = v[0]
    return u, v, v[rng.permutation(n)], rng.uniform(0.5, 2, n)


def tensors(*arrays):
    return [torch.as_tensor(array, dtype=torch.float64) for array in arrays]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("fast", "naive"),
    [(mmd_squared, naive_mmd_squared), (energy_distance, naive_energy_distance)],
    ids=["mmd", "energy"],
)
def test_kernel_discrepancies_equal_the_sum_over_pairs(fast, naive, weighted):
    u, v, fake, weight = sample()
    weight = weight if weighted else None
    tensor_weight = None if weight is None else torch.as_tensor(weight)
    value = float(fast(*tensors(u, v, fake), tensor_weight))
    # Double precision; sums of 4 x 49 terms of order one.
    assert value == pytest.approx(naive(u, v, fake, weight), abs=1e-12)
    assert value > 1e-4
    assert float(fast(*tensors(u, v, v))) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("fast", [mmd_squared, energy_distance])
def test_kernel_gradients(fast):
    u, v, fake, _ = sample()
    u, v, fake = tensors(u, v, fake)
    u.requires_grad_(True)
    assert torch.autograd.gradcheck(lambda x: fast(x, v, fake), (u,))


@pytest.mark.parametrize("exchanged", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_cross_entropy_and_its_gradient(exchanged, weighted):
    rng = np.random.default_rng(0)
    logits = torch.as_tensor(rng.normal(size=10), dtype=torch.float64).requires_grad_(True)
    weight = torch.as_tensor(rng.uniform(0.5, 2, 5)) if weighted else None
    labels = torch.cat([torch.full((5,), float(exchanged)), torch.full((5,), 1.0 - exchanged)])
    both = None if weight is None else torch.cat([weight, weight])
    expected = torch.nn.functional.binary_cross_entropy_with_logits(logits, labels.double(), both)
    (slope,) = torch.autograd.grad(expected, logits)
    loss, gradient = cross_entropy(logits.detach(), weight, exchanged=exchanged)
    torch.testing.assert_close(loss, expected.detach())
    torch.testing.assert_close(gradient, slope)


@pytest.mark.parametrize("sizes", [(), (5,), (6, 4, 3)])
@pytest.mark.parametrize("weighted", [False, True])
def test_discriminator_gradients_are_those_of_autograd(sizes, weighted):
    rng = np.random.default_rng(0)
    n, k, d = 6, 2, 3
    outputs, real, fake = (
        torch.as_tensor(rng.normal(size=shape), dtype=torch.float32)
        for shape in ((n, k), (n, d), (n, d))
    )
    weight = torch.as_tensor(rng.uniform(0.5, 2, n), dtype=torch.float32) if weighted else None
    torch_state = torch.random.get_rng_state()
    discriminator = Discriminator(k + d, sizes, 0.01, "cpu")
    torch.random.set_rng_state(torch_state)
    batch = torch.cat([torch.cat([outputs, real], 1), torch.cat([outputs, fake], 1)])
    labels = torch.cat([torch.zeros(n), torch.ones(n)])
    both = None if weight is None else torch.cat([weight, weight])
    bce = torch.nn.functional.binary_cross_entropy_with_logits

    parameters = list(discriminator.module.parameters())
    expected = bce(discriminator.module(batch)[:, 0], labels, both)
    slopes = torch.autograd.grad(expected, parameters)
    loss = discriminator.step(batch.clone(), weight)
    # Single precision, a few dozen terms.
    torch.testing.assert_close(loss, expected.detach(), rtol=1e-5, atol=1e-6)
    for parameter, slope in zip(parameters, slopes, strict=True):
        torch.testing.assert_close(parameter.grad, slope, rtol=1e-4, atol=1e-6)

    leaf = outputs.clone().requires_grad_(True)
    value = discriminator.exchanged_loss(leaf, real, fake, weight)
    (value * 3).backward()
    other = outputs.clone().requires_grad_(True)
    batch = torch.cat([torch.cat([other, real], 1), torch.cat([other, fake], 1)])
    (slope,) = torch.autograd.grad(
        3 * bce(discriminator.module(batch)[:, 0], 1 - labels, both), other
    )
    torch.testing.assert_close(leaf.grad, slope, rtol=1e-4, atol=1e-6)


def make_copies(n_rows, rows, weight=None, seed=0):
    rng = np.random.default_rng(seed)
    codes = torch.as_tensor(rng.normal(size=(len(rows), 2)), dtype=torch.float32)
    y = torch.as_tensor(rng.normal(size=(len(rows), 1)), dtype=torch.float32)
    fakes = codes[torch.as_tensor(rng.permutation(len(rows)))]
    return Copies(codes, y, torch.as_tensor(rows), n_rows, lambda: fakes, weight)


@pytest.mark.parametrize("kind", [MMDTerm, EnergyTerm])
def test_rows_without_sensitive_features_are_left_out(kind):
    rng = np.random.default_rng(1)
    rows = np.array([0, 2, 3, 7, 8])
    copies = make_copies(9, rows)
    term = kind(0.5, copies, None, 0)
    order = torch.as_tensor(rng.permutation(9))
    outputs = torch.as_tensor(rng.normal(size=(9, 1)), dtype=torch.float32)
    term.start_epoch(order, lambda: outputs[order])
    for part in (slice(0, 9), slice(2, 7)):
        inside = [int(row) for row in order[part] if int(row) in rows]
        place = copies.place[torch.as_tensor(inside)]
        expected = term.discrepancy(outputs[inside], copies.real[place], copies.fake()[place], None)
        torch.testing.assert_close(term.penalty(outputs[order][part], part), expected)


def test_a_batch_without_any_known_row_has_no_penalty():
    term = MMDTerm(0.5, make_copies(4, np.array([0, 1])), None, 0)
    term.start_epoch(torch.arange(4), lambda: torch.zeros(4, 1))
    outputs = torch.ones(2, 1, requires_grad=True)
    penalty = term.penalty(outputs, slice(2, 4))
    penalty.backward()
    assert float(penalty.detach()) == 0.0 and float(outputs.grad.abs().sum()) == 0.0


def test_the_discriminator_learns_to_tell_a_leak_from_copies():
    rng = np.random.default_rng(0)
    n = 400
    a = torch.as_tensor(rng.normal(size=(n, 1)), dtype=torch.float32)
    y = torch.as_tensor(rng.normal(size=(n, 1)), dtype=torch.float32)
    generator = torch.Generator().manual_seed(0)
    copies = Copies(a, y, torch.arange(n), n, lambda: a[torch.randperm(n, generator=generator)])
    losses = {}
    for name, outputs in (("leak", a), ("fair", torch.randn(n, 1, generator=generator))):
        term = AdversarialTerm(
            0.5, copies, copies, 0, hidden_layer_sizes=(16,), lr=0.01, batch_size=50
        )
        term.start(1, 0, 1.0)
        for _ in range(20):
            term.start_epoch(torch.arange(n), lambda outputs=outputs: outputs)
        losses[name] = term.report()["discriminator_loss"]
        # What the validation part adds to the value function.
        assert (term.held_out_penalty(outputs) > 0.2) == (name == "leak")
    # log 2 = .693 is seeing nothing; Bayes' rule for the leak is about .37 here.
    assert losses["leak"] < 0.5 < 0.65 < losses["fair"]
