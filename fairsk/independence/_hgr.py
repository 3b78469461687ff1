"""Hirschfeld-Gebelein-Renyi maximal correlation, of labels and of numbers, also given Y."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fairsk.independence._points import as_points
from fairsk.utils import check_same_rows

# Numbers with at most so many distinct values are tabulated, others are smoothed.
MAX_TABULATED = 30
AGGREGATES = ("mean", "max")
RELAXATIONS = (None, "chi_square")


def hgr_correlation(
    U: ArrayLike,
    V: Any,
    *,
    given: Any = None,
    aggregate: str = "mean",
    relaxation: str | None = None,
    over_columns: str = "mean",
    n_grid: int = 40,
) -> float:
    r"""Maximal correlation of U and V: over all functions, the largest correlation there is.

    .. math:: HGR(U, V) = \sup_{f, g} \operatorname{corr}(f(U), g(V))
                        = \sigma_2\left(\frac{P(u, v)}{\sqrt{P(u) P(v)}}\right)

    It is 0 if and only if U and V are independent. The second singular value (Witsenhausen's
    theorem) is that of the table of frequencies of two discrete variables. A continuous one is
    first smoothed by a Gaussian kernel density on a grid, with Scott's bandwidth. Its chi-square
    relaxation, the sum of the squares of all singular values but the first, is larger than HGR^2
    and differentiable.

    When to trust it: smoothing is noise added to the variable, and takes dependence away. Beyond
    that the plug-in value is biased upwards, by about the root of the number of
    cells over n where U and V are independent, and more so within each value of ``given``. Compare
    it at the same n, or by `equalized_odds_test` with ``statistic="hgr"``.

    Parameters
    ----------
    U : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Predictions: labels, probabilities or numbers.
    V : array-like of shape (n_samples,) or (n_samples, n_features)
        Sensitive features of any types.
    given : array-like of shape (n_samples,), optional
        Y. The value is then computed given each of its values, or where it is continuous, near
        each point of a grid.
    aggregate : {"mean", "max"}, default="mean"
        Over the values of ``given``: their mean, weighted with their frequencies, or the largest.
    relaxation : None or "chi_square", default=None
    over_columns : {"mean", "max"}, default="mean"
        Several columns of U or V are taken two by two; the mean is FairICP's convention. For
        their joint dependence pass one column with their combinations.
    n_grid : int, default=40
        Points a continuous variable.

    Returns
    -------
    float
        In [0, 1]; the relaxation may be larger. 0 where U or V is constant.

    Raises
    ------
    ValueError
        If rows do not match, a value is missing, or an option is unknown.

    References
    ----------
    Mary, Calauzenes and El Karoui (2019), Fairness-aware learning for continuous attributes and
    treatments, ICML; Witsenhausen (1975), On sequences of pairs of dependent random variables.

    Examples
    --------
    >>> import numpy as np
    >>> from fairsk.independence import hgr_correlation
    >>> hgr_correlation([0, 0, 1, 1], ["a", "a", "b", "b"])
    1.0
    >>> x = np.linspace(-1, 1, 2001)
    >>> hgr_correlation(x, x**2), float(abs(np.corrcoef(x, x**2)[0, 1]))
    (0.8, 0.0)
    """
    _check_options(aggregate, relaxation, over_columns, n_grid)
    check_same_rows(U=U, V=V, given=given)
    coefficient = MaximalCorrelation(
        as_points(U, "U", codes=True),
        None if given is None else as_points(given, "given", codes=True),
        aggregate=aggregate,
        relaxation=relaxation,
        n_grid=n_grid,
    )
    features = as_points(V, "V", codes=True)
    pairs = np.concatenate(
        [coefficient.of_levels(as_levels(column, n_grid)) for column in features.T]
    )
    return float(pairs.mean() if over_columns == "mean" else pairs.max())


class MaximalCorrelation:
    """The coefficient of fixed U and Y with any V.

    Parameters
    ----------
    outputs : ndarray of shape (n_rows, n_outputs)
        U.
    given : ndarray of shape (n_rows, 1) or None
    aggregate, relaxation, n_grid
        As in `hgr_correlation`.
    """

    def __init__(
        self,
        outputs: np.ndarray,
        given: np.ndarray | None,
        *,
        aggregate: str = "mean",
        relaxation: str | None = None,
        n_grid: int = 40,
    ) -> None:
        self._aggregate, self._relaxation = aggregate, relaxation
        self._outputs = [as_levels(column, n_grid) for column in outputs.T]
        self._slices = np.ones((1, len(outputs)))
        if given is not None:
            if given.shape[1] > 1:
                raise ValueError(f"given must be one column, got {given.shape[1]}.")
            self._slices = as_levels(given[:, 0], n_grid)

    def of_levels(self, levels: np.ndarray) -> list[float]:
        """The coefficient of each column of U with a variable given by `as_levels`."""
        weight = self._slices.sum(axis=1)
        result = []
        for output in self._outputs:
            values = np.array([self._value(output * part, levels) for part in self._slices])
            mean = float(values @ weight / weight.sum())
            result.append(mean if self._aggregate == "mean" else float(values.max()))
        return result

    def _value(self, output: np.ndarray, levels: np.ndarray) -> float:
        joint = output @ levels.T
        joint = joint[joint.sum(axis=1) > 0][:, joint.sum(axis=0) > 0]
        if min(joint.shape) < 2:
            return 0.0
        joint /= joint.sum()
        root = np.sqrt(np.outer(joint.sum(axis=1), joint.sum(axis=0)))
        # The first singular value is one, its vectors the roots of the margins: taken away, so
        # that the second is the largest.
        singular = np.linalg.svd(joint / root - root, compute_uv=False)
        if self._relaxation == "chi_square":
            return float(np.sum(singular**2))
        return float(min(singular[0], 1.0))


def as_levels(column: np.ndarray, n_grid: int) -> np.ndarray:
    """How much of each row is at each level of a variable; (n_levels, n_rows).

    A value that is smoothed is spread over the grid, and its shares sum to one: what is smoothed
    is then the variable, by noise of its own, which never adds dependence.
    """
    values, code = np.unique(column, return_inverse=True)
    if len(values) <= MAX_TABULATED:
        return (np.arange(len(values))[:, None] == code).astype(float)
    # Scott's rule for a joint density in two dimensions.
    bandwidth = column.std() * len(column) ** (-1 / 6)
    grid = np.linspace(values[0], values[-1], n_grid)
    kernel = np.exp(-(((grid[:, None] - column) / bandwidth) ** 2) / 2)
    return kernel / kernel.sum(axis=0)


def _check_options(aggregate: str, relaxation: str | None, over_columns: str, n_grid: int) -> None:
    for name, value, accepted in (
        ("aggregate", aggregate, AGGREGATES),
        ("relaxation", relaxation, RELAXATIONS),
        ("over_columns", over_columns, AGGREGATES),
    ):
        if value not in accepted:
            raise ValueError(f"{name} must be one of {accepted}, got {value!r}.")
    if not isinstance(n_grid, int | np.integer) or n_grid < 3:
        raise ValueError(f"n_grid must be an integer of at least 3, got {n_grid!r}.")
