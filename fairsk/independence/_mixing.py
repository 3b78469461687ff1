"""Whether the chain takes enough steps: what a copy still remembers of where it started."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted, check_scalar

from fairsk.independence._density import as_generator
from fairsk.independence._engines import CellEngine
from fairsk.independence._sampler import PermutationSampler

# An independent draw is imitated by this many times as many further steps. Rows at the ends of the
# data meet few others that they can exchange with, so that what is left falls about as one over
# the steps: the reference itself still has a tenth of it.
LONG = 10
# What copies may keep without a use of them noticing.
GOAL = 0.05
# States of the chain over tables that its autocorrelation is taken from.
TABLE_STATES = 400


@dataclass(frozen=True)
class MixingReport:
    """What copies keep of the state they started from, beyond what an independent draw has.

    Attributes
    ----------
    residual_correlation : float
        What a copy keeps of its start, between 0 (an independent draw) and 1 (the start itself),
        averaged over copies, for the column that keeps most. It may be negative by chance.
    standard_error : float
        Of that mean.
    by_column : ndarray of shape (n_columns,)
        The same for each column of the permuted side; of the chain over a table of counts, for
        each entry, from the autocorrelation between single steps.
    n_steps : int
        Steps of the chain; 0 where copies are drawn exactly.
    suggested_steps : int
        Steps after which the residual correlation would be below .05, if it falls as one over the
        steps.
    """

    residual_correlation: float
    standard_error: float
    by_column: np.ndarray
    n_steps: int
    suggested_steps: int


def mixing_diagnostic(
    sampler: PermutationSampler, *, n_copies: int = 10, random_state: Any = None
) -> MixingReport:
    """Measure how well a permutation sampler's chain mixes.

    A chain that takes too few steps returns copies that resemble the data. That does not
    invalidate a test, for hub, copies and data are exchangeable, but it takes away power, and an
    adversary learns nothing from copies that equal the data. Measured is the correlation r between
    what a row has in the hub and what it has in a copy. Two independent draws are correlated too,
    by some r0, for both depend on the given side; r0 is taken from draws after ten times as many
    further steps, and (r - r0) / (1 - r0) reported. The first start is the sampler's hub.

    The stronger the dependence between A and y, the more steps are needed; the number of rows does
    not matter (benchmarks/icp_sampler.py prints both).

    Parameters
    ----------
    sampler : InverseConditionalPermutation or ConditionalPermutation
        Fitted.
    n_copies : int, default=10
    random_state : int, RandomState, Generator or None, default=None

    Returns
    -------
    MixingReport

    Raises
    ------
    NotFittedError
        If the sampler is not fitted.

    Examples
    --------
    >>> from fairsk.independence import InverseConditionalPermutation, LinearGaussianDensity
    >>> rng = np.random.default_rng(0)
    >>> A = rng.normal(size=(2000, 1))
    >>> y = 2 * A[:, 0] + rng.normal(size=2000)
    >>> few = InverseConditionalPermutation(LinearGaussianDensity(), n_steps=2, random_state=0)
    >>> mixing_diagnostic(few.fit(A, y), random_state=0).residual_correlation
    0.7
    >>> enough = InverseConditionalPermutation(LinearGaussianDensity(), random_state=0)
    >>> abs(mixing_diagnostic(enough.fit(A, y), random_state=0).residual_correlation) < 0.1
    True
    """
    check_is_fitted(sampler, "algorithm_")
    check_scalar(n_copies, "n_copies", Integral, min_val=1)
    rng = as_generator(random_state)
    n_steps = int(sampler.n_steps)
    if sampler.is_exact_:
        return MixingReport(0.0, 0.0, np.zeros(1), 0, 0)
    if isinstance(sampler._engine, CellEngine):
        return _mixing_of_table(sampler._engine, sampler._hub, n_steps, rng)
    values = _standardised(sampler._values)
    residual = np.empty((n_copies, values.shape[1]))
    state = sampler._hub
    for row in residual:
        start = values[state]
        near = sampler._engine.draw(state, n_steps, rng)
        # The far state is the next start: copies of one start would share its chance.
        state = far = sampler._engine.draw(near, LONG * n_steps, rng)
        independent = (start * values[far]).mean(axis=0)
        row[:] = ((start * values[near]).mean(axis=0) - independent) / (1.0 - independent)
    means = residual.mean(axis=0)
    worst = int(np.argmax(np.abs(means)))
    spread = residual[:, worst].std(ddof=1) / np.sqrt(n_copies) if n_copies > 1 else np.nan
    remains = float(means[worst])
    return MixingReport(remains, float(spread), means, n_steps, _suggest(abs(remains), n_steps))


def _mixing_of_table(
    engine: CellEngine, hub: np.ndarray, n_steps: int, rng: np.random.Generator
) -> MixingReport:
    """From the autocorrelation of the table of counts; given it, rows are matched independently."""
    states = np.empty((TABLE_STATES, hub.size))
    for row in states:
        hub = engine.step(hub, rng)
        row[:] = hub.ravel()
    states -= states.mean(axis=0)
    moving = states.std(axis=0) > 0
    states = states[:, moving]
    lag_one = (states[1:] * states[:-1]).mean(axis=0) / (states**2).mean(axis=0)
    remains = lag_one.clip(min=0.0) ** n_steps
    worst = float(remains.max(initial=0.0))
    error = n_steps * float(lag_one.max(initial=0.0)) ** (n_steps - 1) / np.sqrt(TABLE_STATES)
    return MixingReport(worst, error, remains, n_steps, _suggest(worst, n_steps))


def _standardised(target: np.ndarray) -> np.ndarray:
    """Columns of the permuted side with mean zero and variance one; labels as indicators."""
    if target.dtype.kind not in "iuf":
        classes, codes = np.unique(target, return_inverse=True)
        target = np.eye(len(classes))[codes]
    values = target.reshape(len(target), -1).astype(float)
    spread = values.std(axis=0)
    return (values - values.mean(axis=0)) / np.where(spread > 0, spread, 1.0)


def _suggest(remains: float, n_steps: int) -> int:
    return max(n_steps, int(np.ceil(n_steps * remains / GOAL)))
