"""Checks of parameters, before any work."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np


def check_positive_integers(estimator: Any, *names: str) -> None:
    """Refuse parameters that are not integers >= 1.

    Raises
    ------
    ValueError
    """
    for name in names:
        value: Any = getattr(estimator, name)
        if not isinstance(value, Integral) or isinstance(value, bool) or int(value) < 1:
            raise ValueError(f"{name} must be an integer >= 1, got {value!r}.")


def check_positive_numbers(estimator: Any, *names: str) -> None:
    """Refuse parameters that are not positive finite numbers.

    Raises
    ------
    ValueError
    """
    for name in names:
        value: Any = getattr(estimator, name)
        if not isinstance(value, Real) or not 0 < float(value) < np.inf:
            raise ValueError(f"{name} must be a positive number, got {value!r}.")


def check_layer_sizes(name: str, sizes: Sequence[int]) -> None:
    """Refuse widths of layers that are not a sequence of integers >= 1.

    Raises
    ------
    ValueError
    """
    is_sequence = isinstance(sizes, Sequence | np.ndarray) and not isinstance(sizes, str)
    if not is_sequence or not all(isinstance(s, Integral) and int(s) >= 1 for s in sizes):
        raise ValueError(
            f"{name} must be a sequence of integers >= 1 (empty for a linear model), got {sizes!r}."
        )
