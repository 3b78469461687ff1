"""The density that suits a target."""

from __future__ import annotations

import importlib.util
import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fairsk.independence._classifier import ClassifierDensity
from fairsk.independence._density import ConditionalDensity, as_target
from fairsk.independence._gaussian import LinearGaussianDensity
from fairsk.independence._heteroscedastic import HeteroscedasticGaussianDensity

# Whole numbers with more distinct values than this are measured on a scale sooner than labels.
MAX_CLASSES = 30


def is_discrete_target(target: ArrayLike) -> bool:
    """Whether a target holds labels: no numbers, or at most 30 different whole ones.

    Parameters
    ----------
    target : array-like of shape (n_samples,) or (n_samples, n_outputs)

    Returns
    -------
    bool

    Examples
    --------
    >>> is_discrete_target(["a", "b"]), is_discrete_target([0, 1, 1]), is_discrete_target([0.5, 1])
    (True, True, False)
    """
    values = as_target(target)
    if values.ndim > 1:
        return False
    if values.dtype.kind not in "iuf":
        return True
    if values.dtype.kind == "f" and bool(np.any(values != np.round(values))):
        return False
    return len(np.unique(values)) <= MAX_CLASSES


def default_density(target: ArrayLike, *, random_state: Any = None) -> ConditionalDensity:
    """The density that suits a target, unfitted.

    Parameters
    ----------
    target : array-like of shape (n_samples,) or (n_samples, n_outputs)
    random_state : int, RandomState instance or None, default=None
        For the densities that are trained from a random start.

    Returns
    -------
    ConditionalDensity
        `ClassifierDensity` of labels; `MixtureDensityNetwork` of one continuous column, or
        `HeteroscedasticGaussianDensity`, with a warning, where torch is not installed;
        `LinearGaussianDensity` of several columns, with a shrunken covariance.

    Examples
    --------
    >>> default_density([0, 1, 0])
    ClassifierDensity()
    """
    values = as_target(target)
    if is_discrete_target(values):
        return ClassifierDensity()
    if values.ndim > 1:
        return LinearGaussianDensity(covariance="ledoit_wolf")
    if importlib.util.find_spec("torch") is None:
        warnings.warn(
            "torch is not installed, so that the density of the continuous target is a Gaussian "
            "with quadratic mean and log-variance instead of a mixture density network, which fits "
            "skewed targets far better. Install it with pip install 'fairsk[neural]', or pass "
            "density=HeteroscedasticGaussianDensity() to choose this one.",
            UserWarning,
            stacklevel=2,
        )
        return HeteroscedasticGaussianDensity()
    from fairsk.independence._mixture_density import MixtureDensityNetwork

    return MixtureDensityNetwork(random_state=random_state)
