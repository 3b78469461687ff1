"""CI-MNIST: digits on a coloured background, with a bias to choose."""

from __future__ import annotations

import os
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils.validation import check_scalar

from ._base import read_arrays

_FILENAME = "mnist.npz"
_ENTRIES = ("x_train", "y_train", "x_test", "y_test")
_SIDES = (28, 14, 7)
# Share of red backgrounds among odd and among even digits: table 5 of the FairIF paper.
_RED = {
    "group_size": (0.15, 0.15),
    "group_distribution_shift": (0.15, 0.85),
    "class_size": (0.5, 0.5),
    None: (0.5, 0.5),
}
_EVEN_KEPT = 0.25
# The position of the channel that the background fills.
_CHANNEL = {"red": 0, "blue": 2}


def make_ci_mnist(
    n_samples: int | None = 20_000,
    *,
    bias: str | None = "group_distribution_shift",
    side: int = 28,
    path: str | os.PathLike | None = None,
    random_state: int | np.random.Generator | np.random.RandomState | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Colour the backgrounds of MNIST digits: odd against even, blue or red, biased on purpose.

    Digits are drawn without replacement, labelled by whether they are even, and given a background
    whose colour is the sensitive feature.

    Parameters
    ----------
    n_samples : int or None, default=20_000
        None takes all: 70,000, or some 44,000 with the bias "class_size".
    bias : {"group_distribution_shift", "group_size", "class_size", None}
        By default, 15 % of the odd and 85 % of the even digits are red: the colour tells the label.
        "group_size": 15 % of all are red. "class_size": three of four even digits are dropped, and
        half of each class is red. None: no bias, half of each class is red.
    side : {28, 14, 7}, default=28
        Pixels a side; smaller images are means of squares.
    path : str or path-like, default=None
        The file `mnist.npz`, or a folder with it; by default the folder named by the environment
        variable ``FAIRSK_DATA``.
    random_state : int, Generator, RandomState or None, default=None
        Decides which digits and which colours.

    Returns
    -------
    X : ndarray of shape (n_samples, 3 * side**2), float32
        Red, green and blue of each pixel from 0 to 1, pixel by pixel.
    y : ndarray of shape (n_samples,), int
        1 for an even digit.
    sensitive_features : ndarray of shape (n_samples, 1), dtype object
        "blue" or "red".

    Raises
    ------
    FileNotFoundError
        If `mnist.npz` is in neither place.
    ValueError
        If a parameter is out of range, or there are fewer digits than `n_samples`.

    Notes
    -----
    The background fills its whole channel, digit and all; the digit itself is in the two others.

    MNIST is distributed under CC BY-SA 3.0 [2]_.

    References
    ----------
    .. [1] FairIF, section 5 and table 5.
    .. [2] LeCun, Y., Cortes, C. and Burges, C. The MNIST database of handwritten digits.

    Examples
    --------
    >>> from fairsk.datasets import make_ci_mnist
    >>> make_ci_mnist(path="nowhere.npz")
    Traceback (most recent call last):
    ...
    FileNotFoundError: There is no file nowhere.npz...
    """
    if bias not in _RED:
        raise ValueError(f"bias must be one of {list(_RED)}, got {bias!r}.")
    if side not in _SIDES:
        raise ValueError(f"side must be one of {list(_SIDES)}, got {side!r}.")
    if n_samples is not None:
        check_scalar(n_samples, "n_samples", Integral, min_val=1)
    rng = _generator(random_state)
    data, _ = read_arrays(_FILENAME, path, _ENTRIES)
    images = np.concatenate([data["x_train"], data["x_test"]])
    digit = np.concatenate([data["y_train"], data["y_test"]])
    y = (digit % 2 == 0).astype(int)
    if bias == "class_size":
        keep = (y == 0) | (rng.random(len(y)) < _EVEN_KEPT)
        images, y = images[keep], y[keep]
    if n_samples is not None and n_samples > len(y):
        raise ValueError(
            f"n_samples={n_samples}, but there are {len(y)} digits with bias={bias!r}. Take fewer, "
            f"or None for all."
        )
    rows = rng.permutation(len(y))[:n_samples]
    images, y = images[rows] / np.float32(255), y[rows]
    block = images.shape[1] // side
    images = images.reshape(-1, side, block, side, block).mean(axis=(2, 4))
    is_red = rng.random(len(y)) < np.array(_RED[bias])[y]
    colour = np.where(is_red, "red", "blue").astype(object)
    X = np.repeat(images.reshape(len(y), -1, 1), 3, axis=2)
    for name, channel in _CHANNEL.items():
        X[colour == name, :, channel] = 1.0
    return X.reshape(len(y), -1), y, colour[:, None]


def _generator(random_state: Any) -> np.random.Generator:
    if isinstance(random_state, np.random.RandomState):
        random_state = random_state.randint(2**31 - 1)
    return np.random.default_rng(random_state)
