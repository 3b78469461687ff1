"""Of several densities the one that predicts the target best."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.utils import check_scalar
from sklearn.utils.validation import check_is_fitted

from fairsk.independence._cross_fit import cross_fit_conditional, split_folds
from fairsk.independence._density import Conditional, ConditionalDensity


class CrossValidatedDensity(ConditionalDensity):
    """Of several densities the one with the highest log-likelihood out of fold.

    A flexible density needs rows: where a linear Gaussian is right, it is also the better estimate
    from a few hundred, and a mixture density network where the target is skewed. Copies can only be
    as good as the density.

    Parameters
    ----------
    densities : sequence of ConditionalDensity
        Unfitted; all for labels, or all for numbers. Of equals the first is taken.
    cv : int, default=5
        Folds.
    random_state : int, RandomState instance or None, default=None
        Shuffles the rows before they are divided.

    Attributes
    ----------
    density_ : ConditionalDensity
        The best one, fitted on all rows.
    best_index_ : int
    scores_ : ndarray of shape (n_densities,)
        Mean log-likelihood of the rows out of fold, in nats; -inf where it is not finite.

    Raises
    ------
    ValueError
        If there is no density, they are for targets of different kinds, or none has a finite
        likelihood.

    Notes
    -----
    Each density is fitted once a fold, and the best one once more.

    Examples
    --------
    >>> from fairsk.independence import (
    ...     CrossValidatedDensity, HeteroscedasticGaussianDensity, LinearGaussianDensity)
    >>> rng = np.random.default_rng(0)
    >>> given = rng.normal(size=(400, 2))
    >>> target = given.sum(axis=1) + np.exp(given[:, 0]) * rng.normal(size=400)
    >>> candidates = [LinearGaussianDensity(), HeteroscedasticGaussianDensity()]
    >>> density = CrossValidatedDensity(candidates, random_state=0).fit(given, target)
    >>> density.density_
    HeteroscedasticGaussianDensity()
    """

    def __init__(
        self, densities: Sequence[ConditionalDensity], *, cv: int = 5, random_state: Any = None
    ) -> None:
        self.densities = densities
        self.cv = cv
        self.random_state = random_state

    @property
    def discrete_target(self) -> bool:  # type: ignore[override]
        """Whether the target holds labels."""
        return bool(self._candidates()[0].discrete_target)

    def _candidates(self) -> list[ConditionalDensity]:
        candidates = list(self.densities)
        for density in candidates:
            if not isinstance(density, ConditionalDensity):
                raise ValueError(f"densities must be ConditionalDensity objects, got {density!r}.")
        if len({density.discrete_target for density in candidates}) != 1:
            raise ValueError(
                "densities must be at least one, and all for labels or all for numbers, got "
                f"{[type(density).__name__ for density in candidates]}."
            )
        return candidates

    def _fit(self, given: np.ndarray, target: np.ndarray, sample_weight: np.ndarray | None) -> None:
        candidates = self._candidates()
        check_scalar(self.cv, "cv", Integral, min_val=2)
        folds = split_folds(candidates[0], given, target, self.cv, self.random_state)
        rows, scores = np.arange(len(given)), []
        for density in candidates:
            conditional = cross_fit_conditional(
                density, given, target, cv=folds, sample_weight=sample_weight
            )
            scores.append(np.average(conditional.log_prob(target, rows), weights=sample_weight))
        self.scores_ = np.where(np.isfinite(scores), scores, -np.inf)
        if not np.isfinite(self.scores_).any():
            raise ValueError(
                "None of the densities has a finite likelihood out of fold. Is the target constant?"
            )
        self.best_index_ = int(np.argmax(self.scores_))
        best = clone(candidates[self.best_index_])
        self.density_ = best.fit(given, target, sample_weight=sample_weight)

    def condition(self, given: ArrayLike) -> Conditional:
        """Fix the given side of the best density.

        Parameters
        ----------
        given : array-like of shape (n_samples, n_features) or (n_samples,)

        Returns
        -------
        Conditional
        """
        check_is_fitted(self)
        return self.density_.condition(given)

    def sample(self, given: ArrayLike, random_state: Any = None) -> np.ndarray:
        """Draw one target for each row from the best density.

        Parameters
        ----------
        given : array-like of shape (n_samples, n_features) or (n_samples,)
        random_state : int, RandomState, Generator or None, default=None

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_outputs)
        """
        check_is_fitted(self)
        return self.density_.sample(given, random_state)
