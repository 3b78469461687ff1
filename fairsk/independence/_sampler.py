"""What both permutation samplers share: data, density, hub and copies."""

from __future__ import annotations

import copy
from abc import abstractmethod
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, check_scalar

from fairsk.independence._cross_fit import cross_fit_conditional
from fairsk.independence._defaults import default_density
from fairsk.independence._density import Conditional, ConditionalDensity, as_generator, as_target
from fairsk.independence._engines import ALGORITHMS, choose_engine
from fairsk.utils import (
    SensitiveEncoder,
    SensitiveFeatures,
    check_same_rows,
    check_sensitive_features,
)

# With fewer rows neither a density nor a permutation means anything.
MIN_ROWS = 10


class PermutationSampler(BaseEstimator):
    """Density, hub and copies; a subclass says which side is given."""

    density: Any
    n_steps: int
    algorithm: str
    cv: Any
    encoder: Any
    random_state: Any

    # Whether the copy is A[argsort(permutation)], as where targets of A are permuted, or
    # A[permutation], as where A itself is the target.
    _inverse: ClassVar[bool]

    def fit(
        self, A: Any, y: ArrayLike, *, sample_weight: ArrayLike | None = None
    ) -> PermutationSampler:
        """Fit the density and find the state that copies start from.

        Parameters
        ----------
        A : array-like of shape (n_samples,) or (n_samples, n_features)
            Sensitive features: Series, frame, list, array or `SensitiveFeatures`, of any types. A
            row with a missing value stays in its place in every copy and does not train the
            density.
        y : array-like of shape (n_samples,)
            Labels or numbers, without missing values.
        sample_weight : array-like of shape (n_samples,), optional
            Weights of the rows in the density.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If there are fewer than ten complete rows, y or A is constant among them, rows do not
            match, a setting is out of range, or the density is NaN or zero for an observed row.
        """
        self._check_settings()
        features, target, complete = _check_data(A, y, sample_weight)
        rows = np.flatnonzero(complete)
        weight = None
        if sample_weight is not None:
            weight = _check_sample_weight(sample_weight, target, ensure_non_negative=True)[rows]
        self._fit_encoders(features.take(rows), target[rows])
        given, values = self._sides(features.take(rows), target[rows])
        density = self._density_for(values)
        if self.cv is None:
            if isinstance(density, FrozenEstimator):
                self.density_ = density.estimator
            else:
                self.density_ = clone(density).fit(given, values, sample_weight=weight)
            conditional = self.density_.condition(given)
        else:
            conditional = cross_fit_conditional(
                density, given, values, cv=self.cv, sample_weight=weight,
                random_state=_seed(self.random_state),
            )  # fmt: skip
        return self._start(conditional, values, complete)

    def for_rows(self, A: Any, y: ArrayLike) -> PermutationSampler:
        """The sampler of other rows, with the density fitted here.

        A test is valid where the density has not seen the rows that it permutes: fit on training
        rows, then sample for the test rows.

        Parameters
        ----------
        A : array-like of shape (n_samples, n_features)
            The same features as in fit.
        y : array-like of shape (n_samples,)

        Returns
        -------
        sampler
            A new one; this one stays as it is.

        Raises
        ------
        ValueError
            As in `fit`, or if this sampler was cross-fitted and has no single density.
        """
        check_is_fitted(self, "algorithm_")
        if self.cv is not None:
            raise ValueError(
                "A cross-fitted sampler has one density a fold, for its own rows. Set cv=None to "
                "fit one density and use it for other rows."
            )
        features, target, complete = _check_data(A, y, None)
        rows = np.flatnonzero(complete)
        given, values = self._sides(features.take(rows), target[rows])
        other = copy.copy(self)
        return other._start(self.density_.condition(given), values, complete)

    def sample(self, n_permutations: int = 1, random_state: Any = None) -> np.ndarray:
        """Draw conditional permutations.

        Parameters
        ----------
        n_permutations : int, default=1
        random_state : int, RandomState, Generator or None, default=None
            None goes on with the fitted sampler's own generator: calls give new copies, which a
            second fit with the same ``random_state`` repeats.

        Returns
        -------
        ndarray of int of shape (n_permutations, n_samples)
            Row indices: the copy is ``A[permutation]``, and y stays as it is.
        """
        check_is_fitted(self, "algorithm_")
        check_scalar(n_permutations, "n_permutations", Integral, min_val=1)
        rng = self._rng if random_state is None else as_generator(random_state)
        rows = np.flatnonzero(self.complete_)
        result = np.tile(np.arange(len(self.complete_)), (n_permutations, 1))
        for copy_of_rows in result:
            drawn = self._engine.draw(self._hub, self.n_steps, rng)
            copy_of_rows[rows] = rows[_invert(drawn) if self._inverse else drawn]
        return result

    def _check_settings(self) -> None:
        check_scalar(self.n_steps, "n_steps", Integral, min_val=1)
        if self.algorithm not in ALGORITHMS:
            raise ValueError(f"algorithm must be one of {ALGORITHMS}, got {self.algorithm!r}.")
        if self.encoder not in ("auto", "passthrough") and not hasattr(self.encoder, "transform"):
            raise ValueError(
                f"encoder must be 'auto', 'passthrough' or a SensitiveEncoder, got "
                f"{self.encoder!r}."
            )
        frozen = isinstance(self.density, FrozenEstimator)
        if frozen and self.cv is not None:
            raise ValueError("A frozen density is not fitted again: cv must be None.")
        inner = self.density.estimator if frozen else self.density
        if inner is not None and not isinstance(inner, ConditionalDensity):
            raise TypeError(
                f"density must be a ConditionalDensity, got {inner!r}. Wrap a classifier in "
                f"ClassifierDensity, a regressor in HeteroscedasticGaussianDensity."
            )

    def _density_for(self, values: np.ndarray) -> Any:
        if self.density is not None:
            return self.density
        return default_density(values, random_state=_seed(self.random_state))

    def _passes_through(self) -> bool:
        if self.encoder == "auto":
            return isinstance(self.density, FrozenEstimator)
        return self.encoder == "passthrough"

    @abstractmethod
    def _fit_encoders(self, features: SensitiveFeatures, target: np.ndarray) -> None:
        """Learn how A (and y, where it is given) become numbers."""

    @abstractmethod
    def _sides(
        self, features: SensitiveFeatures, target: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The given side and the target of the density."""

    def _start(
        self, conditional: Conditional, values: np.ndarray, complete: np.ndarray
    ) -> PermutationSampler:
        self._rng = as_generator(copy.copy(self.random_state))
        self._engine = choose_engine(conditional, values, self.algorithm)
        self._hub = self._engine.hub(self.n_steps, self._rng)
        self.conditional_, self.complete_, self._values = conditional, complete, values
        self.algorithm_ = self._engine.name
        self.is_exact_ = self._engine.is_exact
        return self


def _check_data(
    A: Any, y: ArrayLike, sample_weight: ArrayLike | None
) -> tuple[SensitiveFeatures, np.ndarray, np.ndarray]:
    """Sensitive features, the target, and which rows have all of the features."""
    if isinstance(A, SensitiveFeatures):
        features = A
        check_same_rows(A=features.columns[0], y=y, sample_weight=sample_weight)
    else:
        check_same_rows(A=A, y=y, sample_weight=sample_weight)
        features = check_sensitive_features(A)
    target = as_target(y, name="y")
    complete = ~np.any(features.missing, axis=0)
    if complete.sum() < MIN_ROWS:
        raise ValueError(
            f"There are {int(complete.sum())} rows with all sensitive features, of {len(target)}; "
            f"a conditional permutation needs at least {MIN_ROWS}."
        )
    rows = np.flatnonzero(complete)
    known = target[rows]
    if bool(np.all(known == known[:1])):
        raise ValueError(
            f"y is constant: every row with sensitive features has {known.tolist()[0]!r}. Given a "
            f"constant y, permute at random: numpy.random.default_rng(0).permutation(len(A))."
        )
    if all(bool(np.all(column[rows] == column[rows[0]])) for column in features.columns):
        raise ValueError(
            f"The sensitive features {list(features.names)} are constant: every copy would equal "
            f"the data. Pass features that vary."
        )
    return features, target, complete


def fit_encoder(sampler: Any, features: SensitiveFeatures) -> SensitiveEncoder | None:
    if sampler._passes_through():
        return None
    if hasattr(sampler.encoder, "transform"):
        return sampler.encoder
    return SensitiveEncoder().fit(features)


def encode(encoder: SensitiveEncoder | None, features: SensitiveFeatures) -> np.ndarray:
    if encoder is not None:
        return encoder.transform(features)
    for name, column in zip(features.names, features.columns, strict=True):
        if column.dtype.kind not in "iufb":
            raise ValueError(
                f"Sensitive feature {name!r} is not numeric, and encoder='passthrough' (the "
                f"default with a frozen density) hands it to the density as it is. Pass the "
                f"SensitiveEncoder that the density was fitted with as encoder."
            )
    return np.column_stack([column.astype(float) for column in features.columns])


def _invert(permutation: np.ndarray) -> np.ndarray:
    """argsort of a permutation, in linear time."""
    inverse = np.empty_like(permutation)
    inverse[permutation] = np.arange(len(permutation))
    return inverse


def _seed(random_state: Any) -> Any:
    """A seed for inner models that leaves a RandomState instance where it is."""
    return copy.copy(random_state)
