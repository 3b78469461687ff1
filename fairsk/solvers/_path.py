"""A sequence of plug-in problems on the same rows, solved on those in play on the way.

The prices of all levels of a path lie close together, so that most rows are on one side
throughout. A sample tells about where the prices are; one pass over all rows sorts out
those that could change side there or nearby, and sums up the others. Each level is then
solved on the few rows left. Where its prices turn out to be near the expected ones, sums
over the rows left are sums over all rows, and its certificate is that of the whole
problem; where they are not, the level is solved again on all rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from fairsk.solvers._constraints import Constraints
from fairsk.solvers._driver import Driver
from fairsk.solvers._outcome import Outcome
from fairsk.solvers._reduction import Reduction, reduce_rows

__all__ = ["Path"]

# Rows of the sample, growing with the number of constraints.
_SAMPLE = 10_000, 200
# Half-width of the smoothing on the sample, in spreads of the scores, and how well its
# rule must meet the constraints: both far below the error of the sample.
_TEMPERATURE = 0.05
_TOLERANCE = 1e-4
# The reduction covers prices up to so many standard errors of the sample's.
_WIDENING = 4.0
# Share of the rows beyond which leaving out the others isn't worth while.
_MOST = 0.5


class Path:
    """Problems that share their rows, to be solved in turn.

    Parameters
    ----------
    driver : Driver
    problems : sequence of Constraints
    exact : bool
    """

    def __init__(self, driver: Driver, problems: Sequence[Constraints], exact: bool):
        self.driver, self.problems, self.exact = driver, problems, exact
        self.guide: list[np.ndarray | None] = [None] * len(problems)
        self.reduction: Reduction | None = None
        self.left: Driver | None = None
        self.last: tuple[int, np.ndarray] | None = None
        constant, slope = _SAMPLE
        size = constant + slope * max((len(limits.lower) for limits in problems), default=0)
        if len(problems) > 1 and len(driver.rows) > 2 * size:
            self._follow(size)
            self._reduce(size)

    def _follow(self, size: int) -> None:
        """Solve all levels on a sample, smoothed."""
        sample = self.driver.rows.sample(size, self.driver.rng)
        band = sample.band(sample.sweep(np.zeros(sample.n_basis)), size)
        multipliers, temperature, few = None, 0.3, size // 10
        for level, limits in enumerate(self.problems):
            if (limits.lower > limits.upper).any():
                continue
            problem = self.driver.scaled(limits)
            if multipliers is None or len(multipliers) != len(limits.lower):
                multipliers, temperature, few = np.zeros(len(limits.lower)), 0.3, size // 10
            start = multipliers * problem.scale
            found = self.driver.anneal(band, problem.scaled, start, temperature, few, _TOLERANCE)
            if found.converged:
                multipliers = found.multipliers / problem.scale
                self.guide[level] = multipliers
                temperature, few = _TEMPERATURE, size

    def _reduce(self, size: int) -> None:
        prices = [
            limits.prices(guide)
            for limits, guide in zip(self.problems, self.guide, strict=True)
            if guide is not None
        ]
        if len(prices) > 1:
            width = _WIDENING * self.driver.spread / np.sqrt(size)
            self.reduction = reduce_rows(self.driver.rows, np.array(prices), width, _MOST)
        if self.reduction is not None:
            self.left = self.driver.on(self.reduction.rows)

    def solve(self, level: int) -> Outcome:
        """Solve one of the problems."""
        limits, start = self.problems[level], self._start(level)
        near = self.guide[level] is not None
        if near and self.reduction is not None:
            outcome = self.left.solve(limits, start, self.exact, near=True)
            start = outcome.multipliers
            if self.reduction.covers(limits.prices(start)):
                self.last = level, start
                return replace(outcome, decision=self.reduction.full_decision(outcome.decision))
        outcome = self.driver.solve(limits, start, self.exact, near=near)
        self.last = level, outcome.multipliers
        return outcome

    def _start(self, level: int) -> np.ndarray | None:
        """Return the sample's multipliers, corrected by what they missed the last time.

        The error a sample makes is much the same at the next level, so that the change
        of its multipliers is known far better than the multipliers themselves.
        """
        limits, guide = self.problems[level], self.guide[level]
        if self.last is None or len(self.last[1]) != len(limits.lower):
            return guide
        before, multipliers = self.last
        if guide is None or self.guide[before] is None:
            return multipliers if guide is None else guide
        start = guide + multipliers - self.guide[before]
        # A bound that is open on one side allows no multiplier of that sign.
        start = np.where(np.isinf(limits.upper), np.minimum(start, 0), start)
        return np.where(np.isinf(limits.lower), np.maximum(start, 0), start)
