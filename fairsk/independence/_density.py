"""Conditional densities: what every one of them can do, and two families that are fast."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils import check_array
from sklearn.utils.validation import _check_sample_weight

from fairsk.utils import check_same_rows, check_sensitive_features

LOG_2_PI = float(np.log(2 * np.pi))


class Conditional(ABC):
    """A conditional density whose given side is fixed to n rows.

    Whatever is expensive in the given side, such as a network, has been run once per row; what is
    left is elementwise arithmetic in the target.
    """

    @property
    @abstractmethod
    def n_rows(self) -> int:
        """Number of rows of the given side."""

    @abstractmethod
    def log_prob(self, target: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Log-density of some targets, each given one row.

        Parameters
        ----------
        target : ndarray of shape (m,) or (m, n_outputs)
        rows : ndarray of int of shape (m,)

        Returns
        -------
        ndarray of shape (m,)
            ``log q(target[k] | given[rows[k]])``.
        """

    def take(self, rows: np.ndarray) -> Conditional:
        """The density of some of the rows, in any order.

        Parameters
        ----------
        rows : ndarray of int of shape (m,)

        Returns
        -------
        Conditional
            Of m rows. Here it looks rows up in this one; a subclass that copies what it keeps of
            them lets a sampler go through memory in order.
        """
        return _TakenConditional(self, rows)

    def log_odds(
        self,
        target: np.ndarray,
        position_i: np.ndarray,
        position_j: np.ndarray,
        index_i: np.ndarray,
        index_j: np.ndarray,
    ) -> np.ndarray:
        """Log-odds of exchanging targets between pairs of rows.

        Parameters
        ----------
        target : ndarray of shape (n,) or (n, n_outputs)
        position_i, position_j : ndarray of int of shape (m,)
            The rows of the given side that form a pair.
        index_i, index_j : ndarray of int of shape (m,)
            The rows of ``target`` that are with them now.

        Returns
        -------
        ndarray of shape (m,)
            ``log q(y_j | i) + log q(y_i | j) - log q(y_i | i) - log q(y_j | j)``, where y_i is
            ``target[index_i]`` and "| i" is given row ``position_i``.
        """
        target_i, target_j = target[index_i], target[index_j]
        crossed = self.log_prob(target_j, position_i) + self.log_prob(target_i, position_j)
        straight = self.log_prob(target_i, position_i) + self.log_prob(target_j, position_j)
        return crossed - straight


class _TakenConditional(Conditional):
    """Some rows of another conditional."""

    def __init__(self, whole: Conditional, rows: np.ndarray) -> None:
        self.whole, self.rows = whole, rows

    @property
    def n_rows(self) -> int:
        return len(self.rows)

    def log_prob(self, target: np.ndarray, rows: np.ndarray) -> np.ndarray:
        return self.whole.log_prob(target, self.rows[rows])


class ExponentialFamilyConditional(Conditional):
    r"""A density :math:`\exp(T(y)^\top \eta(a) - Z(a) + h(y))`, such as a Gaussian.

    Normaliser and base measure cancel in the log-odds of an exchange, which are
    :math:`\sum_k (T_k(y_j) - T_k(y_i)) (\eta_k(a_i) - \eta_k(a_j))`.

    Parameters
    ----------
    statistics : callable
        Turns targets of shape (m,) or (m, n_outputs) into T of shape (m, n_statistics).
    natural : ndarray of shape (n_rows, n_statistics)
        The natural parameter of each row.
    log_normalizer : ndarray of shape (n_rows,), optional
        Z; needed for `log_prob` alone.
    log_base : callable, optional
        h, from targets to an array of shape (m,); by default zero.
    """

    def __init__(
        self,
        statistics: Callable[[np.ndarray], np.ndarray],
        natural: np.ndarray,
        log_normalizer: np.ndarray | None = None,
        log_base: Callable[[np.ndarray], np.ndarray] | None = None,
    ) -> None:
        self.statistics = statistics
        self.natural = np.asarray(natural, dtype=float)
        self.log_normalizer = log_normalizer
        self.log_base = log_base

    @property
    def n_rows(self) -> int:
        return len(self.natural)

    def log_prob(self, target: np.ndarray, rows: np.ndarray) -> np.ndarray:
        if self.log_normalizer is None:
            raise ValueError(
                "This density is known up to its normaliser: pass log_normalizer for log_prob."
            )
        inner = np.einsum("mk,mk->m", self.statistics(target), self.natural[rows])
        base = 0.0 if self.log_base is None else self.log_base(target)
        return inner - self.log_normalizer[rows] + base

    def log_odds(
        self,
        target: np.ndarray,
        position_i: np.ndarray,
        position_j: np.ndarray,
        index_i: np.ndarray,
        index_j: np.ndarray,
    ) -> np.ndarray:
        moved = self.statistics(target[index_j]) - self.statistics(target[index_i])
        return np.einsum("mk,mk->m", moved, self.natural[position_i] - self.natural[position_j])


class TableConditional(Conditional):
    """Probabilities of a finite number of target values.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        The target's values, sorted.
    log_probabilities : ndarray of shape (n_rows, n_classes)
    """

    def __init__(self, classes: np.ndarray, log_probabilities: np.ndarray) -> None:
        self.classes = np.asarray(classes)
        self.log_probabilities = np.asarray(log_probabilities, dtype=float)

    @property
    def n_rows(self) -> int:
        return len(self.log_probabilities)

    def log_prob(self, target: np.ndarray, rows: np.ndarray) -> np.ndarray:
        return self.log_probabilities[rows, self.codes(target)]

    def codes(self, target: np.ndarray) -> np.ndarray:
        """Position of each target among the classes.

        Raises
        ------
        ValueError
            If a target is none of the classes.
        """
        target = np.asarray(target)
        codes = np.searchsorted(self.classes, target).clip(max=len(self.classes) - 1)
        unknown = self.classes[codes] != target
        if unknown.any():
            raise ValueError(
                f"The target has the value {target[unknown].tolist()[0]!r}, which the density was "
                f"not fitted with; it knows {self.classes.tolist()}."
            )
        return codes


class ConditionalDensity(BaseEstimator, ABC):
    """Estimator of the density of a target given other variables.

    A subclass writes `_fit`, `condition` and `sample`; this class validates, so that what they see
    is a float matrix and a target without missing values.

    Attributes
    ----------
    discrete_target : bool
        Of the class: whether the target holds labels.
    """

    discrete_target: ClassVar[bool] = False

    def fit(
        self, given: ArrayLike, target: ArrayLike, *, sample_weight: ArrayLike | None = None
    ) -> Any:
        """Estimate the density.

        Parameters
        ----------
        given : array-like of shape (n_samples, n_features) or (n_samples,)
        target : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Numbers, or labels where the density is one of classes.
        sample_weight : array-like of shape (n_samples,), optional

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If the rows do not match or a value is missing.
        """
        check_same_rows(given=given, target=target, sample_weight=sample_weight)
        matrix, values = as_given(given), as_target(target)
        weight = None
        if sample_weight is not None:
            weight = _check_sample_weight(sample_weight, matrix, ensure_non_negative=True)
        self.n_features_in_ = matrix.shape[1]
        self._fit(matrix, values, weight)
        return self

    @abstractmethod
    def _fit(self, given: np.ndarray, target: np.ndarray, sample_weight: np.ndarray | None) -> None:
        """Estimate the density from validated arrays."""

    @abstractmethod
    def condition(self, given: ArrayLike) -> Conditional:
        """Fix the given side, running what is expensive in it once a row.

        Parameters
        ----------
        given : array-like of shape (n_samples, n_features) or (n_samples,)

        Returns
        -------
        Conditional
        """

    def log_prob(self, given: ArrayLike, target: ArrayLike) -> np.ndarray:
        """Log-density of each row's target given the row.

        Parameters
        ----------
        given : array-like of shape (n_samples, n_features) or (n_samples,)
        target : array-like of shape (n_samples,) or (n_samples, n_outputs)

        Returns
        -------
        ndarray of shape (n_samples,)
            In nats; of classes, log-probabilities.
        """
        check_same_rows(given=given, target=target)
        conditional = self.condition(given)
        return conditional.log_prob(as_target(target), np.arange(conditional.n_rows))

    @abstractmethod
    def sample(self, given: ArrayLike, random_state: Any = None) -> np.ndarray:
        """Draw one target for each row.

        Parameters
        ----------
        given : array-like of shape (n_samples, n_features) or (n_samples,)
        random_state : int, RandomState, Generator or None, default=None

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_outputs)
        """


def as_given(values: ArrayLike) -> np.ndarray:
    """The given side as a float matrix; one variable may be one-dimensional."""
    array = np.asarray(values)
    array = array[:, None] if array.ndim == 1 else array
    return check_array(array, dtype=np.float64, input_name="given")


def as_target(values: ArrayLike, name: str = "target") -> np.ndarray:
    """The target as an array of numbers, booleans or text; one column is flattened.

    Raises
    ------
    ValueError
        If a value is missing or infinite, or types are mixed.
    """
    array = np.asarray(values)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.dtype == object and array.ndim == 1:
        column = check_sensitive_features(array)
        if column.missing[0].any():
            raise ValueError(f"{name} has {int(column.missing[0].sum())} missing values.")
        array = column.columns[0]
        if array.dtype == object:
            types = {type(value).__name__ for value in array}
            if len(types) > 1:
                raise ValueError(f"{name} mixes values of the types {sorted(types)}.")
            # Text of a fixed width sorts far faster than objects.
            array = array.astype(str) if types == {"str"} else array
    if array.dtype.kind in "USO":
        return check_array(array, dtype=None, ensure_2d=False, ensure_all_finite=False)
    dtype = np.float64 if array.dtype.kind == "f" else None
    return check_array(array, dtype=dtype, ensure_2d=False, input_name=name)


def as_generator(random_state: Any) -> np.random.Generator:
    """A generator from what scikit-learn accepts as a seed, or from a generator itself."""
    if isinstance(random_state, np.random.RandomState):
        return np.random.default_rng(random_state.randint(0, 2**31, size=4))
    return np.random.default_rng(random_state)
