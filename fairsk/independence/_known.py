"""A density that is known, for simulations and for comparisons with an oracle."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fairsk.independence._density import ConditionalDensity, as_generator, as_given
from fairsk.independence._gaussian import GaussianConditional


class KnownGaussianDensity(ConditionalDensity):
    """A Gaussian with a known mean and scale; fitting it learns nothing.

    A sampler standardises and encodes A unless told otherwise, so the given side here is raw A
    only with ``encoder="passthrough"``.

    Parameters
    ----------
    mean : callable
        From an array of shape (n, n_features) to the means, of shape (n,).
    scale : float or callable
        The standard deviation, or a function as ``mean`` is.

    Examples
    --------
    >>> oracle = KnownGaussianDensity(lambda a: 2 * a[:, 0], 1.0)
    >>> oracle.log_prob([[0.5]], [1.0])
    array([-0.91893853])
    """

    def __init__(
        self,
        mean: Callable[[np.ndarray], np.ndarray],
        scale: float | Callable[[np.ndarray], np.ndarray] = 1.0,
    ) -> None:
        self.mean = mean
        self.scale = scale

    def _fit(self, given: np.ndarray, target: np.ndarray, sample_weight: np.ndarray | None) -> None:
        """Nothing to learn."""

    def condition(self, given: ArrayLike) -> GaussianConditional:
        """Fix the given side; see `ConditionalDensity.condition`."""
        matrix = as_given(given)
        scale = self.scale(matrix) if callable(self.scale) else self.scale
        return GaussianConditional(self.mean(matrix), np.asarray(scale, dtype=float))

    def sample(self, given: ArrayLike, random_state: Any = None) -> np.ndarray:
        """Draw one target for each row; see `ConditionalDensity.sample`."""
        conditional = self.condition(given)
        noise = as_generator(random_state).standard_normal(conditional.n_rows)
        return conditional.mean + conditional.scale * noise
