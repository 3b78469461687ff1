"""Gaussian conditionals, and the Gaussian that is linear in the given variables."""

from __future__ import annotations

from functools import partial
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.covariance import GraphicalLassoCV, LedoitWolf, graphical_lasso
from sklearn.linear_model import LassoCV
from sklearn.model_selection import KFold
from sklearn.utils.validation import check_is_fitted, check_scalar

from fairsk.independence._density import (
    LOG_2_PI,
    Conditional,
    ConditionalDensity,
    ExponentialFamilyConditional,
    as_generator,
    as_given,
)

PENALTIES = (None, "lasso")
COVARIANCES = ("empirical", "ledoit_wolf", "graphical_lasso")


class GaussianConditional(ExponentialFamilyConditional):
    """A one-dimensional Gaussian with its own mean and scale in each row.

    Parameters
    ----------
    mean, scale : ndarray of shape (n_rows,)
        In units of the target; the scale is the standard deviation.
    """

    def __init__(self, mean: np.ndarray, scale: np.ndarray) -> None:
        self.mean = np.asarray(mean, dtype=float)
        self.scale = np.broadcast_to(np.asarray(scale, dtype=float), self.mean.shape)
        # Powers of a target far from zero would cancel: they are taken around the means.
        center, unit = float(np.mean(self.mean)), float(np.median(self.scale))
        precision = (unit / self.scale) ** 2
        natural = np.column_stack([(self.mean - center) / unit * precision, -0.5 * precision])
        super().__init__(partial(_first_two_powers, center=center, unit=unit), natural)

    def log_prob(self, target: np.ndarray, rows: np.ndarray) -> np.ndarray:
        scale = self.scale[rows]
        residual = (np.asarray(target, dtype=float) - self.mean[rows]) / scale
        return -0.5 * (residual**2 + LOG_2_PI) - np.log(scale)


def _first_two_powers(target: np.ndarray, *, center: float, unit: float) -> np.ndarray:
    standardised = (np.asarray(target, dtype=float) - center) / unit
    return np.column_stack([standardised, standardised**2])


class LinearGaussianDensity(ConditionalDensity):
    r"""A Gaussian whose mean is linear in the given variables, with one (co)variance.

    .. math:: Y \mid A = a \sim N(b_0 + B a, \Sigma)

    Right where the regression is linear with even noise; elsewhere a test built on it rejects too
    often (see `density_check`).

    Parameters
    ----------
    penalty : {None, "lasso"}, default=None
        None is least squares; "lasso" chooses its penalty by cross-validation. The variance is
        the mean squared residual per degree of freedom, n minus the number of coefficients that
        are not zero.
    covariance : {"empirical", "ledoit_wolf", "graphical_lasso"}, default="empirical"
        For a target of several columns, such as A given Y. "ledoit_wolf" shrinks the residuals'
        covariance, so that it can be inverted at any width. "graphical_lasso" estimates the joint
        precision of given and target with a penalty chosen by cross-validation, and conditions it
        on the given columns; ``penalty`` is then not used.
    cv : int, default=5
        Folds that choose penalties.

    Attributes
    ----------
    coef_ : ndarray of shape (n_outputs, n_features)
    intercept_ : ndarray of shape (n_outputs,)
    covariance_, precision_ : ndarray of shape (n_outputs, n_outputs)
        Of the residuals, and its inverse.

    References
    ----------
    Lai and Guan, FairICP, section 3.1.1: LASSO for Y given A, graphical LASSO for A given Y.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> given = rng.normal(size=(500, 2))
    >>> target = given @ [1.0, -2.0] + 0.5 * rng.normal(size=500)
    >>> density = LinearGaussianDensity().fit(given, target)
    >>> density.coef_.round(1)
    array([[ 1., -2.]])
    >>> float(density.covariance_[0, 0])
    0.25
    """

    def __init__(
        self, *, penalty: str | None = None, covariance: str = "empirical", cv: int = 5
    ) -> None:
        self.penalty = penalty
        self.covariance = covariance
        self.cv = cv

    def _fit(self, given: np.ndarray, target: np.ndarray, sample_weight: np.ndarray | None) -> None:
        if self.penalty not in PENALTIES:
            raise ValueError(f"penalty must be one of {PENALTIES}, got {self.penalty!r}.")
        if self.covariance not in COVARIANCES:
            raise ValueError(f"covariance must be one of {COVARIANCES}, got {self.covariance!r}.")
        check_scalar(self.cv, "cv", Integral, min_val=2)
        self._one_dimensional = target.ndim == 1
        outputs = as_numbers(target).reshape(len(target), -1)
        weight = np.ones(len(given)) if sample_weight is None else sample_weight
        if self.covariance == "graphical_lasso" and outputs.shape[1] + given.shape[1] > 1:
            self._fit_joint(given, outputs, weight)
        else:
            self._fit_regression(given, outputs, weight)

    def _fit_regression(self, given: np.ndarray, outputs: np.ndarray, weight: np.ndarray) -> None:
        mean, center = (np.average(v, axis=0, weights=weight) for v in (given, outputs))
        root = np.sqrt(weight)[:, None]
        x, y = (given - mean) * root, (outputs - center) * root
        if self.penalty is None:
            coef, _, rank, _ = np.linalg.lstsq(x, y, rcond=None)
            self.coef_, used = coef.T, np.full(outputs.shape[1], rank)
        else:
            self.coef_ = np.array([self._lasso(given, column, weight) for column in outputs.T])
            used = np.count_nonzero(self.coef_, axis=1)
        self.intercept_ = center - self.coef_ @ mean
        residuals = y - x @ self.coef_.T
        self._set_covariance(residuals, used + 1, weight)

    def _lasso(self, given: np.ndarray, column: np.ndarray, weight: np.ndarray) -> np.ndarray:
        # LASSO is not invariant to scale; standardised columns are penalised alike.
        scale = given.std(axis=0)
        scale[scale == 0] = 1.0
        folds = KFold(self.cv, shuffle=True, random_state=0)
        model = LassoCV(cv=folds, max_iter=10_000).fit(
            given / scale, column, sample_weight=weight * (len(weight) / weight.sum())
        )
        return model.coef_ / scale

    def _set_covariance(self, residuals: np.ndarray, used: np.ndarray, weight: np.ndarray) -> None:
        n_effective = weight.sum() ** 2 / (weight**2).sum()
        # Without degrees of freedom left, least squares fits noise: the plain mean is kept.
        share = np.maximum(1.0 - used / n_effective, 1.0 / n_effective)
        scaled = residuals / np.sqrt(share * weight.mean())
        if self.covariance == "ledoit_wolf" and residuals.shape[1] > 1:
            covariance = LedoitWolf(assume_centered=True).fit(scaled).covariance_
        else:
            covariance = scaled.T @ scaled / len(scaled)
        self.covariance_ = covariance
        smallest, largest = np.linalg.eigvalsh(covariance)[[0, -1]]
        if not smallest > 1e-12 * largest:
            raise ValueError(
                "The covariance of the residuals is singular: a target column is a linear function "
                "of the others or of the given ones, or there are too few rows. Drop such columns, "
                "or use covariance='ledoit_wolf'."
            )
        self.precision_ = np.linalg.inv(covariance)

    def _fit_joint(self, given: np.ndarray, outputs: np.ndarray, weight: np.ndarray) -> None:
        joint = np.column_stack([given, outputs])
        mean = np.average(joint, axis=0, weights=weight)
        scale = np.sqrt(np.average((joint - mean) ** 2, axis=0, weights=weight))
        scale[scale == 0] = 1.0
        # Rows times the root of their weight have the weighted covariance.
        rows = (joint - mean) / scale * np.sqrt(weight / weight.mean())[:, None]
        precision = _graphical_lasso_precision(rows, self.cv) / np.outer(scale, scale)
        d = given.shape[1]
        self.precision_ = precision[d:, d:]
        self.covariance_ = np.linalg.inv(self.precision_)
        self.coef_ = -np.linalg.solve(self.precision_, precision[d:, :d])
        self.intercept_ = mean[d:] - self.coef_ @ mean[:d]

    def _means(self, given: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        check_is_fitted(self, "coef_")
        matrix = check_width(self, given)
        return matrix, self.intercept_ + matrix @ self.coef_.T

    def condition(self, given: ArrayLike) -> Conditional:
        """Fix the given side; see `ConditionalDensity.condition`."""
        matrix, means = self._means(given)
        if self._one_dimensional:
            return GaussianConditional(means[:, 0], np.sqrt(self.covariance_[0, 0]))
        # The part of the exponent that joins both sides is (y - c)' P B a: as few statistics as
        # the narrower of the two sides has columns.
        center = self.intercept_ + matrix.mean(axis=0) @ self.coef_.T
        joint = self.precision_ @ self.coef_
        centered = matrix - matrix.mean(axis=0)
        if joint.shape[1] <= joint.shape[0]:
            directions, natural = joint, centered
        else:
            directions, natural = np.eye(joint.shape[0]), centered @ joint.T
        quadratic = np.einsum(
            "nk,kl,nl->n", means - center, self.precision_, means - center, optimize=True
        )
        log_det = np.linalg.slogdet(self.precision_)[1]
        return ExponentialFamilyConditional(
            partial(_projected, center=center, directions=directions),
            natural,
            log_normalizer=0.5 * (quadratic + len(center) * LOG_2_PI - log_det),
            log_base=partial(_quadratic, center=center, precision=self.precision_),
        )

    def sample(self, given: ArrayLike, random_state: Any = None) -> np.ndarray:
        """Draw one target for each row; see `ConditionalDensity.sample`."""
        _, means = self._means(given)
        noise = as_generator(random_state).standard_normal(means.shape)
        draws = means + noise @ np.linalg.cholesky(self.covariance_).T
        return draws[:, 0] if self._one_dimensional else draws


def _graphical_lasso_precision(rows: np.ndarray, n_folds: int) -> np.ndarray:
    """Sparse precision of centered rows, with the penalty that predicts held-out rows best."""
    folds = KFold(n_folds, shuffle=True, random_state=0)
    model = GraphicalLassoCV(cv=folds, assume_centered=True, max_iter=500)
    try:
        return model.fit(rows).precision_
    except FloatingPointError:
        # A small penalty that was fine in the folds can leave all rows ill-conditioned. The
        # smallest larger one that the solver manages is close to it.
        covariance, alpha = rows.T @ rows / len(rows), model.alpha_
    for _ in range(20):
        alpha *= 1.5
        try:
            return graphical_lasso(covariance, alpha, max_iter=500)[1]
        except FloatingPointError:
            continue
    raise ValueError(
        "The graphical lasso found no well-conditioned precision. Drop columns that are nearly "
        "linear functions of others, or use covariance='ledoit_wolf'."
    )


def _projected(target: np.ndarray, *, center: np.ndarray, directions: np.ndarray) -> np.ndarray:
    return (np.asarray(target, dtype=float) - center) @ directions


def _quadratic(target: np.ndarray, *, center: np.ndarray, precision: np.ndarray) -> np.ndarray:
    deviation = np.asarray(target, dtype=float) - center
    return -0.5 * np.einsum("nk,kl,nl->n", deviation, precision, deviation, optimize=True)


def as_numbers(target: np.ndarray) -> np.ndarray:
    """The target as floats, or an error that says what a continuous density needs."""
    if target.dtype.kind not in "iufb":
        raise ValueError(
            f"This density is one of numbers, but the target has the dtype {target.dtype}. Encode "
            f"it, or use ClassifierDensity for labels."
        )
    return target.astype(float)


def check_width(density: ConditionalDensity, given: ArrayLike) -> np.ndarray:
    """The given side as a matrix with as many columns as in fit."""
    matrix = as_given(given)
    if matrix.shape[1] != density.n_features_in_:
        raise ValueError(
            f"given has {matrix.shape[1]} columns; in fit it had {density.n_features_in_}."
        )
    return matrix


def check_positive(value: Any, name: str) -> None:
    """Refuse a setting that is not a positive number."""
    check_scalar(value, name, Real, min_val=0, include_boundaries="neither")
