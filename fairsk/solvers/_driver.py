"""The solution of one plug-in problem, from a sample of the rows to all of them."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from fairsk.solvers._constraints import Constraints
from fairsk.solvers._outcome import GAP, Outcome
from fairsk.solvers._rows import Band, Rows, Sweep, weighted_gram
from fairsk.solvers._sifting import exact_on_band
from fairsk.solvers._smoothed_dual import Annealed, anneal, quadratic_step

__all__ = ["Driver", "ScaledProblem"]

_MAX_ROUNDS = 40
# Rows in the first sample, in the first band, and in a problem that is solved at once;
# all but the last grow with the number of constraints. Larger bands take longer to
# work on, smaller ones have to be widened more often. A good start needs few rows.
_FIRST_SAMPLE = 20_000
_FIRST_BAND = 40_000, 400
_NEAR_BAND = 2_000, 100
_ALL_AT_ONCE = 500
# How many times the distance expected a band made for it reaches: one that is left too
# early costs a pass over all rows, more rows little.
_WIDE = 2.0
# How many times as large the next band is where the optimum was outside of more than two.
_WIDER = 3
_LEAST_TEMPERATURE = 1e-4
# Spread of the scores, as a share of their size, below which they count as equal.
_LEAST_SPREAD = 1e-6
# Curvature added to that of the rows near the boundary, where there may be none, as a share of
# what scores spread evenly would have.
_DAMPING = 1e-6
# Fractional atoms from which a program for each chunk of them takes longer than settling
# them by scores of their own, and how much their margins count beside a random score.
_MANY_TIES = 2_000
_MARGINS = 100.0


@dataclass(frozen=True)
class ScaledProblem:
    """Constraints as given, and with each row divided by ``scale``."""

    limits: Constraints
    scaled: Constraints
    scale: np.ndarray


class Driver:
    """Solves problems that share their rows, each from the last one's multipliers.

    Parameters
    ----------
    rows : Rows
    random_state : int
        Seed of the samples. It changes the time taken, not the optimum.
    settles_ties : bool
        Whether very many ties are a problem of their own, to be solved first.
    """

    def __init__(self, rows: Rows, random_state: int = 0, *, settles_ties: bool = True):
        self.rows = rows
        self.rng = np.random.default_rng(random_state)
        self.settles_ties = settles_ties
        scores, weights = rows.scores, rows.weights
        total = weights.sum()
        self.worst_value = float(np.minimum(scores, 0.0) @ weights)
        self.unit = float(np.abs(scores) @ weights) or 1.0
        mean, size = float(scores @ weights) / total, self.unit / total
        variance = float((scores * scores) @ weights) / total - mean * mean
        # Equal scores have no spread but that of rounding, which is no unit for anything.
        is_spread = variance > (_LEAST_SPREAD * size) ** 2
        self.spread = float(np.sqrt(variance)) if is_spread else size

    def on(self, rows: Rows) -> Driver:
        """Return a driver for the rows left of these, with the units of them all."""
        other = copy(self)
        other.rows = rows
        # Filled before it is copied, for the rows left are no sample of all rows.
        other._gram = self._gram
        return other

    def solve(
        self,
        limits: Constraints,
        start: np.ndarray | None,
        exact: bool,
        near: float | None = None,
    ) -> Outcome:
        """Solve for one set of constraints.

        Parameters
        ----------
        limits : Constraints
        start : ndarray of shape (r,) or None
            Multipliers to start from; from samples of the rows when None.
        exact : bool
            Whether to go on from the smoothed rule to a vertex.
        near : float, optional
            How far, in units of the rows' prices, the optimum is expected from ``start``,
            which must be so good that samples could not better it.

        Returns
        -------
        Outcome
        """
        n, r = len(self.rows), len(limits.lower)
        if n <= max(_ALL_AT_ONCE, _program(r, None)):
            return self._all_at_once(limits, exact)
        problem = self.scaled(limits)
        multipliers = np.zeros(r) if start is None else start * problem.scale
        temperature = 0.01
        if near is None:
            multipliers, temperature = self._from_samples(problem, multipliers)
        return self._rounds(problem, multipliers, temperature, exact, near)

    def corrected(self, limits: Constraints, start: np.ndarray, near: float) -> np.ndarray:
        """Return multipliers one Newton step on, with the moments of all rows at the start.

        The curvature is that of the rows near enough to change side, as if they were spread
        evenly there: a moment moves by their mass in the strip that the boundary sweeps over.
        """
        problem = self.scaled(limits)
        multipliers, scaled = start * problem.scale, problem.scaled
        sweep = self.rows.sweep(scaled.prices(multipliers))
        index = np.flatnonzero(self.rows.within(sweep.margins, near))
        _, basis = self.rows.take(index)
        density = self.rows.weights[index] / (2 * near * self.rows.reach[index])
        hessian = scaled.contrasts @ weighted_gram(basis, density) @ scaled.contrasts.T
        hessian[np.diag_indices_from(hessian)] += _DAMPING * self._floor_curvature(scaled)
        values = scaled.contrasts @ sweep.moments
        target = quadratic_step(hessian, -values, scaled.lower, scaled.upper, multipliers)
        return target / problem.scale

    def scaled(self, limits: Constraints) -> ScaledProblem:
        """Bring the constraints to comparable size."""
        scale = self._row_scale(limits.contrasts)
        scaled = Constraints(
            limits.contrasts / scale[:, None], limits.lower / scale, limits.upper / scale
        )
        return ScaledProblem(limits, scaled, scale)

    def _row_scale(self, contrasts: np.ndarray) -> np.ndarray:
        """Return the root mean square of each constraint's direction."""
        square = np.einsum("kq,qp,kp->k", contrasts, self._gram, contrasts)
        scale = np.sqrt(np.maximum(square, 0.0))
        scale[scale <= 1e-9 * scale.max(initial=0.0)] = 1.0
        return scale

    @cached_property
    def _gram(self) -> np.ndarray:
        n = len(self.rows)
        sample = self.rows.sample(_FIRST_SAMPLE, self.rng) if n > _FIRST_SAMPLE else self.rows
        gram = np.zeros((sample.n_basis, sample.n_basis))
        for part, basis in sample.blocks():
            gram += weighted_gram(basis, sample.weights[part])
        return gram

    def _from_samples(self, problem: ScaledProblem, multipliers) -> tuple[np.ndarray, float]:
        """Return multipliers and temperature (in spreads) from growing samples."""
        r = len(multipliers)
        temperature = 0.3
        size = _FIRST_SAMPLE + 200 * r
        while 2 * size < len(self.rows):
            sample = self.rows.sample(size, self.rng)
            band = sample.band(sample.sweep(problem.scaled.prices(multipliers)), size)
            found = self.anneal(band, problem.scaled, multipliers, temperature, 20 * r + 500)
            if not found.converged:
                # A sample need not be feasible where the data are.
                break
            multipliers, temperature = found.multipliers, found.temperature / self.spread
            size *= 10
        return multipliers, temperature

    def anneal(self, band, scaled, multipliers, temperature, n_fractional, tolerance=1e-6):
        """Minimise the smoothed dual on a band, from a temperature in units of the scores."""
        return anneal(
            band,
            scaled,
            multipliers,
            temperature=temperature * self.spread,
            n_fractional=n_fractional,
            floor_curvature=self._floor_curvature(scaled),
            tolerance=tolerance,
        )

    def _floor_curvature(self, scaled: Constraints) -> np.ndarray:
        return np.full(len(scaled.lower), 0.5 / self.spread * self.rows.weights.sum())

    def _rounds(self, problem, multipliers, temperature, exact, near) -> Outcome:
        """Solve on a band of rows, test on all, widen the band until the test is passed."""
        n, r = len(self.rows), len(multipliers)
        best, sweep = None, self.rows.sweep(problem.scaled.prices(multipliers))
        size = self._band_size(sweep, r, near)
        for n_rounds in range(1, _MAX_ROUNDS + 1):
            band = self.rows.band(sweep, size)
            if near is not None:
                # Smoothing wider than the band would lead out of it; ties have no width.
                half = float(np.median(np.abs(band.start))) / self.spread
                temperature = min(temperature, max(half, _LEAST_TEMPERATURE))
            found = self.anneal(band, problem.scaled, multipliers, temperature, 4 * r + 100)
            if not found.converged and size < n:
                # The multipliers left the band: go on around the place they reached.
                multipliers = found.multipliers
                sweep = self.rows.sweep(problem.scaled.prices(multipliers))
                # Ties make bands larger than asked for; an optimum outside of three is far.
                size = max(size, len(band.index)) * _WIDER if n_rounds > 2 else size * 3 // 2
                continue
            multipliers, decision = found.multipliers, found.decision
            if not exact:
                decision = (band.margins(problem.scaled.prices(multipliers)) > 0).astype(float)
            elif not self._hopeless(band, problem.scaled, multipliers):
                decision, multipliers = self._sift(band, problem.scaled, found, _program(r, near))
            before, sweep = sweep, self._test(band, problem.scaled.prices(multipliers), exact)
            outcome = self._outcome(band, before, decision, sweep, problem, multipliers, n_rounds)
            best = outcome if best is None or outcome.loss < best.loss else best
            if (
                outcome.infeasible
                or outcome.settled
                or size >= n
                or (not exact and np.array_equal(sweep.margins > 0, outcome.decision > 0))
            ):
                break
            if sweep.margins is None:
                sweep = self.rows.sweep(sweep.prices)
            size = size * 3 // 2
        return outcome if outcome.infeasible else best

    def _band_size(self, sweep: Sweep, n_constraints: int, near: float | None) -> int:
        """Return the rows of the first band: those that could change side, if that is known."""
        (least, slope), (most, steep) = _NEAR_BAND, _FIRST_BAND
        most += steep * n_constraints
        if near is None:
            return most
        open_rows = np.count_nonzero(self.rows.within(sweep.margins, _WIDE * near))
        return min(max(open_rows, least + slope * n_constraints), most)

    def _test(self, band: Band, prices: np.ndarray, exact: bool) -> Sweep:
        """Return what all rows say about the prices, from the band alone where it can."""
        if exact and band.covers(prices):
            return Sweep(None, *band.accepted(prices), prices)
        return self.rows.sweep(prices)

    def certify(self, outcome: Outcome, limits: Constraints) -> Outcome:
        """Return a rule for some of these rows with the dual of all at its multipliers."""
        sweep = self.rows.sweep(limits.prices(outcome.multipliers))
        dual = self._dual(sweep, limits, outcome.multipliers)
        gap = self._relative_gap(dual, outcome.objective)
        return replace(outcome, dual_bound=dual, gap=gap)

    @staticmethod
    def _dual(sweep: Sweep, limits: Constraints, multipliers: np.ndarray) -> float:
        return float(sweep.value - sweep.moments @ sweep.prices + limits.support(multipliers))

    def _hopeless(self, band: Band, limits: Constraints, multipliers) -> bool:
        """Whether the band's dual is below what any rule can reach."""
        margins = band.margins(limits.prices(multipliers))
        dual = band.value - band.moments @ limits.prices(multipliers)
        dual += band.weights @ np.maximum(margins, 0.0) + limits.support(multipliers)
        return bool(dual < self.worst_value - 1e-9 * self.unit)

    def _sift(self, band, limits, found: Annealed, size):
        return exact_on_band(
            band,
            limits,
            self._settle_ties(band, limits, found),
            found.multipliers,
            spread=self.spread,
            size=size,
            tolerance=0.1 * GAP * self.unit,
        )

    def _settle_ties(self, band: Band, limits: Constraints, found: Annealed) -> np.ndarray:
        """Decide very many atoms on the boundary so that their moments stay and few are fractional.

        An active constraint can tie whole groups. Which of their rows are accepted is then open,
        as long as the moments are kept: any other score settles it, and random ones, which tie
        nowhere, make a problem of the same kind that is as quickly solved as the first. Margins
        are part of the score, for the atoms that are near the boundary and not on it.
        """
        decision = found.decision
        fractional = np.flatnonzero((decision > 0) & (decision < 1))
        if not (self.settles_ties and found.converged and len(fractional) > _MANY_TIES):
            return decision
        others = decision.copy()
        others[fractional] = 0.0
        margins = band.margins(limits.prices(found.multipliers))[fractional] / found.temperature
        rows = Rows(
            _MARGINS * margins + self.rng.standard_normal(len(fractional)),
            band.basis[fractional],
            band.weights[fractional],
            base_moments=band.total_moments(others),
        )
        values = limits.contrasts @ band.total_moments(decision)
        kept = Constraints(limits.contrasts, values, values)
        outcome = Driver(rows, settles_ties=False).solve(kept, None, exact=True)
        if outcome.infeasible or outcome.violation > GAP:
            return decision
        others[fractional] = outcome.decision
        return others

    def _all_at_once(self, limits: Constraints, exact: bool) -> Outcome:
        """Solve a small problem as one linear program."""
        scale = np.ones(len(limits.lower))
        problem = ScaledProblem(limits, limits, scale)
        sweep = self.rows.sweep(np.zeros(self.rows.n_basis))
        band = self.rows.band(sweep, len(self.rows))
        decision = (band.scores > 0).astype(np.float64)
        found = Annealed(scale * 0.0, decision, 0.0, converged=True)
        decision, multipliers = self._sift(band, limits, found, len(self.rows))
        after = self.rows.sweep(limits.prices(multipliers))
        if not exact:
            decision = (band.margins(after.prices) > 0).astype(np.float64)
        return self._outcome(band, sweep, decision, after, problem, multipliers, 1)

    def _relative_gap(self, dual: float, objective: float) -> float:
        """Duality gap over the size of the objective; infinite as long as there is no bound."""
        if not np.isfinite(dual):
            return np.inf
        # A problem whose scores are all zero has no size of its own.
        return (dual - objective) / (max(abs(dual), self.unit) or 1.0)

    def _outcome(self, band, before, decision, sweep, problem, multipliers, n_rounds) -> Outcome:
        limits, multipliers = problem.limits, multipliers / problem.scale
        dual = self._dual(sweep, limits, multipliers)
        moments, objective = band.total_moments(decision), band.total_value(decision)
        full = (before.margins > 0).astype(np.float64)
        full[band.index] = decision[band.atom]
        return Outcome(
            multipliers=multipliers,
            decision=full,
            moments=moments,
            objective=objective,
            dual_bound=dual,
            gap=self._relative_gap(dual, objective),
            violation=limits.violation(moments),
            n_rounds=n_rounds,
            infeasible=bool(dual < self.worst_value - 1e-9 * self.unit),
        )


def _program(n_constraints: int, near: float | None) -> int:
    """Return the number of atoms in one linear program: fewer where more is known."""
    return (150 if near is None else 50) + 6 * n_constraints
