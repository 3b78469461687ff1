"""Simultaneous confidence intervals from resampled cells."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Intervals:
    """Confidence intervals of several quantities.

    Attributes
    ----------
    standard_error, lower, upper, margin : ndarray of the quantities' shape
        NaN where the quantity is undefined. Margin is the half-width before clipping.
    critical_value : float or ndarray
        Margins in standard errors; an array where intervals are not simultaneous.
    """

    standard_error: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    margin: np.ndarray
    critical_value: float | np.ndarray

    def including(self, estimate: np.ndarray) -> Intervals:
        """The intervals, extended to the estimate where they were laid about a smoothed one."""
        return replace(
            self,
            lower=np.minimum(self.lower, estimate),
            upper=np.maximum(self.upper, estimate),
        )


def simultaneous_intervals(
    estimate: np.ndarray,
    resampled: np.ndarray,
    centre: np.ndarray,
    *,
    confidence: float = 0.95,
    simultaneous: bool = True,
    bounds: tuple[float, float] = (-np.inf, np.inf),
) -> Intervals:
    r"""Studentised intervals of several quantities that hold together.

    With :math:`\theta^*` the resampled values, :math:`\theta_0` the value that they scatter around
    and s their standard deviation, q is the quantile of :math:`\max_j |\theta^*_j - \theta_{0j}|
    / s_j` and the intervals are :math:`\hat\theta_j \pm q s_j`. The maximum takes the correlation
    between quantities into account, which a Bonferroni correction does not.

    It assumes deviations of about the same shape above and below: give ratios as logarithms, lay
    the intervals about smoothed estimates, and turn those of proportions into `score_intervals`.
    As they are, with cells of 20 rows a nominal 95 % band of proportions covered 87 to 90 %.

    Parameters
    ----------
    estimate : ndarray of any shape
        NaN where undefined.
    resampled : ndarray of shape (n_resamples,) + estimate.shape
        NaN where undefined in a resample; such values do not count.
    centre : ndarray of the estimate's shape
    confidence : float in (0, 1), default=0.95
    simultaneous : bool, default=True
        Whether all intervals hold together with this probability, or each on its own.
    bounds : tuple of two floats
        Possible range of the quantities, to which intervals are clipped.

    Returns
    -------
    Intervals

    Raises
    ------
    ValueError
        If ``confidence`` is not between 0 and 1.

    Examples
    --------
    >>> import numpy as np
    >>> from fairsk.metrics import simultaneous_intervals
    >>> draws = np.random.default_rng(0).normal(size=(20_000, 10))
    >>> alone = simultaneous_intervals(np.zeros(1), draws[:, :1], np.zeros(1))
    >>> alone.critical_value
    1.96
    >>> together = simultaneous_intervals(np.zeros(10), draws, np.zeros(10))
    >>> together.critical_value  # of ten independent normals: 2.80
    2.8
    """
    check_confidence(confidence)
    deviation = (resampled - centre).reshape(len(resampled), -1)
    scale = np.full(deviation.shape[1], np.nan)
    defined = ~np.isnan(np.asarray(estimate, dtype=float)).ravel()
    size = np.zeros_like(deviation[:, defined])
    if defined.any():
        kept = deviation[:, defined]
        scale[defined] = standard_error(kept)
        # A quantity without any scatter, such as a lone group's distance from itself, is known.
        np.divide(np.abs(kept), scale[defined], out=size, where=scale[defined] > 0)
        size[np.isnan(size)] = 0
    critical = np.full_like(scale, np.nan)
    if simultaneous:
        largest = size.max(axis=1, initial=0)
        critical[:] = np.quantile(largest, confidence)
    else:
        critical[defined] = np.quantile(size, confidence, axis=0)
    shape = np.shape(estimate)
    margin = (critical * scale).reshape(shape)
    return Intervals(
        standard_error=scale.reshape(shape),
        lower=np.clip(estimate - margin, *bounds),
        upper=np.clip(estimate + margin, *bounds),
        margin=margin,
        critical_value=float(critical[0]) if simultaneous else critical.reshape(shape),
    )


def standard_error(values: np.ndarray) -> np.ndarray:
    """Standard deviation over the first axis, of the values that are defined."""
    if not np.isnan(values).any():
        return values.std(axis=0)
    # Columns without any value are left to NaN: nanstd would warn about them.
    some = ~np.isnan(values).all(axis=0)
    result = np.full(values.shape[1:], np.nan)
    result[some] = np.nanstd(values[:, some], axis=0)
    return result


def score_intervals(
    estimate: np.ndarray, centre: np.ndarray, intervals: Intervals
) -> tuple[np.ndarray, np.ndarray]:
    r"""Wilson's intervals of proportions, with bootstrapped errors and critical values.

    They hold every :math:`\theta` with :math:`|\hat\theta - \theta| \le
    q \sqrt{\theta (1 - \theta) / m}`: the error is that of :math:`\theta` itself, not of the
    estimate, so that a proportion of 0 or 1 has an honest, one-sided interval. The effective
    number of rows m is the one with which :math:`\theta_0 (1 - \theta_0) / m` is the squared
    standard error; weights lower it, fractional decisions raise it.

    Parameters
    ----------
    estimate : ndarray
        Proportions.
    centre : ndarray of the estimate's shape
        Smoothed proportions, strictly between 0 and 1.
    intervals : Intervals
        Of the proportions.

    Returns
    -------
    lower, upper : ndarray of the estimate's shape
    """
    rows = centre * (1 - centre) / intervals.standard_error**2
    share = intervals.critical_value**2 / rows
    middle = (estimate + share / 2) / (1 + share)
    half = np.sqrt(estimate * (1 - estimate) * share + share**2 / 4) / (1 + share)
    return np.clip(middle - half, 0, 1), np.clip(middle + half, 0, 1)


def check_confidence(confidence: float) -> None:
    """Refuse a level that is no probability strictly between 0 and 1."""
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be between 0 and 1, such as 0.95, got {confidence!r}.")
