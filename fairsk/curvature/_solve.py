"""Damped inverse solves: factorisations for few parameters or few rows, else iterations."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from scipy.sparse.linalg import LinearOperator, cg
from sklearn.exceptions import ConvergenceWarning

from fairsk.curvature._linear import LinearScoreModel
from fairsk.curvature._objective import TrainingObjective

SOLVERS = ("auto", "cholesky", "gram", "cg")
KINDS = ("gauss_newton", "hessian")
# Beyond these numbers of parameters the matrix costs more than the iterations.
MAX_CHOLESKY_LINEAR = 4_000
MAX_CHOLESKY_OTHER = 400
# The Jacobian of so few rows is formed: at most this many rows, and numbers in it (320 MB).
MAX_GRAM_ROWS, MAX_GRAM_SIZE = 2_000, 40_000_000
# A pivot this small beside the largest one is rounding error.
SMALLEST_PIVOT = 1e-11


class SingularCurvatureError(ValueError):
    """The curvature has no inverse: some direction does not change the training loss."""


@dataclass(frozen=True)
class DampedSolution:
    """Solutions of (curvature + damping I) u = g.

    Attributes
    ----------
    vectors : ndarray of shape (m, n_parameters)
    residuals : ndarray of shape (m,)
        ||(curvature + damping I) u - g|| / ||g|| of each.
    n_iterations : int
        Of conjugate gradient, over all right-hand sides; 0 for the other solvers.
    solver : str
        The one that was used.
    """

    vectors: np.ndarray
    residuals: np.ndarray
    n_iterations: int
    solver: str


def solve_damped(
    objective: TrainingObjective,
    gradients: np.ndarray,
    *,
    damping: float = 0.0,
    solver: str = "auto",
    kind: str = "gauss_newton",
    tol: float = 1e-2,
    max_iter: int = 200,
    max_rows: int | None = None,
    random_state: Any = None,
) -> DampedSolution:
    """Solve (curvature + damping I) u = g for some gradients g.

    Parameters
    ----------
    objective : TrainingObjective
    gradients : ndarray of shape (m, n_parameters)
    damping : float, default=0.0
        Added to the diagonal, on the scale of the mean loss, beside the ridge of the training.
    solver : {"auto", "cholesky", "gram", "cg"}, default="auto"
        "cholesky" factorises the curvature, "gram" the matrix of the rows' gradients with each
        other (Gauss-Newton, and every parameter damped or penalised), "cg" iterates. "auto" takes
        the first for up to 4,000 parameters of linear scores and 400 of others, the second for up
        to 2,000 rows whose Jacobian fits into memory.
    kind : {"gauss_newton", "hessian"}, default="gauss_newton"
        Gauss-Newton is positive semidefinite everywhere; the Hessian only at a minimum.
    tol : float, default=1e-2
        Residual at which conjugate gradient stops.
    max_iter : int, default=200
        Iterations of conjugate gradient for each gradient.
    max_rows : int, optional
        Conjugate gradient looks at no more rows than this, drawn once, with probability
        proportional to how much they bend the loss.
    random_state : int, Generator or None, default=None
        Draws those rows.

    Returns
    -------
    DampedSolution

    Raises
    ------
    SingularCurvatureError
        If Cholesky finds no inverse.

    Warns
    -----
    ConvergenceWarning
        If conjugate gradient stops above `tol`, with the residual.

    Examples
    --------
    >>> from fairsk.curvature import LinearScoreModel
    >>> model = LinearScoreModel([0.0], fit_intercept=False)
    >>> X, y, weight = np.array([[1.0], [2.0]]), np.array([1, 0]), np.array([0.5, 0.5])
    >>> objective = TrainingObjective(model, X, y, weight, ridge=np.array([0.1]))
    >>> solve_damped(objective, np.array([[0.725]])).vectors
    array([[1.]])
    """
    check_solver_settings(damping, solver, kind, tol, max_iter, max_rows)
    gradients = np.atleast_2d(np.asarray(gradients, dtype=float))
    chosen = choose_solver(objective, solver, damping, kind)
    if chosen == "cholesky":
        return _cholesky(objective, gradients, damping, kind)
    if chosen == "gram":
        return _gram(objective, gradients, damping, kind)
    if max_rows is not None:
        objective = objective.subsample(max_rows, random_state, kind)
    return _conjugate_gradient(objective, gradients, damping, kind, tol, max_iter)


def choose_solver(objective: TrainingObjective, solver: str, damping: float, kind: str) -> str:
    """The solver that "auto" stands for."""
    if solver != "auto":
        return solver
    n_rows, n_parameters = len(objective.y), objective.model.n_parameters
    is_linear = isinstance(objective.model, LinearScoreModel)
    if n_parameters <= (MAX_CHOLESKY_LINEAR if is_linear else MAX_CHOLESKY_OTHER):
        return "cholesky"
    is_small = n_rows <= MAX_GRAM_ROWS and n_rows * n_parameters <= MAX_GRAM_SIZE
    is_regular = kind == "gauss_newton" and (objective.ridge + damping).min() > 0
    return "gram" if is_small and is_regular else "cg"


def check_solver_settings(
    damping: float,
    solver: str = "auto",
    kind: str = "gauss_newton",
    tol: float = 1e-2,
    max_iter: int = 200,
    max_rows: int | None = None,
) -> None:
    """Refuse settings out of range.

    Raises
    ------
    ValueError
    """
    if not 0 <= damping < np.inf:
        raise ValueError(f"damping must be a number >= 0, got {damping!r}.")
    if solver not in SOLVERS:
        raise ValueError(f"solver must be one of {list(SOLVERS)}, got {solver!r}.")
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {list(KINDS)}, got {kind!r}.")
    if not 0 < tol < 1:
        raise ValueError(f"tol must be between 0 and 1, got {tol!r}.")
    if max_iter < 1:
        raise ValueError(f"max_iter must be at least 1, got {max_iter!r}.")
    if max_rows is not None and max_rows < 1:
        raise ValueError(f"max_rows must be None or at least 1, got {max_rows!r}.")


def _cholesky(
    objective: TrainingObjective, gradients: np.ndarray, damping: float, kind: str
) -> DampedSolution:
    is_hessian = kind == "hessian" and not isinstance(objective.model, LinearScoreModel)
    matrix = objective.hessian_matrix() if is_hessian else objective.gauss_newton_matrix()
    matrix[np.diag_indices_from(matrix)] += damping
    try:
        factor = cho_factor(matrix, lower=True)
        pivots = np.diag(factor[0]) ** 2
        if pivots.min() <= SMALLEST_PIVOT * pivots.max():
            raise LinAlgError
    except LinAlgError:
        lowest = float(np.linalg.eigvalsh(matrix)[0])
        raise SingularCurvatureError(
            f"The {kind.replace('_', '-')} matrix of the {len(matrix)} parameters is not positive "
            f"definite (lowest eigenvalue {lowest:.2g} with damping={damping:g}): collinear "
            f"features, or training without an L2 penalty. Set damping, for example to "
            f"{max(1e-3, damping - 2 * lowest):.2g}, or train with an L2 penalty."
        ) from None
    vectors = cho_solve(factor, gradients.T).T
    residuals = _relative(vectors @ matrix - gradients, gradients)
    return DampedSolution(vectors, residuals, 0, "cholesky")


def _gram(
    objective: TrainingObjective, gradients: np.ndarray, damping: float, kind: str
) -> DampedSolution:
    """The inverse of J' J + diagonal by that of I + J diagonal^-1 J', rows instead of parameters.

    Here J are the rows' score gradients, each times the root of its curvature.
    """
    diagonal = objective.ridge + damping
    if kind != "gauss_newton" or diagonal.min() <= 0:
        raise SingularCurvatureError(
            f"solver='gram' takes curvature='gauss_newton' and a positive damping or L2 penalty of "
            f"every parameter; got {kind!r} and damping={damping:g}. Set damping, or solver='cg'."
        )
    jacobian = objective.model.jacobian(objective.X)
    J = jacobian.toarray() if sparse.issparse(jacobian) else np.array(jacobian, dtype=float)
    J *= np.sqrt(objective.weight * objective.curvatures)[:, None]
    scaled = gradients / diagonal
    J /= np.sqrt(diagonal)
    matrix = J @ J.T
    matrix[np.diag_indices_from(matrix)] += 1.0
    inner = cho_solve(cho_factor(matrix, lower=True), J @ (scaled * np.sqrt(diagonal)).T)
    vectors = scaled - (J.T @ inner).T / np.sqrt(diagonal)
    rooted = vectors * np.sqrt(diagonal)
    images = (rooted + (J.T @ (J @ rooted.T)).T) * np.sqrt(diagonal)
    return DampedSolution(vectors, _relative(images - gradients, gradients), 0, "gram")


def _conjugate_gradient(
    objective: TrainingObjective,
    gradients: np.ndarray,
    damping: float,
    kind: str,
    tol: float,
    max_iter: int,
) -> DampedSolution:
    J = objective.model.linearize(objective.X)
    product: Callable = (
        objective.hessian_product if kind == "hessian" else objective.gauss_newton_product
    )
    steps = 0

    def matvec(v: np.ndarray) -> np.ndarray:
        nonlocal steps
        steps += 1
        return product(v.ravel(), J) + damping * v.ravel()

    n_parameters = objective.model.n_parameters
    operator = LinearOperator((n_parameters, n_parameters), matvec=matvec, dtype=float)
    vectors = np.zeros_like(gradients)
    for k, gradient in enumerate(gradients):
        if gradient.any():
            vectors[k], _ = cg(operator, gradient, rtol=tol, atol=0.0, maxiter=max_iter)
    n_iterations = steps
    images = np.array([matvec(v) for v in vectors])
    residuals = _relative(images - gradients, gradients)
    # Single precision adds its own error to the recursion's residual.
    if not np.isfinite(residuals).all() or residuals.max() > 2 * tol:
        warnings.warn(
            f"Conjugate gradient stopped at a residual of {residuals.max():.2g} after "
            f"{max_iter} iterations, above tol={tol:g}: the influence is approximate. Raise "
            f"damping (now {damping:g}), which conditions the problem, or max_iter.",
            ConvergenceWarning,
            stacklevel=3,
        )
    return DampedSolution(vectors, residuals, n_iterations, "cg")


def _relative(errors: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    size = np.linalg.norm(gradients, axis=1)
    return np.linalg.norm(errors, axis=1) / np.where(size > 0, size, 1.0)
