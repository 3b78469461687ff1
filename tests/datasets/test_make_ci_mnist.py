"""CI-MNIST: from a tiny file of digits, and the shares of the real ones."""

import os
from pathlib import Path

import numpy as np
import pytest

from fairsk.datasets import make_ci_mnist

DATA = os.environ.get("FAIRSK_DATA")
BIASES = ("group_distribution_shift", "group_size", "class_size", None)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """800 dark images, of which every pixel tells the digit."""
    path = tmp_path_factory.mktemp("digits")
    digit = np.tile(np.arange(10), 80)
    x = np.broadcast_to(digit[:, None, None] * 10, (800, 28, 28)).astype(np.uint8)
    np.savez(
        path / "mnist.npz", x_train=x[:600], y_train=digit[:600], x_test=x[600:], y_test=digit[600:]
    )
    return path


@pytest.mark.parametrize("side", [28, 14, 7])
def test_labels_and_backgrounds(side, folder):
    X, y, colour = make_ci_mnist(200, side=side, path=folder, random_state=0)
    assert X.shape == (200, 3 * side**2) and X.dtype == np.float32
    assert colour.shape == (200, 1) and set(colour[:, 0]) == {"blue", "red"}
    pixels = X.reshape(200, -1, 3)
    # Green is always the digit; the background has a channel to itself.
    digit = np.round(pixels[:, 0, 1] * 25.5)
    np.testing.assert_array_equal(y, digit % 2 == 0)
    red = colour[:, 0] == "red"
    np.testing.assert_array_equal(np.all(pixels[:, :, 0] == 1, axis=1), red)
    np.testing.assert_array_equal(np.all(pixels[:, :, 2] == 1, axis=1), ~red)


def test_small_images_are_means_of_squares(tmp_path):
    x = np.random.default_rng(0).integers(0, 256, (4, 28, 28)).astype(np.uint8)
    np.savez(tmp_path / "mnist.npz", x_train=x, y_train=np.arange(4), x_test=x[:0], y_test=[])
    X, y, _ = make_ci_mnist(None, side=7, path=tmp_path, random_state=0)
    full, _, _ = make_ci_mnist(None, side=28, path=tmp_path, random_state=0)
    green, fine = X.reshape(4, 7, 7, 3)[..., 1], full.reshape(4, 28, 28, 3)[..., 1]
    # Means of 16 numbers in single precision.
    assert green[2, 3, 5] == pytest.approx(fine[2, 12:16, 20:24].mean(), rel=1e-5)


@pytest.mark.parametrize("bias", BIASES)
def test_the_bias(bias, folder):
    _, y, colour = make_ci_mnist(None, bias=bias, side=7, path=folder, random_state=0)
    red = colour[:, 0] == "red"
    shares = [red[y == label].mean() for label in (0, 1)]
    expected = {"group_distribution_shift": (0.15, 0.85), "group_size": (0.15, 0.15)}
    # Four standard errors of a share of 100 rows at least.
    np.testing.assert_allclose(shares, expected.get(bias, (0.5, 0.5)), atol=0.2)
    assert (y == 0).sum() == 400
    assert 60 < (y == 1).sum() < 140 if bias == "class_size" else (y == 1).sum() == 400


def test_seeds(folder):
    def first(seed):
        return make_ci_mnist(50, side=7, path=folder, random_state=seed)

    for one, other in zip(first(0), first(0), strict=True):
        np.testing.assert_array_equal(one, other)
    assert (first(0)[0] != first(1)[0]).any()
    legacy = first(np.random.RandomState(0))[1]
    np.testing.assert_array_equal(legacy, first(np.random.RandomState(0))[1])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"bias": "colour"}, "bias must be one of"),
        ({"side": 10}, "side must be one of"),
        ({"n_samples": 0}, "n_samples == 0"),
        ({"n_samples": 801}, "there are 800 digits"),
    ],
)
def test_bad_parameters(given, message, folder):
    with pytest.raises(ValueError, match=message):
        make_ci_mnist(**{"path": folder} | given)


def test_no_file(monkeypatch):
    monkeypatch.delenv("FAIRSK_DATA", raising=False)
    with pytest.raises(FileNotFoundError, match="mnist.npz is not bundled.*FAIRSK_DATA"):
        make_ci_mnist()


@pytest.mark.skipif(
    not DATA or not (Path(DATA) / "mnist.npz").is_file(), reason="FAIRSK_DATA lacks mnist.npz"
)
def test_real_digits():
    _, y, colour = make_ci_mnist(None, side=7, bias="class_size", random_state=0)
    assert len(y) == pytest.approx(44_200, abs=400)  # four standard errors
    X, y, colour = make_ci_mnist(5_000, side=7, random_state=0)
    red = colour[:, 0] == "red"
    # Four standard errors.
    assert red[y == 1].mean() == pytest.approx(0.85, abs=0.03)
    assert 0.4 < y.mean() < 0.6 and X.min() >= 0 and X.max() == 1
