"""Whether a conditional density fits: what a permutation test rests on."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import kstest, norm
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_scalar

from fairsk.independence._cross_fit import split_folds
from fairsk.independence._defaults import default_density
from fairsk.independence._density import (
    ConditionalDensity,
    TableConditional,
    as_generator,
    as_target,
)
from fairsk.utils import SensitiveEncoder, check_same_rows, check_sensitive_features

# More rows than this say nothing new, and each is drawn for n_draws times.
MAX_ROWS = 20_000


@dataclass(frozen=True)
class DensityCheck:
    """How well a density fits rows that it has not seen.

    Attributes
    ----------
    pvalue : float
        The smallest p-value times the number of tests, at most one. Small: the density is wrong.
    pvalues : dict of str to float
        Of each test: that the transform is uniform ("uniform"), and that nothing of the given
        side predicts it ("a0 mean", "a0 spread"); for classes, that predicted and observed
        frequencies agree overall ("yes") and along the given side ("yes, a0", "yes, a0 squared").
    mean_log_prob : float
        In nats a row, higher is better; compares densities of one target.
    transform : ndarray of shape (n_rows, n_outputs) or None
        The probability integral transform of each row, uniform where the density is right; None
        for classes.
    """

    pvalue: float
    pvalues: dict[str, float]
    mean_log_prob: float
    transform: np.ndarray | None


def density_check(
    density: Any,
    given: Any,
    target: ArrayLike,
    *,
    cv: Any = 5,
    n_draws: int = 99,
    random_state: Any = None,
) -> DensityCheck:
    r"""Test whether a conditional density fits.

    Of a continuous target, the share u of draws from the density below the observed value is
    uniform and independent of the given side where the density is right. Tested are its uniformity
    (Kolmogorov-Smirnov) and the correlation of u, and of its distance from a half, with each given
    column: a wrong mean shows in the first, a wrong spread in the second. Of classes, the score
    :math:`\sum_i (1\{y_i = c\} - p_i) f(a_i)` has the variance
    :math:`\sum_i p_i (1 - p_i) f(a_i)^2`, with f one, each given column, and its square.

    Why it matters: copies drawn with a wrong density are not exchangeable with A, so that a test
    built on them rejects true hypotheses too often. A check that does not reject is no proof: with
    few rows, small errors stay hidden, and dependence beyond means, spreads and squares is not
    looked for.

    Parameters
    ----------
    density : ConditionalDensity, FrozenEstimator or None
        Cloned and fitted without the rows that it is checked on; in a
        :class:`sklearn.frozen.FrozenEstimator` it is checked as it is, on rows that should be new
        to it. None means `default_density`.
    given : array-like of shape (n_samples,) or (n_samples, n_features)
        Such as A, encoded as the samplers do; numeric, and used as it is, for a frozen density.
        Rows with missing values are left out.
    target : array-like of shape (n_samples,) or (n_samples, n_outputs)
    cv : int, splitter or iterable, default=5
        Folds that the density is fitted without.
    n_draws : int, default=99
        Draws a row for the transform.
    random_state : int, RandomState, Generator or None, default=None

    Returns
    -------
    DensityCheck

    Examples
    --------
    >>> from fairsk.independence import LinearGaussianDensity
    >>> rng = np.random.default_rng(0)
    >>> a = rng.normal(size=1000)
    >>> noise = rng.normal(size=1000)
    >>> good = density_check(LinearGaussianDensity(), a, a + noise, random_state=0)
    >>> bad = density_check(LinearGaussianDensity(), a, a**2 + noise, random_state=0)
    >>> good.pvalue > 0.05, bad.pvalue < 0.001
    (True, True)
    """
    check_scalar(n_draws, "n_draws", Integral, min_val=1)
    check_same_rows(given=given, target=target)
    frozen = isinstance(density, FrozenEstimator)
    matrix, values = _rows(given, as_target(target), encode=not frozen)
    if density is None:
        density = default_density(values, random_state=0)
    if not isinstance(density.estimator if frozen else density, ConditionalDensity):
        raise TypeError(f"density must be a ConditionalDensity, got {density!r}.")
    rng = as_generator(random_state)
    if frozen:
        parts = [(density.estimator, np.arange(len(matrix)))]
    else:
        seed = int(rng.integers(2**31))
        parts = [
            (clone(density).fit(matrix[train], values[train]), test)
            for train, test in split_folds(density, matrix, values, cv, seed)
        ]
    return _check(parts, matrix, values, n_draws, rng)


def _rows(given: Any, target: np.ndarray, *, encode: bool) -> tuple[np.ndarray, np.ndarray]:
    features = check_sensitive_features(given)
    rows = np.flatnonzero(~np.any(features.missing, axis=0))
    if len(rows) > MAX_ROWS:
        rows = np.sort(np.random.default_rng(0).choice(rows, MAX_ROWS, replace=False))
    features = features.take(rows)
    if encode:
        return SensitiveEncoder().fit_transform(features), target[rows]
    return np.column_stack([column.astype(float) for column in features.columns]), target[rows]


def _check(
    parts: list, matrix: np.ndarray, values: np.ndarray, n_draws: int, rng: np.random.Generator
) -> DensityCheck:
    log_prob = np.concatenate([d.log_prob(matrix[rows], values[rows]) for d, rows in parts])
    if not np.isfinite(log_prob).all():
        raise ValueError(
            f"The log-density of {int((~np.isfinite(log_prob)).sum())} rows is not finite: the "
            f"density is broken, and no check is needed."
        )
    if isinstance(parts[0][0].condition(matrix[parts[0][1]][:1]), TableConditional):
        transform, pvalues = None, _calibration_tests(parts, matrix, values)
    else:
        transform = np.empty((len(matrix), values[:1].size))
        for density, rows in parts:
            transform[rows] = _transform(density, matrix[rows], values[rows], n_draws, rng)
        pvalues = _transform_tests(transform, matrix)
    worst = min(pvalues.values())
    return DensityCheck(
        min(1.0, worst * len(pvalues)), pvalues, float(log_prob.mean()), transform
    )  # fmt: skip


def _transform(
    density: ConditionalDensity,
    given: np.ndarray,
    target: np.ndarray,
    n_draws: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Rank of each target among draws, made continuous at random."""
    observed = target.reshape(len(target), -1)
    below = np.zeros(observed.shape)
    conditional_draws = (density.sample(given, rng) for _ in range(n_draws))
    for draw in conditional_draws:
        below += draw.reshape(observed.shape) < observed
    return (below + rng.random(below.shape)) / (n_draws + 1)


def _transform_tests(transform: np.ndarray, matrix: np.ndarray) -> dict[str, float]:
    pvalues = {}
    for j, u in enumerate(transform.T):
        of = "" if transform.shape[1] == 1 else f"y{j} "
        pvalues[f"{of}uniform"] = float(kstest(u, "uniform").pvalue)
        for k, column in enumerate(matrix.T):
            pvalues[f"{of}a{k} mean"] = _correlation_test(u - 0.5, column)
            pvalues[f"{of}a{k} spread"] = _correlation_test(np.abs(u - 0.5) - 0.25, column)
            pvalues[f"{of}a{k} squared"] = _correlation_test(u - 0.5, column**2)
    return pvalues


def _correlation_test(u: np.ndarray, column: np.ndarray) -> float:
    """Normal test of sum u f: u has a known mean of zero where the density is right."""
    f = column - column.mean()
    scale = np.sqrt((u**2 * f**2).sum())
    return float(2 * norm.sf(abs(u @ f) / scale)) if scale > 0 else 1.0


def _calibration_tests(
    parts: list, matrix: np.ndarray, values: np.ndarray
) -> dict[str, float]:  # fmt: skip
    classes = parts[0][0].condition(matrix[:1]).classes
    probability = np.empty((len(matrix), len(classes)))
    for density, rows in parts:
        probability[rows] = np.exp(density.condition(matrix[rows]).log_probabilities)
    pvalues = {}
    # The last class of two has the scores of the first.
    for c in range(len(classes) - (len(classes) == 2)):
        p = probability[:, c]
        residual, variance = (values == classes[c]) - p, p * (1 - p)
        functions = {"": np.ones(len(matrix))}
        for k, column in enumerate(matrix.T):
            functions[f", a{k}"] = column - column.mean()
            squared = (column - column.mean()) ** 2
            # The square of an indicator says what the indicator does.
            if len(np.unique(column[:1000])) > 2:
                functions[f", a{k} squared"] = squared - squared.mean()
        for name, f in functions.items():
            scale = np.sqrt(variance @ f**2)
            z = abs(residual @ f) / scale if scale > 0 else 0.0
            pvalues[f"{classes[c]}{name}"] = float(2 * norm.sf(z))
    return pvalues
