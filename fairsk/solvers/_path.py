"""A sequence of plug-in problems on the same rows, solved on those in play on the way.

The prices of all levels of a path lie close together, so that most rows are on one side
throughout. A sample tells about where the prices are; one pass over all rows sorts out
those that could change side there or nearby, and sums up the others; a pass over these
does the same for the next few levels. Each level is then solved on the few rows left,
from a guess that is put right on them first where they are many.
Where its prices turn out to be near the expected ones, sums over the rows left are sums
over all rows, and its certificate is that of the whole problem; where they are not, one
pass tells whether the rule is optimal all the same, and if not more rows are brought back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

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
# How many times larger the next sample is, if it is no more than half of the rows, and the
# smoothing on it.
_LARGER = 10
_REFINED = 0.015
# Standard errors around the smaller sample's prices within which rows of the larger are kept:
# where none is left near the boundary, nothing would hold a price.
_ROOM = 6.0
# Least error of a price, as a share of that expected, where the samples differ less.
_LEAST_ERROR = 0.5
# The rows left for all levels cover prices up to what the sample missed the last level's
# by and so many of its standard errors more; how often they may be chosen anew.
_WIDENING = 3.0
_MAX_REDUCTIONS = 4
# Share of the rows beyond which leaving out the others isn't worth while.
_MOST = 0.5
# Levels that share the rows left for a few, and how many times farther than the last level
# from its guess these may end up.
_CHUNK = 5
_CHUNK_WIDENING = 6.0
# Rows, growing with the number of constraints, from which a guess is corrected on them all before
# the rows near it are chosen: that takes one pass, and leaves a tenth of the error.
_MANY = 20_000, 1_000
# How many times what a guess is expected to miss a correction may amount to.
_FARTHEST = 10.0
# How much of its error a guess is expected to make again once it is put right.
_CORRECTED = 0.3
# Rows on which it is measured what a guess missed.
_PROBE = 2_000
# Gap, once all rows count, up to which multipliers of the rows left are the better start.
_NEARLY = 1e-4


@dataclass(frozen=True)
class _Stage:
    """The rows left for some of the levels, with the sums of all others."""

    driver: Driver
    reduction: Reduction
    levels: range


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
        self.stages: list[_Stage] = []
        self.n_reductions, self.is_refined = 0, False
        # Levels and where they ended, and how far each kind of guess was off the last time.
        self.solved: list[tuple[int, np.ndarray]] = []
        self.doubts, self.too_doubtful = [np.inf] * 4, np.inf
        basis = driver.rows.basis[:: max(1, len(driver.rows) // _PROBE)]
        reach = abs(basis) @ driver.rows.price_unit
        self.probe = basis, np.maximum(reach, 1e-3 * reach.max() or 1.0)
        constant, slope = _SAMPLE
        n_constraints = max((len(limits.lower) for limits in problems), default=0)
        size = constant + slope * n_constraints
        least, slope = _MANY
        self.many, self.doubt_corrected = least + slope * n_constraints, np.inf
        self._expect_error_of(size)
        if len(problems) > 1 and len(driver.rows) > 2 * size:
            self._follow(size)
            while len(driver.rows) > 2 * _LARGER * size:
                size *= _LARGER
                self._refine(size)

    def _expect_error_of(self, size: int) -> None:
        """Take about the standard error of a sample's prices for that of the first guess."""
        self.doubts[0] = self.driver.spread / np.sqrt(size)
        self.error = self.doubts[0] * self.driver.rows.price_unit

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

    def _refine(self, size: int) -> None:
        """Solve all levels again on a larger sample, of which the rows in play are enough."""
        levels = [level for level, guide in enumerate(self.guide) if guide is not None]
        centers = [self.problems[level].prices(self.guide[level]) for level in levels]
        if not centers:
            return
        sample = self.driver.rows.sample(size, self.driver.rng)
        reduction = reduce_rows(sample, np.array(centers), _ROOM * self.error, 1.0)
        if reduction is None:
            return
        left = reduction.rows
        band = left.band(left.sweep(centers[0]), len(left))
        changes, moved = [], np.zeros(0)
        for level, center in zip(levels, centers, strict=True):
            limits, guide = self.problems[level], self.guide[level]
            moved = moved if len(moved) == len(guide) else np.zeros_like(guide)
            problem = self.driver.scaled(limits)
            start = limits.admissible(guide + moved) * problem.scale
            found = self.driver.anneal(band, problem.scaled, start, _REFINED, size, _TOLERANCE)
            if found.converged:
                self.guide[level] = found.multipliers / problem.scale
                moved = self.guide[level] - guide
                changes.append(limits.prices(self.guide[level]) - center)
        self._expect_error_of(size)
        self.is_refined = True
        if changes:
            # What the smaller sample missed tells which prices are known worse than others.
            missed = np.sqrt(np.mean(np.square(changes), axis=0) / _LARGER)
            self.error = np.maximum(_LEAST_ERROR * self.error, missed)

    def solve(self, level: int) -> Outcome:
        """Solve one of the problems, in the order they were given in."""
        limits = self.problems[level]
        if self.guide[level] is None:
            # A sample need not be feasible where the data are.
            last = [one for _, one in self.solved[-1:] if len(one) == len(limits.lower)]
            outcome = self.driver.solve(limits, last[0] if last else None, self.exact)
            self.solved.append((level, outcome.multipliers))
            return outcome
        self._prepare(level)
        guesses = self._guesses(level)
        best = int(np.argmin(self.doubts[: len(guesses)]))
        start, near = guesses[best], self.doubts[best]
        corrected = self._corrected(level, start, near)
        if corrected is not None:
            start, near = corrected, min(_CORRECTED * near, self.doubt_corrected)
        while self.stages:
            outcome = self.stages[-1].driver.solve(limits, start, self.exact, near)
            outcome, certain = self._certified(outcome, limits)
            if certain:
                self._learn(level, outcome.multipliers, guesses, corrected)
                reductions = tuple(stage.reduction for stage in self.stages)
                return replace(outcome, reductions=reductions)
            # Where the bounds cannot be met but by rows that were left out, the multipliers
            # of the rows left are no guide to anything.
            start = outcome.multipliers if abs(outcome.gap) <= _NEARLY else start
            self.stages.pop()
        outcome = self.driver.solve(limits, start, self.exact, near)
        self._learn(level, outcome.multipliers, guesses, corrected)
        return outcome

    def _guesses(self, level: int) -> list[np.ndarray]:
        """Return multipliers to start from: the sample's, put right, and those before, continued.

        The error a sample makes is much the same at the next level, so that the change
        of its multipliers is known far better than the multipliers themselves; where that
        error changes evenly, or the levels are evenly spaced, a straight line or a parabola
        is better still. The error of a large sample is small beside what they can miss.
        """
        limits, guide = self.problems[level], self.guide[level]
        assert guide is not None
        last = []
        for k, one in reversed(self.solved[-3:]):
            if self.guide[k] is None or len(one) != len(limits.lower):
                break
            last.append((one, one - self.guide[k]))
        if not last:
            return [guide]
        guesses = [guide + last[0][1]]
        if self.is_refined:
            last = last[:1]
        if len(last) > 1:
            guesses += [2 * last[0][0] - last[1][0], guide + 2 * last[0][1] - last[1][1]]
        if len(last) > 2:
            guesses.append(3 * (last[0][0] - last[1][0]) + last[2][0])
        # A bound that is open on one side allows no multiplier of that sign.
        return [limits.admissible(guess) for guess in guesses]

    def _corrected(self, level: int, guess: np.ndarray, near: float) -> np.ndarray | None:
        """Return the guess put right on the rows left; None where that is no help."""
        driver = self.stages[-1].driver if self.stages else self.driver
        if near <= 0 or len(driver.rows) <= self.many:
            return None
        corrected = driver.corrected(self.problems[level], guess, near)
        # Ties have no curvature: a step that far is one into the void.
        is_near = self._distance(level, corrected, guess) <= _FARTHEST * near
        return corrected if is_near else None

    def _learn(
        self,
        level: int,
        multipliers: np.ndarray,
        guesses: list[np.ndarray],
        corrected: np.ndarray | None,
    ) -> None:
        """Note how far each guess was from where the level ended."""
        for number, guess in enumerate(guesses):
            self.doubts[number] = self._distance(level, guess, multipliers)
        if corrected is not None:
            self.doubt_corrected = self._distance(level, corrected, multipliers)
        if not self.solved:
            # The first guess had nothing to be put right by.
            self.doubts[0] *= _CORRECTED
        self.solved.append((level, multipliers))

    def _distance(self, level: int, one: np.ndarray, other: np.ndarray) -> float:
        """Return what most margins differ by at two vectors of multipliers, in units of prices."""
        basis, reach = self.probe
        missed = basis @ self.problems[level].prices(one - other)
        return float(np.quantile(np.abs(missed) / reach, 0.99))

    def _certified(self, outcome: Outcome, limits: Constraints) -> tuple[Outcome, bool]:
        """Return an outcome of the last stage as one of all rows, and whether it will do.

        Where its prices are outside what the stage covers, whichever side the rows left
        out are on, one pass over those that a larger stage holds tells the gap.
        """
        prices = limits.prices(outcome.multipliers)
        if all(stage.reduction.covers(prices) for stage in self.stages):
            return outcome, True
        if not self.exact:
            return outcome, False
        wider = [stage.driver for stage in self.stages[:-1] if stage.reduction.covers(prices)]
        outcome = (wider[-1] if wider else self.driver).certify(outcome, limits)
        return outcome, outcome.settled

    def _prepare(self, level: int) -> None:
        """Leave out the rows whose side is clear at this level and those after it.

        What the guide missed at the last level is known, and is much the same at the next.
        """
        while self.stages and level not in self.stages[-1].levels:
            self.stages.pop()
        if not self.solved or self.guide[self.solved[-1][0]] is None:
            return
        before, multipliers = self.solved[-1]
        drift = self.problems[before].prices(multipliers - self.guide[before])
        if not self.stages and self.n_reductions < _MAX_REDUCTIONS:
            self.n_reductions += 1
            levels = range(level, len(self.problems))
            self._reduce(self.driver, levels, drift, _WIDENING * self.error + np.abs(drift))
        doubt = min(self.doubts)
        if len(self.stages) == 1 and doubt < self.too_doubtful:
            levels = range(level, min(level + _CHUNK, len(self.problems)))
            room = _CHUNK_WIDENING * doubt * self.driver.rows.price_unit
            self._reduce(self.stages[0].driver, levels, drift, room)
            # A pass in vain is not tried again until a good deal more is known.
            self.too_doubtful = doubt / 2 if len(self.stages) == 1 else np.inf

    def _reduce(self, driver: Driver, levels: range, drift: np.ndarray, room: np.ndarray) -> None:
        centers = [
            self.problems[level].prices(guide) + drift
            for level in levels
            if (guide := self.guide[level]) is not None
        ]
        if len(centers) < 2:
            return
        reduction = reduce_rows(driver.rows, np.array(centers), room, _MOST)
        if reduction is not None:
            self.stages.append(_Stage(self.driver.on(reduction.rows), reduction, levels))
