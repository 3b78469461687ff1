"""The smallest change of many weights that moves a few targets: low-rank least squares, exactly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

# Newton's method on a piecewise quadratic ends after a few steps; more is a numerical breakdown.
MAX_NEWTON = 100
# The penalty of "no penalty", beside the mean eigenvalue of A A': the least-norm solution.
NO_PENALTY = 1e-12


@dataclass(frozen=True)
class LeastChange:
    """The solution of `solve_least_change`.

    Attributes
    ----------
    change : ndarray of shape (n,)
    multipliers : ndarray of shape (r,)
        The change is max(lower, A' multipliers).
    ridge : float
        mu of the squared problem that has the same solution; infinite where the change is zero.
    residual : float
        Largest violation of the optimality conditions, relative to ||d||.
    """

    change: np.ndarray
    multipliers: np.ndarray
    ridge: float
    residual: float


def solve_least_change(
    A: np.ndarray, d: np.ndarray, penalty: float, lower: np.ndarray | None = None
) -> LeastChange:
    r"""Minimise ||A x - d||^2 + penalty ||x||, with x >= lower if there is a bound.

    The norm is not squared, so that x = 0 if and only if :math:`2 \|A^\top d\| \le` penalty (with
    any bound below zero). Otherwise x solves the problem with :math:`\mu \|x\|^2` in its place for
    :math:`\mu = \text{penalty} / 2\|x\|`, and the squared problem has
    :math:`x = \max(\text{lower}, A^\top a)` with :math:`\mu a + A x = d`: r unknowns whatever the
    number of weights. Without a bound that is a linear system in the eigenbasis of :math:`AA^\top`;
    with one, the gradient of a convex piecewise quadratic, which Newton's method ends on in a few
    steps. :math:`\mu \|x(\mu)\|` grows with :math:`\mu`, which leaves one scalar root.

    Parameters
    ----------
    A : ndarray of shape (r, n)
        A few targets, many weights.
    d : ndarray of shape (r,)
    penalty : float
        At least 0; 0 gives the smallest x among those that fit d best.
    lower : ndarray of shape (n,), optional
        Below zero.

    Returns
    -------
    LeastChange

    Raises
    ------
    ValueError
        If an input is not finite or out of range.

    References
    ----------
    Training Fair Deep Neural Networks by Balancing Influence, equation 14; the paper takes steps
    of gradient descent.

    Examples
    --------
    >>> A, d = np.array([[1.0, -1.0, 0.5]]), np.array([0.3])
    >>> solve_least_change(A, d, 0.01).change.round(3)
    array([ 0.132, -0.132,  0.066])
    >>> solve_least_change(A, d, 0.01, lower=np.full(3, -0.1)).change.round(3)
    array([ 0.157, -0.1  ,  0.078])
    >>> solve_least_change(A, d, 1.0).change
    array([0., 0., 0.])
    """
    A, d = np.asarray(A, dtype=float), np.asarray(d, dtype=float)
    _check(A, d, penalty, lower)
    size = float(np.linalg.norm(d))
    if 2 * np.linalg.norm(A.T @ d) <= penalty or not size or not A.any():
        return LeastChange(np.zeros(A.shape[1]), np.zeros(len(d)), np.inf, 0.0)
    solve = _closed_form(A, d) if lower is None else _bounded(A, d, lower)
    if penalty > 0:
        ridge = _root(solve, A, penalty)
    else:
        ridge = NO_PENALTY * float(np.einsum("rn,rn->", A, A)) / len(A)
    x, a = solve(ridge)
    return LeastChange(x, a, ridge, float(np.abs(ridge * a + A @ x - d).max()) / size)


def _check(A: np.ndarray, d: np.ndarray, penalty: float, lower: np.ndarray | None) -> None:
    if A.ndim != 2 or d.shape != (len(A),):
        raise ValueError(f"A must be (r, n) and d (r,), got {A.shape} and {d.shape}.")
    if not (np.isfinite(A).all() and np.isfinite(d).all()):
        raise ValueError("A and d must be finite.")
    if not 0 <= penalty < np.inf:
        raise ValueError(f"penalty must be a number >= 0, got {penalty!r}.")
    if lower is not None and (np.shape(lower) != A.shape[1:] or not (lower < 0).all()):
        raise ValueError(f"lower must have shape {A.shape[1:]} and be below zero.")


Solver = Callable[[float], tuple[np.ndarray, np.ndarray]]


def _closed_form(A: np.ndarray, d: np.ndarray) -> Solver:
    eigenvalues, basis = np.linalg.eigh(A @ A.T)
    rotated = basis.T @ d

    def solve(ridge: float) -> tuple[np.ndarray, np.ndarray]:
        a = basis @ (rotated / (np.maximum(eigenvalues, 0.0) + ridge))
        return A.T @ a, a

    return solve


def _bounded(A: np.ndarray, d: np.ndarray, lower: np.ndarray) -> Solver:
    unbounded = _closed_form(A, d)

    def solve(ridge: float) -> tuple[np.ndarray, np.ndarray]:
        a = unbounded(ridge)[1]
        value, x = _dual(A, d, lower, ridge, a)
        tolerance = 1e-14 * (np.linalg.norm(d) + np.linalg.norm(A) * np.linalg.norm(x))
        for _ in range(MAX_NEWTON):
            gradient = ridge * a + A @ x - d
            if np.abs(gradient).max() <= tolerance:
                break
            free = A[:, x > lower]
            step = np.linalg.solve(free @ free.T + ridge * np.eye(len(d)), gradient)
            slope, length = float(gradient @ step), 1.0
            while length > 1e-12:
                moved = _dual(A, d, lower, ridge, a - length * step)
                # Rounding of the value hides the last decrease.
                if moved[0] <= value - 1e-4 * length * slope + 1e-15 * abs(value):
                    break
                length /= 2
            a = a - length * step
            value, x = moved
        return x, a

    return solve


def _dual(
    A: np.ndarray, d: np.ndarray, lower: np.ndarray, ridge: float, a: np.ndarray
) -> tuple[float, np.ndarray]:
    """The convex function whose minimum is the solution, and x; its gradient is ridge a + A x - d.

    Of t = A' a it takes t^2 / 2 above the bound and its tangent below.
    """
    t = A.T @ a
    x = np.maximum(lower, t)
    value = float(ridge / 2 * a @ a + np.sum(x * t - x**2 / 2) - d @ a)
    return value, x


def _root(solve: Solver, A: np.ndarray, penalty: float) -> float:
    """mu at which mu ||x(mu)|| is half the penalty."""

    def excess(log_ridge: float) -> float:
        ridge = np.exp(log_ridge)
        return 2 * ridge * float(np.linalg.norm(solve(ridge)[0])) / penalty - 1

    # x = A'a is bounded for large mu, and mu x for small: the root lies between two scales.
    low = high = float(np.log(np.einsum("rn,rn->", A, A) / len(A)))
    while excess(low) > 0:
        low -= 2.0
    # At the very edge of the zero solution rounding may hide the root; x is nearly zero there.
    limit = high + 100.0
    while excess(high) < 0 and high < limit:
        high += 2.0
    if high >= limit:
        return float(np.exp(high))
    return float(np.exp(brentq(excess, low, high, xtol=1e-13, rtol=1e-14)))
