"""Minimising the smoothed dual by a proximal Newton method.

With multipliers ``l``, margins ``z = s - U M' l`` and the support function
``h(l) = upper . max(l, 0) + lower . min(l, 0)`` the dual of the constrained
problem is ``D(l) = sum w max(0, z) + h(l)``. We replace ``max(0, z)`` by

    psi(z) = (z + tau)^2 / (4 tau)   for |z| < tau,   max(0, z) otherwise,

which is the dual of the same problem with ``tau (f^2 - f)`` taken off the
objective. Its rule ``f = clip(1/2 + z / (2 tau), 0, 1)`` meets the constraints
exactly at the minimum and is fractional only where ``|z| < tau``. So, unlike with
the entropy, every row outside a narrow band is at 0 or 1, the Hessian is a sum
over the band alone, and the linear program that follows starts feasible.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import lapack

from fairsk.solvers._constraints import Constraints, support
from fairsk.solvers._rows import Band, weighted_gram

__all__ = ["Annealed", "anneal", "quadratic_step"]

_MAX_STEPS = 60
_MAX_TEMPERATURES = 14
# Violation of the optimality condition, per root mean square of a constraint's row, at
# which a minimisation stops; and that up to which it counts as converged.
_TOLERANCE, _CONVERGED = 1e-9, 1e-6
# Atoms within the half-width that would be as many at any other are tied. They are if at
# least this share of them stays so at two temperatures in a row: at colder ones they would
# only ask for multipliers beyond double precision.
_STAYING, _IN_A_ROW = 0.95, 2
# Least curvature in any direction, as a share of the largest.
_ROUNDING = 1e-13


@dataclass(frozen=True)
class Annealed:
    """Minimum of the smoothed dual on a band.

    Attributes
    ----------
    multipliers : ndarray of shape (r,)
    decision : ndarray of shape (m,)
        The smoothed rule on the atoms of the band.
    temperature : float
        Last half-width of the smoothing.
    converged : bool
        Whether the rule meets the constraints to 1e-6. It can't where the band is too
        narrow for the constraints to be met by its rows alone.
    """

    multipliers: np.ndarray
    decision: np.ndarray
    temperature: float
    converged: bool


def _orthant(
    x: np.ndarray, gradient: np.ndarray, lower: np.ndarray, upper: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the sign each coordinate may move in, and the slope there."""
    sign = np.sign(x)
    at_zero = sign == 0
    sign[at_zero & (gradient + upper < 0)] = 1.0
    sign[at_zero & (gradient + lower > 0)] = -1.0
    slope = np.zeros_like(x)
    for side, bound in ((1.0, upper), (-1.0, lower)):
        chosen = sign == side
        slope[chosen] = gradient[chosen] + bound[chosen]
    return sign, slope


def _newton_point(
    hessian: np.ndarray, x: np.ndarray, sign: np.ndarray, slope: np.ndarray, fixed: np.ndarray
) -> np.ndarray:
    """Return the step of the free coordinates, none leaving zero the wrong way."""
    free = sign != 0
    while True:
        step = np.zeros_like(x)
        chosen = np.flatnonzero(free)
        if len(chosen) == 0:
            return step
        block = hessian[np.ix_(chosen, chosen)]
        # Rounding alone can make a curvature negative that is zero.
        block[np.diag_indices_from(block)] += _ROUNDING * block.diagonal().max()
        # LAPACK itself: for a few rows, the checks of scipy.linalg take most of the time.
        _, solved, info = lapack.dposv(block, slope[chosen])
        if info:
            raise np.linalg.LinAlgError("The smoothed dual has no positive curvature.")
        step[chosen] = -solved
        wrong = free & (x == 0) & (step * sign < 0) & ~fixed
        if not wrong.any():
            return step
        free &= ~wrong


def quadratic_step(
    hessian: np.ndarray,
    linear: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
    start: np.ndarray,
) -> np.ndarray:
    """Minimise ``d' H d / 2 + linear . d + h(start + d)`` over ``d`` by projected Newton steps.

    The result ``start + d`` may be inexact, but is never worse than ``start``: all the caller
    needs for a direction of descent. At low temperatures the curvature is so large that in
    ``start + d`` itself, instead of ``d``, the last digits would be lost.
    """
    x = start.copy()
    equality = lower == upper
    at_start = support(start, lower, upper)

    def change(x: np.ndarray) -> float:
        d = x - start
        return float(0.5 * d @ hessian @ d + linear @ d) + (support(x, lower, upper) - at_start)

    value = 0.0
    for _ in range(50):
        gradient = hessian @ (x - start) + linear
        sign, slope = _orthant(x, gradient, lower, upper)
        step = _newton_point(hessian, x, sign, slope, equality)
        if -(step @ slope) <= 1e-14 * (abs(value) + 1e-300):
            break
        for length in 0.5 ** np.arange(12):
            trial = x + length * step
            trial[(trial * sign < 0) & ~equality] = 0.0
            new = change(trial)
            if new < value:
                break
        else:
            # Coordinates that cross zero at once bend every step: let them be zero first.
            crossing = (x != 0) & ((x + length * step) * sign < 0) & ~equality
            if not crossing.any():
                break
            x = np.where(crossing, 0.0, x)
            value = change(x)
            continue
        decrease, x, value = value - new, trial, new
        if decrease <= 1e-13 * abs(value):
            break
    return x if value < 0 else start


class _Smoothed:
    """The smoothed dual on one band, at one temperature."""

    def __init__(self, band: Band, limits: Constraints, tau: float):
        self.band, self.limits, self.tau = band, limits, tau
        self.contrasts, self.lower, self.upper = limits.contrasts, limits.lower, limits.upper

    def decision(self, margins: np.ndarray) -> np.ndarray:
        return np.clip(0.5 + margins / (2 * self.tau), 0.0, 1.0)

    def values(self, decision: np.ndarray) -> np.ndarray:
        return self.contrasts @ self.band.total_moments(decision)

    def hessian(self, margins: np.ndarray) -> np.ndarray:
        active = np.flatnonzero(np.abs(margins) < self.tau)
        gram = weighted_gram(self.band.basis[active], self.band.weights[active] / (2 * self.tau))
        return self.contrasts @ gram @ self.contrasts.T

    def line_search(self, multipliers, step, margins, change) -> float:
        """Return a step length in (0, 1] that brings the slope near zero.

        ``change`` is the change of the margins along the whole step. The dual is
        convex, so its slope along the step grows: bisection with secants.
        """
        weights, prices = self.band.weights, self.contrasts.T @ step
        fixed = -(self.band.moments @ prices)

        def slope(length):
            point = multipliers + length * step
            # At a kink the slope wanted is the one on the far side, towards length 0.
            side = np.where(point == 0, multipliers, point)
            bound = np.where(side > 0, self.upper, self.lower)
            bound = np.where(side == 0, np.where(step > 0, self.upper, self.lower), bound)
            moving = step != 0
            rows = (weights * self.decision(margins + length * change)) @ change
            return rows + fixed + bound[moving] @ step[moving]

        first = slope(0.0)
        last = slope(1.0)
        if first >= 0 or last <= 0.1 * abs(first):
            return 1.0
        left, right, low, high = 0.0, 1.0, first, last
        for _ in range(25):
            middle = left - low * (right - left) / (high - low)
            middle = min(max(middle, left + 0.1 * (right - left)), right - 0.1 * (right - left))
            here = slope(middle)
            if abs(here) <= 0.1 * abs(first):
                return middle
            if here < 0:
                left, low = middle, here
            else:
                right, high = middle, here
        return 0.5 * (left + right)

    def minimise(self, multipliers, floor_curvature, tolerance) -> tuple[np.ndarray, np.ndarray]:
        """Return multipliers and margins at the minimum, as near as 60 steps come."""
        margins = self.band.margins(self.contrasts.T @ multipliers)
        damping = 1e-3
        for _ in range(_MAX_STEPS):
            values = self.values(self.decision(margins))
            if self.limits.residual(multipliers, values).max(initial=0.0) <= tolerance:
                break
            hessian = self.hessian(margins)
            hessian[np.diag_indices_from(hessian)] += damping * floor_curvature
            target = quadratic_step(hessian, -values, self.lower, self.upper, multipliers)
            step = target - multipliers
            if not step.any():
                break
            change = -(self.band.basis @ (self.contrasts.T @ step))
            length = self.line_search(multipliers, step, margins, change)
            damping = max(damping / 4, 1e-9) if length == 1.0 else min(damping * 4, 1e2)
            before = multipliers
            multipliers = target if length == 1.0 else before + length * step
            allowed = self.band.allowed_length(margins, change)
            left = allowed < length
            if left:
                length = allowed
                multipliers = before + length * step
            margins = margins + length * change
            if left:
                break
        return multipliers, margins


def anneal(
    band: Band,
    limits: Constraints,
    multipliers: np.ndarray,
    *,
    temperature: float,
    n_fractional: int,
    floor_curvature: np.ndarray,
    tolerance: float = _TOLERANCE,
) -> Annealed:
    """Minimise the smoothed dual at falling temperatures.

    Parameters
    ----------
    band : Band
    limits : Constraints
        Rows of comparable size: their multipliers share a scale.
    multipliers : ndarray of shape (r,)
        Start.
    temperature : float
        First half-width of the smoothing, in units of the scores.
    n_fractional : int
        Stop when at most so many atoms are within the half-width, or when they are tied.
    floor_curvature : ndarray of shape (r,)
        Curvature assumed, times a small damping, where no row is near.
    tolerance : float, default=1e-9
        Violation of the optimality condition at which to go on to the next temperature.

    Returns
    -------
    Annealed
    """
    n_before: float = np.inf
    n_staying = 0
    for _ in range(_MAX_TEMPERATURES):
        problem = _Smoothed(band, limits, temperature)
        multipliers, margins = problem.minimise(multipliers, floor_curvature, tolerance)
        decision = problem.decision(margins)
        short = limits.residual(multipliers, problem.values(decision)).max(initial=0.0)
        converged = bool(short <= max(_CONVERGED, 10 * tolerance))
        n_active = int(np.count_nonzero((decision > 0) & (decision < 1)))
        n_staying = n_staying + 1 if n_active >= _STAYING * n_before else 0
        if not converged or n_active <= n_fractional or n_staying >= _IN_A_ROW:
            break
        n_before = n_active
        temperature /= 4
    return Annealed(multipliers, decision, temperature, converged)
