"""The optimiser, the loop, early stopping, restarts, and where randomness comes from."""

import numpy as np
import pytest
from scipy import sparse

torch = pytest.importorskip("torch")

from fairsk.neural._networks import make_mlp  # noqa: E402
from fairsk.neural._training import Rows, Sample, Settings, batches, train  # noqa: E402
from fairsk.utils import EarlyStopping, FlatAdam, check_device, private_rng  # noqa: E402


def problem(n=40, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    y = X @ [1.0, -1.0, 0.5] + 0.1 * rng.normal(size=n)
    return X, y


def sample(X, y):
    return Sample(Rows(X, "cpu"), torch.as_tensor(y, dtype=torch.float32))


def squared_error(outputs, y):
    return (outputs[:, 0] - y).square()


def settings(**changed):
    return Settings(**{"max_epochs": 5, "batch_size": 16, "lr": 0.01} | changed)


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_flat_adam_is_adam(weight_decay):
    X, y = (torch.as_tensor(a, dtype=torch.float32) for a in problem())
    with private_rng(0):
        ours = make_mlp(3, (5,), 1)
    with private_rng(0):
        theirs = make_mlp(3, (5,), 1)
    flat = FlatAdam(ours.parameters(), 0.01, weight_decay=weight_decay)
    adam = torch.optim.Adam(theirs.parameters(), 0.01, weight_decay=weight_decay)
    for _ in range(20):
        flat.step(squared_error(ours(X), y).mean())
        adam.zero_grad()
        squared_error(theirs(X), y).mean().backward()
        adam.step()
    flat.release()
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        # Rounding of single precision over twenty steps.
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)
        assert a.grad is None and a.data.storage_offset() == 0


def test_flat_adam_needs_something_to_train():
    module = make_mlp(3, (), 1).requires_grad_(False)
    with pytest.raises(ValueError, match="no parameter that requires a gradient"):
        FlatAdam(module.parameters(), 0.1)


@pytest.mark.parametrize(("n", "size"), [(7, 3), (6, 3), (1, 4), (4, 9), (5, 1)])
def test_batches_cover_all_rows_and_none_is_alone(n, size):
    parts = batches(n, size)
    assert [row for part in parts for row in range(n)[part]] == list(range(n))
    if size > 1 and n > 1:
        assert all(part.stop - part.start > 1 for part in parts)


def test_early_stopping_keeps_the_best_state():
    module = make_mlp(1, (), 1)
    stopping = EarlyStopping([module], patience=2)
    for score, value in ((3.0, 1.0), (1.0, 2.0), (2.0, 3.0)):
        with torch.no_grad():
            module[0].weight.fill_(value)
        assert not stopping.update(score)
    assert stopping.update(np.nan)
    stopping.restore()
    assert module[0].weight.item() == 2.0
    assert (stopping.best_epoch, stopping.best_score) == (1, 1.0)


def test_the_global_generator_is_left_alone_and_seeds_decide():
    data = sample(*problem())

    def run(seed):
        build = lambda start: torch.nn.Sequential(torch.nn.Dropout(0.3), make_mlp(3, (8,), 1))  # noqa: E731
        return train(build, data, squared_error, settings(), seed=seed).history

    before = torch.random.get_rng_state()
    first = run(0)
    assert bool((before == torch.random.get_rng_state()).all())
    torch.rand(3)
    assert run(0) == first
    assert run(1) != first


def test_sparse_rows_train_as_dense_ones():
    X, y = problem()
    X[X < 0.3] = 0
    build = lambda start: make_mlp(3, (8,), 1)  # noqa: E731
    dense = train(build, sample(X, y), squared_error, settings(), seed=0)
    for matrix in (sparse.csr_matrix(X), sparse.csr_array(X)):
        result = train(build, sample(matrix, y), squared_error, settings(), seed=0)
        assert result.history == dense.history


def test_a_divergence_starts_again_with_smaller_steps():
    data = sample(*problem())
    starts = []

    def build(start):
        starts.append(start)
        module = make_mlp(3, (8,), 1)
        if start < 2:
            with torch.no_grad():
                module[0].weight.fill_(np.nan)
        return module

    result = train(build, data, squared_error, settings(), seed=0)
    assert starts == [0, 1, 2] and result.n_restarts == 2
    assert np.isfinite([record["loss"] for record in result.history]).all()

    with pytest.raises(FloatingPointError, match="diverged in 2 starts.*lower lr"):
        train(build, data, squared_error, settings(max_restarts=1), seed=0)


def test_an_explosion_is_a_divergence_although_it_is_finite():
    data = sample(*problem())
    build = lambda start: make_mlp(3, (8,), 1)  # noqa: E731
    with pytest.raises(FloatingPointError, match="diverged in 1 starts"):
        train(build, data, squared_error, settings(lr=1e4, max_restarts=0), seed=0)


def test_devices():
    assert check_device("cpu") == "cpu"
    assert check_device("auto") == ("cuda" if torch.cuda.is_available() else "cpu")
    with pytest.raises(ValueError, match="device must be one of"):
        check_device("tpu")
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="torch sees no GPU"):
            check_device("cuda")
