"""What the solver accepts, checked before work starts."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from fairsk.solvers._constraints import Constraints

__all__ = ["check_constraints", "check_rows"]


def _finite(name: str, values: np.ndarray) -> None:
    # A sum is finite only if every entry is, and needs no mask of the size of the data.
    if values.size and not np.isfinite(values.sum(dtype=np.float64)):
        raise ValueError(f"{name} contains NaN or infinite values.")


def _numeric(name: str, values, ndim: int, shape: str) -> np.ndarray:
    values = np.asarray(values)
    if values.dtype.kind not in "fiub":
        raise ValueError(f"{name} must be numeric, got dtype {values.dtype}.")
    if values.ndim != ndim:
        raise ValueError(f"{name} must have shape {shape}, got {values.shape}.")
    return values


def check_rows(scores, basis, sample_weight):
    """Return scores, basis and normalised weights, or raise ``ValueError``.

    Parameters
    ----------
    scores : array-like of shape (n,)
    basis : array-like or sparse matrix of shape (n, q)
    sample_weight : array-like of shape (n,) or None

    Returns
    -------
    scores : ndarray of shape (n,), float64
    basis : ndarray (float32 or float64) or csr_array of shape (n, q)
    weights : ndarray of shape (n,), float64, summing to 1
    """
    scores = _numeric("scores", scores, 1, "(n,)").astype(np.float64, copy=False)
    n = len(scores)
    if n == 0:
        raise ValueError("scores is empty: at least one row is needed.")
    if sparse.issparse(basis):
        if basis.ndim != 2:
            raise ValueError(f"basis must have shape (n, q), got {basis.shape}.")
        basis = sparse.csr_array(basis)
        if not basis.has_canonical_format:
            basis = basis.copy()
            basis.sum_duplicates()
        _finite("basis", basis.data)
    else:
        basis = _numeric("basis", basis, 2, "(n, q)")
        if basis.dtype not in (np.float32, np.float64):
            basis = basis.astype(np.float64)
        _finite("basis", basis)
    if basis.shape[0] != n or basis.shape[1] == 0:
        raise ValueError(
            f"basis must have one row per score and at least one column: "
            f"expected ({n}, q), got {basis.shape}."
        )
    _finite("scores", scores)
    return scores, basis, _check_weights(sample_weight, n)


def _check_weights(sample_weight, n: int) -> np.ndarray:
    if sample_weight is None:
        # One number seen n times: equal weights take no memory.
        return np.broadcast_to(np.float64(1.0 / n), (n,))
    weights = _numeric("sample_weight", sample_weight, 1, f"({n},)").astype(np.float64)
    if len(weights) != n:
        raise ValueError(f"sample_weight must have shape ({n},), got {weights.shape}.")
    _finite("sample_weight", weights)
    if (weights < 0).any():
        raise ValueError("sample_weight must not be negative.")
    if weights.sum() == 0:
        raise ValueError("sample_weight sums to zero: no row counts.")
    weights /= weights.sum()
    return weights


def check_constraints(contrasts, lower, upper, n_basis: int) -> Constraints:
    """Return the constraints in float64, or raise ``ValueError``.

    Crossed bounds are let through: they make the problem infeasible, which is
    reported with the smallest relaxation.

    Parameters
    ----------
    contrasts : array-like of shape (r, q)
    lower, upper : array-like of shape (r,) or float
    n_basis : int
        The number of columns q of the basis.

    Returns
    -------
    Constraints
    """
    contrasts = _numeric("contrasts", contrasts, 2, "(r, q)").astype(np.float64)
    if contrasts.shape[1] != n_basis:
        raise ValueError(
            f"contrasts must have one column per column of basis ({n_basis}), "
            f"got shape {contrasts.shape}."
        )
    _finite("contrasts", contrasts)
    limits = []
    for name, bound, forbidden in (("lower", lower, np.inf), ("upper", upper, -np.inf)):
        bound = np.asarray(bound, dtype=np.float64)
        if bound.ndim and bound.shape != (len(contrasts),):
            raise ValueError(
                f"{name} must be a number or have shape ({len(contrasts)},), got {bound.shape}."
            )
        if np.isnan(bound).any() or (bound == forbidden).any():
            raise ValueError(f"{name} contains NaN or {forbidden}.")
        limits.append(np.broadcast_to(bound, (len(contrasts),)).copy())
    return Constraints(contrasts, *limits)
