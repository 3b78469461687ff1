"""A Gaussian whose mean and variance are any two regressions."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone, is_regressor
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import KFold
from sklearn.utils.validation import check_is_fitted

from fairsk.independence._density import ConditionalDensity, as_generator
from fairsk.independence._gaussian import GaussianConditional, as_numbers, check_width
from fairsk.independence._models import fit_weighted, quadratic_pipeline, takes_weights

# The scale is kept within this factor of the overall one: the log of a squared residual near zero
# is very negative, and one such row must not make a region certain.
SCALE_RANGE = 30.0
PENALTIES = np.logspace(-2, 4, 13)


class HeteroscedasticGaussianDensity(ConditionalDensity):
    r"""A Gaussian with mean and log-variance from regressions on the given variables.

    .. math:: Y \mid A = a \sim N(m(a), \exp(v(a)))

    The mean is fitted first. The logs of its squared residuals, taken out of fold so that a
    flexible regressor does not hide the noise, are then regressed on the given variables; a step of
    Fisher scoring from there, a regression of :math:`v + r^2 e^{-v} - 1`, has the precision of
    maximum likelihood, which the logs alone fall short of. With these variances as weights, where
    the regressor takes weights, mean and variance are fitted once more. A factor, last, makes the
    squared standardised residuals one on average.

    Parameters
    ----------
    mean_regressor, variance_regressor : regressor or None, default=None
        None is ridge regression on the given columns, their squares and products, with a penalty
        from cross-validation.
    cv : int, default=5
        Folds of the residuals.

    Attributes
    ----------
    mean_regressor_, variance_regressor_ : regressor
        The fitted ones.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> a = rng.uniform(-1, 1, size=4000)
    >>> y = a**2 + np.exp(a) * rng.normal(size=4000)
    >>> conditional = HeteroscedasticGaussianDensity().fit(a, y).condition([-1.0, 1.0])
    >>> float(np.log(conditional.scale[1] / conditional.scale[0]))  # the true one is 2
    2.0
    """

    def __init__(
        self, mean_regressor: Any = None, variance_regressor: Any = None, *, cv: int = 5
    ) -> None:
        self.mean_regressor = mean_regressor
        self.variance_regressor = variance_regressor
        self.cv = cv

    def _fit(self, given: np.ndarray, target: np.ndarray, sample_weight: np.ndarray | None) -> None:
        target = as_numbers(target)
        if target.ndim != 1:
            raise ValueError(
                f"The target must be one-dimensional, got shape {target.shape}. "
                f"LinearGaussianDensity takes several columns."
            )
        mean = self._model("mean_regressor", given.shape[1])
        variance = self._model("variance_regressor", given.shape[1])
        residuals = self._residuals(mean, given, target, sample_weight)
        self._fit_variance(variance, given, residuals, sample_weight)
        precision = sample_weight
        if takes_weights(mean):
            precision = self._scales(given) ** -2.0
            precision *= 1.0 if sample_weight is None else sample_weight
            precision /= precision.mean()
            residuals = self._residuals(mean, given, target, precision)
            self._fit_variance(variance, given, residuals, sample_weight)
        self.mean_regressor_ = fit_weighted(mean, given, target, precision, "mean_regressor")

    def _residuals(
        self, mean: Any, given: np.ndarray, target: np.ndarray, weight: np.ndarray | None
    ) -> np.ndarray:
        """Out of fold."""
        residuals = np.empty(len(target))
        folds = KFold(min(self.cv, len(target)), shuffle=True, random_state=0)
        for train, test in folds.split(given):
            part = None if weight is None else weight[train]
            model = fit_weighted(mean, given[train], target[train], part, "mean_regressor")
            residuals[test] = target[test] - model.predict(given[test])
        return residuals

    def _fit_variance(
        self,
        variance: Any,
        given: np.ndarray,
        residuals: np.ndarray,
        sample_weight: np.ndarray | None,
    ) -> None:
        self._overall = float(np.sqrt(np.average(residuals**2, weights=sample_weight)))
        if not self._overall > 0:
            raise ValueError("The mean regressor leaves no residuals: the target has no density.")
        response = np.log(np.maximum(residuals**2, (self._overall / SCALE_RANGE) ** 2))
        for _ in range(2):
            self._factor = 1.0
            self.variance_regressor_ = fit_weighted(
                variance, given, response, sample_weight, "variance_regressor"
            )
            standardised = (residuals / self._scales(given)) ** 2
            self._factor = float(np.sqrt(np.average(standardised, weights=sample_weight)))
            scales = self._scales(given)
            response = 2 * np.log(scales) + (residuals / scales) ** 2 - 1.0

    def _model(self, name: str, n_features: int) -> Any:
        model = getattr(self, name)
        if model is None:
            return quadratic_pipeline(RidgeCV(PENALTIES), n_features)
        if not is_regressor(model):
            raise ValueError(f"{name} must be a regressor, got {model!r}.")
        return clone(model)

    def _scales(self, given: np.ndarray) -> np.ndarray:
        scales = self._factor * np.exp(0.5 * np.asarray(self.variance_regressor_.predict(given)))
        return np.clip(scales, self._overall / SCALE_RANGE, self._overall * SCALE_RANGE)

    def condition(self, given: ArrayLike) -> GaussianConditional:
        """Fix the given side; see `ConditionalDensity.condition`."""
        check_is_fitted(self, "variance_regressor_")
        matrix = check_width(self, given)
        return GaussianConditional(self.mean_regressor_.predict(matrix), self._scales(matrix))

    def sample(self, given: ArrayLike, random_state: Any = None) -> np.ndarray:
        """Draw one target for each row; see `ConditionalDensity.sample`."""
        conditional = self.condition(given)
        noise = as_generator(random_state).standard_normal(conditional.n_rows)
        return conditional.mean + conditional.scale * noise
