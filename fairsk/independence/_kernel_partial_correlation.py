"""Kernel partial correlation: how much V says about U beyond what W says."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fairsk.independence._density import as_generator
from fairsk.independence._kernels import PairKernel, make_kernel
from fairsk.independence._neighbors import (
    NeighborGraph,
    PointCells,
    draw_neighbors,
    neighbor_graph,
)
from fairsk.independence._pair_sums import PairSums
from fairsk.independence._points import as_points
from fairsk.notions import UndefinedFairnessWarning
from fairsk.utils import check_same_rows

TIES = ("average", "random")
# A denominator below this share of the mean of k(u, u) is a rounding error of zero.
ZERO = 1e-12


def kernel_partial_correlation(
    U: ArrayLike,
    V: Any,
    *,
    given: Any = None,
    kernel: str | Callable[..., np.ndarray] = "gaussian",
    bandwidth: str | float = "median",
    n_neighbors: int = 1,
    ties: str = "average",
    standardize: bool = False,
    random_state: Any = None,
) -> float:
    r"""Kernel partial correlation of U and V given W: 0 if independent given W, 1 if determined.

    The coefficient compares what is known of U with and without V,

    .. math:: \rho^2(U, V | W) = \frac{E\,[MMD^2(P_{U|W,V}, P_{U|W})]}
                                      {E\,[MMD^2(\delta_U, P_{U|W})]},

    and is estimated by the likeness of U at neighbouring points,

    .. math:: \hat\rho^2 = \frac{T(W,V) - T(W)}{\frac1n\sum_i k(U_i, U_i) - T(W)}, \qquad
              T(Z) = \frac{1}{nK} \sum_i \sum_{j \in N_K(i; Z)} k(U_i, U_j),

    where N_K(i; Z) are the K nearest neighbours of i in Z. It is zero for equalized odds with U
    the prediction, V the sensitive features and W the label.

    When to trust it: the estimate is consistent, for any number and type of columns, but biased
    towards zero, more so the more columns V has (the same signal gives .33 with one column and .23
    with ten at n = 2,000), and it may be negative. Compare values at the same n, columns and
    scales of W and V alone. To say whether it differs from zero, use `equalized_odds_test`.

    Parameters
    ----------
    U : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Predictions: numbers, probabilities of classes, or labels (strings are groups).
    V : array-like of shape (n_samples,) or (n_samples, n_features)
        Numbers, groups or both: array, list, Series or frame. Distances are Euclidean; two
        different groups are at distance one.
    given : array-like of shape (n_samples,) or (n_samples, n_features), optional
        W. Without it, the unconditional coefficient.
    kernel : {"gaussian", "laplace", "linear", "discrete"} or callable, default="gaussian"
        On U: ``exp(-|u - v|^2 / (2 s^2))``, ``exp(-|u - v| / s)``, ``u . v``, ``1{u = v}``, or a
        function of two arrays of shape (m, n_outputs), row by row, of shape (m,).
    bandwidth : "median" or float, default="median"
        s. The median of the distances of all pairs of rows of U; where that is zero, of the pairs
        that differ.
    n_neighbors : int, default=1
        K, less than the number of rows.
    ties : {"average", "random"}, default="average"
        What becomes of neighbours at the same distance: the exact mean over all ways to choose
        among them, or one way at random (as in the R package KPC, whose value with discrete W or
        V varies from run to run by as much as models differ).
    standardize : bool, default=False
        Whether numeric columns of V and W are standardised first.
    random_state : int, Generator, RandomState or None, default=None
        For ``ties="random"``.

    Returns
    -------
    float
        At most 1; below 0 by chance alone. NaN, with a warning, where W determines U.

    Raises
    ------
    ValueError
        If rows do not match, a value is missing, or there are too few rows for K neighbours.

    Warns
    -----
    UndefinedFairnessWarning
        If U is constant, or constant given W: numerator and denominator are zero.

    References
    ----------
    Huang, Deb and Sen (2022), Kernel partial correlation coefficient, JMLR 23(216), section 3;
    FairICP, definition 1.1.

    Examples
    --------
    >>> import numpy as np
    >>> from fairsk.independence import kernel_partial_correlation
    >>> rng = np.random.default_rng(0)
    >>> label, sensitive, noise = rng.normal(size=(3, 5000))
    >>> fair = label + noise
    >>> kernel_partial_correlation(fair, sensitive, given=label)
    0.0
    >>> unfair = label + noise + sensitive
    >>> kernel_partial_correlation(unfair, sensitive, given=label)
    0.3
    """
    sample = check_sample(U, V, given, n_neighbors, standardize=standardize)
    pair_kernel = make_kernel(sample.U, kernel, bandwidth)
    check_ties(ties)
    generator = as_generator(random_state) if ties == "random" else None
    coefficient = PartialCorrelation(
        pair_kernel, sample.W, n_neighbors=n_neighbors, generator=generator
    )
    if coefficient.is_undefined:
        warn_undefined()
        return float("nan")
    return coefficient.of(sample.V)


class PartialCorrelation:
    """The coefficient of fixed U and W with any V.

    Parameters
    ----------
    kernel : PairKernel
        On U.
    given : ndarray of shape (n_rows, n_columns)
        W.
    n_neighbors : int
    generator : Generator, optional
        Breaks ties at random; without it they are averaged.
    """

    def __init__(
        self,
        kernel: PairKernel,
        given: np.ndarray,
        *,
        n_neighbors: int = 1,
        generator: np.random.Generator | None = None,
    ) -> None:
        self._sums, self._k, self._generator = PairSums(kernel), n_neighbors, generator
        self._cells = PointCells.of_points(given)
        self._points = given[self._cells.example]
        self._without = self._mean(neighbor_graph(self._cells, self._points, n_neighbors))
        likeness = float(self._sums.diagonal.mean())
        self._denominator = likeness - self._without
        self.is_undefined = abs(self._denominator) <= ZERO * abs(likeness)

    def of(self, V: np.ndarray) -> float:
        """The coefficient of V, of shape (n_rows, n_columns)."""
        return self.of_graph(self.graph_of(V))

    def graph_of(self, V: np.ndarray) -> NeighborGraph:
        """Neighbours in (W, V)."""
        cells = PointCells.of_points(V)
        return self.joint_graph(cells.code, V[cells.example])

    def joint_graph(self, code: np.ndarray, points: np.ndarray) -> NeighborGraph:
        """Neighbours in (W, V), with ``V = points[code]``; it does not depend on U."""
        cells = self._cells.crossed_with(code)
        rows = cells.example
        joint = np.concatenate([self._points[self._cells.code[rows]], points[code[rows]]], axis=1)
        return neighbor_graph(cells, joint, self._k)

    def of_graph(self, graph: NeighborGraph) -> float:
        """The coefficient of V, from the neighbours in (W, V).

        0 where it is undefined, since U then says nothing about V given W.
        """
        if self.is_undefined:
            return 0.0
        return (self._mean(graph) - self._without) / self._denominator

    def _mean(self, graph: NeighborGraph) -> float:
        """T, the mean likeness of U at neighbours."""
        if self._generator is None:
            return self._sums.mean_over_neighbors(graph)
        return self._sums.mean_over_pairs(*draw_neighbors(graph, self._generator))


@dataclass(frozen=True)
class Sample:
    """U, V and W as float matrices of the same rows."""

    U: np.ndarray
    V: np.ndarray
    W: np.ndarray


def check_sample(
    U: Any, V: Any, given: Any, n_neighbors: int, *, standardize: bool = False
) -> Sample:
    """Validate the arguments of `kernel_partial_correlation`."""
    check_same_rows(U=U, V=V, given=given)
    outputs = as_points(U, "U")
    features = as_points(V, "V", standardize=standardize)
    if given is None:
        condition = np.zeros((len(outputs), 1))
    else:
        condition = as_points(given, "given", standardize=standardize)
    check_neighbors(n_neighbors, len(outputs))
    return Sample(outputs, features, condition)


def check_neighbors(n_neighbors: int, n_rows: int) -> None:
    """Refuse a number of neighbours that is no positive integer below the number of rows."""
    if not isinstance(n_neighbors, int | np.integer) or n_neighbors < 1:
        raise ValueError(f"n_neighbors must be a positive integer, got {n_neighbors!r}.")
    if n_neighbors >= n_rows:
        raise ValueError(
            f"n_neighbors={n_neighbors} needs at least {n_neighbors + 1} rows, got {n_rows}."
        )


def check_ties(ties: str) -> None:
    """Refuse an unknown way to treat ties."""
    if ties not in TIES:
        raise ValueError(f"ties must be one of {TIES}, got {ties!r}.")


def warn_undefined() -> None:
    """Say that the coefficient is zero over zero."""
    warnings.warn(
        "The kernel partial correlation is undefined: U is constant, or equal among neighbours in "
        "W, so that nothing is left for V to explain. The value is NaN.",
        UndefinedFairnessWarning,
        stacklevel=3,
    )
