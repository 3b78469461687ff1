"""Where the copies of A come from: permutations given Y, or draws from a density of A given Y."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator

from fairsk.independence import (
    ClassifierDensity,
    ConditionalPermutation,
    InverseConditionalPermutation,
    MaskedAutoregressiveFlow,
)
from fairsk.utils import SensitiveEncoder, SensitiveFeatures

STRATEGIES = ("icp", "cp", "oracle", "fdl")


def check_resampling(resampling: Any, density: Any) -> None:
    """Refuse a strategy that is unknown or lacks its density, before any work.

    Raises
    ------
    ValueError, TypeError
    """
    if isinstance(resampling, str):
        if resampling not in STRATEGIES:
            raise ValueError(
                f"resampling must be one of {list(STRATEGIES)} or a sampler, got {resampling!r}."
            )
        if resampling == "oracle" and density is None:
            raise ValueError("resampling='oracle' needs density=, the true density of Y given A.")
        return
    if not (hasattr(resampling, "for_rows") and hasattr(resampling, "sample")):
        raise TypeError(
            f"resampling must be one of {list(STRATEGIES)} or a sampler such as "
            f"InverseConditionalPermutation, got {type(resampling).__name__}."
        )
    if density is not None:
        raise ValueError("Give the density to the sampler, not to the estimator as well.")


class Copier(ABC):
    """Copies of A, as numbers, that know of nothing but Y."""

    @abstractmethod
    def fit(self, features: SensitiveFeatures, y: np.ndarray, weight: np.ndarray | None) -> Copier:
        """Learn from rows of which every sensitive feature is known."""

    @abstractmethod
    def for_rows(self, features: SensitiveFeatures, y: np.ndarray) -> Copier:
        """Copies for other rows, by what was learned from the first ones."""

    @abstractmethod
    def draw(self) -> np.ndarray:
        """A fresh copy, shape (n_samples, n_codes)."""


def make_copier(
    resampling: Any, density: Any, encoder: SensitiveEncoder, discrete: bool, seed: int
) -> Copier:
    """The copier of a strategy.

    Parameters
    ----------
    resampling : {"icp", "cp", "oracle", "fdl"} or sampler
    density : ConditionalDensity or None
    encoder : SensitiveEncoder
        Fitted.
    discrete : bool
        Whether Y is a class.
    seed : int
    """
    if isinstance(resampling, str) and resampling == "fdl":
        if density is not None:
            return DensityDraws(density, encoder, seed)
        return ClassDraws(encoder, seed) if discrete else DensityDraws(None, encoder, seed)
    return Permutations(_sampler(resampling, density, seed), encoder)


def _sampler(resampling: Any, density: Any, seed: int) -> Any:
    if not isinstance(resampling, str):
        sampler = clone(resampling)
        if sampler.random_state is None:
            sampler.set_params(random_state=seed)
        return sampler
    if resampling == "cp":
        return ConditionalPermutation(density, random_state=seed)
    if resampling == "oracle" and not isinstance(density, FrozenEstimator):
        density = FrozenEstimator(density)
    return InverseConditionalPermutation(density, random_state=seed)


class Permutations(Copier):
    """Rows of A in another order."""

    def __init__(self, sampler: Any, encoder: SensitiveEncoder) -> None:
        self.sampler, self.encoder = sampler, encoder

    def fit(
        self, features: SensitiveFeatures, y: np.ndarray, weight: np.ndarray | None
    ) -> Permutations:
        self.sampler.fit(features, y, sample_weight=weight)
        self.codes = self.encoder.transform(features)
        return self

    def for_rows(self, features: SensitiveFeatures, y: np.ndarray) -> Permutations:
        other = Permutations(self.sampler.for_rows(features, y), self.encoder)
        other.codes = self.encoder.transform(features)
        return other

    def draw(self) -> np.ndarray:
        return self.codes[self.sampler.sample()[0]]


class ClassDraws(Copier):
    """Rows of A drawn with replacement among the rows of the same class.

    These are the frequencies of A given Y, for categorical, continuous and mixed A alike.
    """

    def __init__(self, encoder: SensitiveEncoder, seed: int) -> None:
        self.encoder, self._rng = encoder, np.random.default_rng(seed)

    def fit(
        self, features: SensitiveFeatures, y: np.ndarray, weight: np.ndarray | None
    ) -> ClassDraws:
        codes = self.encoder.transform(features)
        self._pools = {label: codes[y == label] for label in np.unique(y)}
        self._shares = {
            label: None if weight is None else weight[y == label] / weight[y == label].sum()
            for label in self._pools
        }
        self._y = y
        return self

    def for_rows(self, features: SensitiveFeatures, y: np.ndarray) -> ClassDraws:
        other = ClassDraws(self.encoder, int(self._rng.integers(2**31)))
        other._pools, other._shares, other._y = self._pools, self._shares, y
        return other

    def draw(self) -> np.ndarray:
        n_codes = len(self.encoder.feature_names_out_)
        copy = np.empty((len(self._y), n_codes))
        for label, pool in self._pools.items():
            rows = np.flatnonzero(self._y == label)
            copy[rows] = pool[self._rng.choice(len(pool), len(rows), p=self._shares[label])]
        return copy


class DensityDraws(Copier):
    """A drawn from a density of A given Y: a flow of measurements, a classifier of groups.

    Mixed A has no default, as it has none in the paper.
    """

    def __init__(self, density: Any, encoder: SensitiveEncoder, seed: int) -> None:
        self.density, self.encoder = density, encoder
        self._rng = np.random.default_rng(seed)

    def fit(
        self, features: SensitiveFeatures, y: np.ndarray, weight: np.ndarray | None
    ) -> DensityDraws:
        codes = self.encoder.transform(features)
        numeric = self.encoder.is_numeric_
        density: Any = self.density
        self._combinations = None
        if density is None and numeric.all():
            density = MaskedAutoregressiveFlow(random_state=int(self._rng.integers(2**31)))
        elif density is None and numeric.any():
            raise ValueError(
                "resampling='fdl' has no default density for sensitive features of which some are "
                "numbers and some groups. Pass density=, a density of the encoded A given y, or "
                "use resampling='icp'."
            )
        elif density is None:
            density = ClassifierDensity()
        target = codes
        if not numeric.any():
            self._combinations, target = np.unique(codes, axis=0, return_inverse=True)
            target = target.ravel()
        self._density = clone(density).fit(y, target, sample_weight=weight)
        self._y = y
        return self

    def for_rows(self, features: SensitiveFeatures, y: np.ndarray) -> DensityDraws:
        other = DensityDraws(self.density, self.encoder, int(self._rng.integers(2**31)))
        other._combinations, other._density, other._y = self._combinations, self._density, y
        return other

    def draw(self) -> np.ndarray:
        drawn = np.asarray(self._density.sample(self._y, self._rng))
        if self._combinations is not None:
            return self._combinations[drawn.astype(int)]
        return drawn.reshape(len(self._y), -1)
