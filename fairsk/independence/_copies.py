"""Copies of the sensitive features for a test, with what is known about their validity."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator

from fairsk.independence._defaults import is_discrete_target
from fairsk.independence._density_check import DensityCheck, density_check
from fairsk.independence._heteroscedastic import HeteroscedasticGaussianDensity
from fairsk.independence._permutation import ConditionalPermutation, InverseConditionalPermutation
from fairsk.independence._sampler import PermutationSampler, _check_data
from fairsk.utils import SensitiveFeatures

RESAMPLINGS = ("auto", "within_label", "icp", "cp")
# Folds of the density check where the density itself is not cross-fitted.
CHECK_FOLDS = 5
# Rows of a continuous label below which a network is not cross-fitted by default.
FEW_ROWS = 1_000


class Copies(ABC):
    """Draws permutations; ``A[permutation]`` is exchangeable with A given the label.

    Attributes
    ----------
    name : str
    density_check : DensityCheck or None
    """

    name: str
    density_check: DensityCheck | None = None

    @abstractmethod
    def draw(self, generator: np.random.Generator) -> np.ndarray:
        """Row indices into A, of shape (n_rows,)."""


class WithinLabelCopies(Copies):
    """Permutations at random of the rows of each label.

    Rows of one label are exchangeable in A whatever its distribution: no density, no error.

    Parameters
    ----------
    label : ndarray of shape (n_rows,)
    """

    name = "within_label"

    def __init__(self, label: np.ndarray) -> None:
        self._code = np.unique(label, return_inverse=True)[1]
        self._sorted = np.argsort(self._code, kind="stable")

    def draw(self, generator: np.random.Generator) -> np.ndarray:
        shuffled = np.lexsort((generator.random(len(self._code)), self._code))
        permutation = np.empty(len(shuffled), dtype=np.intp)
        permutation[self._sorted] = shuffled
        return permutation


class SampledCopies(Copies):
    """Draws of a fitted permutation sampler.

    Parameters
    ----------
    sampler : PermutationSampler
    name : str
    density_check : DensityCheck or None
    """

    def __init__(
        self, sampler: PermutationSampler, name: str, density_check: DensityCheck | None
    ) -> None:
        self._sampler, self.name, self.density_check = sampler, name, density_check

    def draw(self, generator: np.random.Generator) -> np.ndarray:
        return self._sampler.sample(1, generator)[0]


def make_copies(
    label: np.ndarray,
    features: SensitiveFeatures,
    *,
    resampling: Any,
    density: Any,
    density_data: tuple[Any, Any] | None,
    cv: Any,
    n_steps: int,
    check_density: bool,
    generator: np.random.Generator,
) -> Copies:
    """Decide how copies are drawn, fit what that needs, and check it.

    Parameters are those of `equalized_odds_test`; rows are complete.
    """
    _check_data(features, label, None)
    resampling = _resolve(resampling, label, density, density_data)
    if isinstance(resampling, str) and resampling == "within_label":
        return WithinLabelCopies(label)
    name = resampling if isinstance(resampling, str) else type(resampling).__name__
    sampler = resampling
    if isinstance(resampling, str):
        kind = InverseConditionalPermutation if resampling == "icp" else ConditionalPermutation
        on_these_rows = density_data is None and not isinstance(density, FrozenEstimator)
        few = on_these_rows and len(label) < FEW_ROWS
        if density is None and resampling == "icp" and few and not is_discrete_target(label):
            # A network cross-fitted on so few rows rejects fair models twice too often.
            density = HeteroscedasticGaussianDensity()
        sampler = kind(
            density,
            n_steps=n_steps,
            cv=cv if on_these_rows else None,
            random_state=int(generator.integers(2**31)),
        )
    sampler, is_separate = _fit(sampler, label, features, density_data)
    check = None
    if check_density:
        check = _check(sampler, label, features, is_separate, generator)
    return SampledCopies(sampler, name, check)


def _resolve(
    resampling: Any, label: np.ndarray, density: Any, density_data: Any
) -> str | PermutationSampler:
    """A name, "auto" decided, or a sampler; refuse what would go unused."""
    if isinstance(resampling, PermutationSampler):
        if density is not None:
            raise ValueError("density is that of the sampler: leave it out, or pass a name.")
        return resampling
    if not isinstance(resampling, str) or resampling not in RESAMPLINGS:
        raise ValueError(
            f"resampling must be one of {RESAMPLINGS} or a permutation sampler, got {resampling!r}."
        )
    wants_density = density is not None or density_data is not None
    discrete = is_discrete_target(label)
    if resampling == "auto":
        return "icp" if wants_density or not discrete else "within_label"
    if resampling == "within_label" and wants_density:
        raise ValueError(
            "resampling='within_label' has no density: leave out density and density_data, or "
            "set resampling='icp'."
        )
    if resampling == "within_label" and not discrete:
        raise ValueError(
            f"resampling='within_label' needs labels, but y_true is continuous "
            f"({len(np.unique(label))} distinct values): rows of one label would have nowhere to "
            f"go. Use 'icp'."
        )
    return resampling


def _fit(
    sampler: PermutationSampler,
    label: np.ndarray,
    features: SensitiveFeatures,
    density_data: tuple[Any, Any] | None,
) -> tuple[PermutationSampler, bool]:
    """The sampler of these rows, and whether its density was made without them."""
    if hasattr(sampler, "algorithm_"):
        if density_data is not None:
            raise ValueError("The sampler is fitted already: leave out density_data.")
        return sampler.for_rows(features, label), True
    sampler = clone(sampler)
    if density_data is None:
        sampler.fit(features, label)
        return sampler, isinstance(sampler.density, FrozenEstimator)
    if not isinstance(density_data, tuple) or len(density_data) != 2:
        raise ValueError("density_data must be a tuple (y, sensitive_features).")
    if sampler.cv is not None:
        sampler.set_params(cv=None)
    fitted = sampler.fit(density_data[1], density_data[0])
    return fitted.for_rows(features, label), True


def _check(
    sampler: PermutationSampler,
    label: np.ndarray,
    features: SensitiveFeatures,
    is_separate: bool,
    generator: np.random.Generator,
) -> DensityCheck:
    """On rows that the density has not seen: these, or those of held-out folds."""
    given, target = sampler._sides(features, label)
    if is_separate:
        density, cv = FrozenEstimator(sampler.density_), None
    else:
        density = sampler._density_for(target)
        cv = CHECK_FOLDS if sampler.cv is None else sampler.cv
    return density_check(density, given, target, cv=cv, random_state=generator)
