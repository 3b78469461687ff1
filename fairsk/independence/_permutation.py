"""Conditional permutations of sensitive features given the target."""

from __future__ import annotations

from typing import Any

import numpy as np

from fairsk.independence._sampler import PermutationSampler, encode, fit_encoder
from fairsk.utils import SensitiveEncoder, SensitiveFeatures


class InverseConditionalPermutation(PermutationSampler):
    r"""Permute sensitive features given the target, through the density of the target given them.

    A copy :math:`\tilde A = A_\Pi` has

    .. math:: P(\Pi = \pi \mid A, Y) \propto \prod_i q(Y_{\pi^{-1}(i)} \mid A_i),

    and is exchangeable with A given Y where q is the density of Y given A: whatever depends on A
    through Y alone cannot tell them apart. Only the density of Y, mostly one-dimensional, is
    estimated, whatever the number and types of the sensitive features.

    A discrete target with two classes, or any classes and at most two distinct values of A, is
    sampled exactly; more classes and few distinct values of A by a short chain over their table
    of counts; everything else by the pairwise chain, whose mixing `mixing_diagnostic` measures.

    Parameters
    ----------
    density : ConditionalDensity, FrozenEstimator or None, default=None
        Of y given the encoded A. None chooses with `default_density`. It is cloned and fitted;
        one in a :class:`sklearn.frozen.FrozenEstimator`, such as the known density of a
        simulation, is used as it is.
    n_steps : int, default=50
        Steps of the chain from the hub to a copy, and from the data to the hub.
    algorithm : {"auto", "exact", "chain"}, default="auto"
        "auto" needs no chain where none is needed; "exact" is an error elsewhere; "chain" is
        always the pairwise chain.
    cv : int, splitter, iterable or None, default=None
        Cross-fit: each row's density comes from a fit without it. None fits one density to all
        rows.
    encoder : {"auto", "passthrough"} or fitted SensitiveEncoder, default="auto"
        How A becomes the density's matrix. "auto" is a `SensitiveEncoder`, or "passthrough" with
        a frozen density: numeric A as it is.
    random_state : int, RandomState instance or None, default=None

    Attributes
    ----------
    density_ : ConditionalDensity
        Only without ``cv``.
    conditional_ : Conditional
        The density given each complete row.
    encoder_ : SensitiveEncoder or None
    complete_ : ndarray of bool of shape (n_samples,)
        Rows without missing sensitive features; the others stay in their place.
    algorithm_ : {"binary", "cells", "cell_chain", "chain"}
    is_exact_ : bool
        Whether copies are independent draws from the distribution above.

    See Also
    --------
    ConditionalPermutation : Through the density of A given y.
    density_check : Whether the density fits; a wrong one breaks the guarantee.
    mixing_diagnostic : Whether the chain takes enough steps.

    References
    ----------
    Lai and Guan, FairICP: equation (7), theorem 2.1, algorithm 3. Berrett et al. (2020), The
    conditional permutation test for independence while controlling for confounders.

    Examples
    --------
    >>> from fairsk.independence import LinearGaussianDensity
    >>> rng = np.random.default_rng(0)
    >>> A = rng.normal(size=(2000, 2))
    >>> y = A[:, 0] + rng.normal(size=2000)
    >>> sampler = InverseConditionalPermutation(LinearGaussianDensity(), random_state=0)
    >>> permutation = sampler.fit(A, y).sample()[0]
    >>> [float(np.corrcoef(a, y)[0, 1]) for a in (A[:, 0], A[permutation, 0])]
    [0.7, 0.7]
    >>> float(abs(np.corrcoef(A[permutation, 1], A[:, 1])[0, 1])) < 0.1
    True
    """

    _inverse = True

    def __init__(
        self,
        density: Any = None,
        *,
        n_steps: int = 50,
        algorithm: str = "auto",
        cv: Any = None,
        encoder: Any = "auto",
        random_state: Any = None,
    ) -> None:
        self.density = density
        self.n_steps = n_steps
        self.algorithm = algorithm
        self.cv = cv
        self.encoder = encoder
        self.random_state = random_state

    def _fit_encoders(self, features: SensitiveFeatures, target: np.ndarray) -> None:
        self.encoder_ = fit_encoder(self, features)

    def _sides(
        self, features: SensitiveFeatures, target: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        return encode(self.encoder_, features), target


class ConditionalPermutation(PermutationSampler):
    r"""Permute sensitive features given the target, through the density of A given the target.

    .. math:: P(\Pi = \pi \mid A, Y) \propto \prod_i q(A_{\pi(i)} \mid Y_i)

    The density of A, of several columns and mixed types, is hard to estimate: this is the
    comparison that `InverseConditionalPermutation` improves on.

    Where every sensitive feature is categorical and the density is one of labels (the default
    there), the target of the density is the combination of their values; otherwise it is the
    encoded A, with the default a Gaussian, linear in the encoded y, with a shrunken covariance.

    Parameters
    ----------
    density : ConditionalDensity, FrozenEstimator or None, default=None
        Of the encoded A given the encoded y.
    n_steps, algorithm, cv, random_state
        As in `InverseConditionalPermutation`.
    encoder : {"auto", "passthrough"}, default="auto"
        How A and y become numbers.

    Attributes
    ----------
    density_, conditional_, encoder_, complete_, algorithm_, is_exact_
        As in `InverseConditionalPermutation`.

    References
    ----------
    Berrett et al. (2020); equation (6) of Lai and Guan, FairICP.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> A = rng.normal(size=(500, 2))
    >>> y = A[:, 0] + rng.normal(size=500)
    >>> sampler = ConditionalPermutation(random_state=0).fit(A, y)
    >>> sampler.sample(3).shape
    (3, 500)
    """

    _inverse = False

    def __init__(
        self,
        density: Any = None,
        *,
        n_steps: int = 50,
        algorithm: str = "auto",
        cv: Any = None,
        encoder: Any = "auto",
        random_state: Any = None,
    ) -> None:
        self.density = density
        self.n_steps = n_steps
        self.algorithm = algorithm
        self.cv = cv
        self.encoder = encoder
        self.random_state = random_state

    def _fit_encoders(self, features: SensitiveFeatures, target: np.ndarray) -> None:
        self.encoder_ = fit_encoder(self, features)
        self._target_encoder = None
        if not self._passes_through():
            self._target_encoder = SensitiveEncoder().fit(target)
        self._combinations = None
        labels = self.density is None or self.density.discrete_target
        if labels and (self.encoder_ is None or not self.encoder_.is_numeric_.any()):
            codes = encode(self.encoder_, features)
            self._combinations = np.unique(codes, axis=0)

    def _sides(
        self, features: SensitiveFeatures, target: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        given = target.reshape(len(target), -1)
        if self._target_encoder is not None:
            given = self._target_encoder.transform(target)
        codes = encode(self.encoder_, features)
        if self._combinations is None:
            return given, codes[:, 0] if codes.shape[1] == 1 else codes
        joined = np.concatenate([self._combinations, codes])
        found, labels = np.unique(joined, axis=0, return_inverse=True)
        if len(found) > len(self._combinations):
            raise ValueError(
                "A has a combination of values that was not there in fit. Merge rare groups first."
            )
        return given, labels.ravel()[len(self._combinations) :]
