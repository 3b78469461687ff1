"""Identical rows: finding them, so that they are decided together."""

from __future__ import annotations

import numpy as np
from scipy import sparse

__all__ = ["group_identical", "hash_rows"]

_MIX = np.uint64(0x9E3779B97F4A7C15)


def _scrambled(values: np.ndarray) -> np.ndarray:
    # -0.0 + 0.0 is 0.0, so that the two zeros hash alike. Round numbers have
    # empty low bits: without the shifts their products would collide.
    bits = (values.astype(np.float64) + 0.0).view(np.uint64)
    bits ^= bits >> np.uint64(32)
    bits *= _MIX
    bits ^= bits >> np.uint64(29)
    return bits


def hash_rows(scores: np.ndarray, basis: np.ndarray | sparse.csr_array) -> np.ndarray:
    """Return a 64-bit hash of each row ``(score, basis)``.

    Integer arithmetic makes it exact: equal rows hash alike wherever they stand,
    which a floating-point projection by BLAS doesn't promise. Two distinct rows
    among two million collide with a probability of about 1e-7.

    Parameters
    ----------
    scores : ndarray of shape (n,)
    basis : ndarray or CSR matrix of shape (n, q)

    Returns
    -------
    ndarray of shape (n,), uint64
    """
    rng = np.random.default_rng(20240229)
    odd = rng.integers(0, 2**63, size=basis.shape[1] + 1, dtype=np.uint64) * np.uint64(2)
    odd += np.uint64(1)
    hashes = _scrambled(scores) * odd[-1]
    if sparse.issparse(basis):
        terms = _scrambled(basis.data) * odd[basis.indices]
        # Explicit zeros must not count: a row may or may not store them.
        terms[basis.data == 0] = 0
        sums = np.zeros(len(terms) + 1, dtype=np.uint64)
        np.cumsum(terms, out=sums[1:])
        hashes += sums[basis.indptr[1:]] - sums[basis.indptr[:-1]]
    else:
        for column, factor in zip(basis.T, odd[:-1], strict=True):
            hashes += _scrambled(column) * factor
    return hashes ^ (hashes >> np.uint64(31))


def group_identical(
    scores: np.ndarray, basis: np.ndarray | sparse.csr_array
) -> tuple[np.ndarray, np.ndarray]:
    """Group rows that agree in score and basis.

    Parameters
    ----------
    scores : ndarray of shape (n,)
    basis : ndarray or CSR matrix of shape (n, q)

    Returns
    -------
    first : ndarray of shape (m,)
        One row of each group, in order of appearance.
    atom : ndarray of shape (n,), int32
        The group of each row.
    """
    hashes = hash_rows(scores, basis)
    order = np.argsort(hashes, kind="stable")
    hashes = hashes[order]
    starts = np.empty(len(hashes), dtype=bool)
    starts[:1] = True
    np.not_equal(hashes[1:], hashes[:-1], out=starts[1:])
    first = order[starts]
    atom = np.empty(len(order), dtype=np.int32)
    atom[order] = np.cumsum(starts, dtype=np.int32) - 1
    rank = np.argsort(first)
    position = np.empty(len(first), dtype=np.int32)
    position[rank] = np.arange(len(first), dtype=np.int32)
    return first[rank], position[atom]
