"""Weighted rows (score, basis) and the few passes over them that the solver needs.

The full data are touched only through :class:`Rows`, block by block, so that a
float32 basis of several gigabytes is never copied to float64. What the solver
works on is a :class:`Band`: the rows near the decision boundary, in float64,
together with the summed contribution of everything outside, whose side is known.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from scipy import sparse

from fairsk.solvers._atoms import group_identical

__all__ = ["Band", "Rows", "Sweep", "weighted_gram"]

# Entries of the basis held in float64 at a time: 4 MiB, which stays in the cache.
_BLOCK_ENTRIES = 2**19
# Entries up to which a sparse basis is made dense: a product takes less than its overhead.
_FEW_ENTRIES = 2**16


def weighted_gram(basis: np.ndarray | sparse.csr_array, weights: np.ndarray) -> np.ndarray:
    """Return ``basis.T @ diag(weights) @ basis``."""
    if sparse.issparse(basis):
        return (basis.T @ basis.multiply(weights[:, None])).toarray()
    return basis.T @ (basis * weights[:, None])


@dataclass(frozen=True)
class Sweep:
    """What one pass over all rows says about one vector of moment prices.

    Attributes
    ----------
    margins : ndarray of shape (n,) or None
        ``scores - basis @ prices``: the rule accepts where this is positive. None when
        the sums were found without visiting every row.
    moments : ndarray of shape (q,)
        Summed ``weight * basis`` of the accepted rows.
    value : float
        Summed ``weight * score`` of the accepted rows.
    prices : ndarray of shape (q,)
        ``contrasts.T @ multipliers``.
    """

    margins: np.ndarray | None
    moments: np.ndarray
    value: float
    prices: np.ndarray


@dataclass
class Band:
    """Rows that may still change side; all other rows are summed up.

    Attributes
    ----------
    scores, weights : ndarray of shape (m,)
    basis : ndarray or csr_array of shape (m, q)
        Distinct atoms: identical rows are merged, their weights added.
    index : ndarray of shape (b,)
        Rows of the full data which the band covers.
    atom : ndarray of shape (b,)
        The atom of each of these rows.
    moments : ndarray of shape (q,)
        Accepted mass outside the band.
    value : float
        Accepted score outside the band.
    start : ndarray of shape (m,)
        Margins from which the band was made.
    radius : ndarray of shape (m,) or None
        How far each margin may move before the rows outside the band may matter; None
        when there are none.
    center : ndarray of shape (q,)
        Prices at which the margins are ``start``.
    room : ndarray of shape (q,)
        Changes of the prices up to which no row outside the band can change side.
    """

    scores: np.ndarray
    basis: np.ndarray | sparse.csr_array
    weights: np.ndarray
    index: np.ndarray
    atom: np.ndarray
    moments: np.ndarray
    value: float
    start: np.ndarray
    radius: np.ndarray | None
    center: np.ndarray
    room: np.ndarray

    def covers(self, prices: np.ndarray) -> bool:
        """Whether every row outside the band is on its known side at these prices."""
        return bool((np.abs(prices - self.center) <= self.room).all())

    def accepted(self, prices: np.ndarray) -> tuple[np.ndarray, float]:
        """Return moments and score of the rows accepted at prices which it covers."""
        decision = (self.margins(prices) > 0).astype(np.float64)
        return self.total_moments(decision), self.total_value(decision)

    def margins(self, prices: np.ndarray) -> np.ndarray:
        """Return ``scores - basis @ prices`` of the atoms."""
        return self.scores - self.basis @ prices

    def allowed_length(self, margins: np.ndarray, change: np.ndarray) -> float:
        """Return how much of ``change`` the margins can make within the radius."""
        if self.radius is None:
            return np.inf
        room = self.radius - np.sign(change) * (margins - self.start)
        with np.errstate(divide="ignore", invalid="ignore"):
            lengths = np.where(change != 0, room / np.abs(change), np.inf)
        return max(0.0, float(lengths.min()))

    def total_moments(self, decision: np.ndarray) -> np.ndarray:
        """Return the moments of the whole data under ``decision`` on the atoms."""
        return self.moments + self.basis.T @ (self.weights * decision)

    def total_value(self, decision: np.ndarray) -> float:
        """Return the objective of the whole data under ``decision`` on the atoms."""
        return self.value + float((self.weights * decision) @ self.scores)


@dataclass
class Rows:
    """The full data of one problem.

    Parameters
    ----------
    scores : ndarray of shape (n,), float64
    basis : ndarray or CSR matrix of shape (n, q)
    weights : ndarray of shape (n,), float64
    pinned : ndarray of int
        Rows that every sample and every band must hold.
    base_moments : ndarray of shape (q,) or float
    base_value : float
        Accepted mass and score of rows that were left out because their side is known.
    """

    scores: np.ndarray
    basis: np.ndarray | sparse.csr_array
    weights: np.ndarray
    pinned: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=np.intp))
    base_moments: np.ndarray | float = 0.0
    base_value: float = 0.0

    def __len__(self) -> int:
        return self.scores.shape[0]

    @property
    def n_basis(self) -> int:
        """Number of columns of the basis."""
        return self.basis.shape[1]

    def blocks(self) -> Iterator[tuple[slice, np.ndarray | sparse.csr_array]]:
        """Yield slices of rows with their basis in float64."""
        n, q = self.basis.shape
        dense = isinstance(self.basis, np.ndarray)
        step = max(256, _BLOCK_ENTRIES // q) if dense else _BLOCK_ENTRIES // 4
        for start in range(0, n, step):
            part = slice(start, min(start + step, n))
            yield part, self._block(part) if dense else self._sparse_block(part)

    def _block(self, part: slice) -> np.ndarray:
        return np.asarray(self.basis[part], dtype=np.float64)

    def _sparse_block(self, part: slice) -> sparse.csr_array:
        # Slicing a CSR matrix copies it; its three arrays can be sliced as views.
        whole = self.basis
        first, last = whole.indptr[part.start], whole.indptr[part.stop]
        data = np.asarray(whole.data[first:last], dtype=np.float64)
        pointers = whole.indptr[part.start : part.stop + 1] - first
        shape = (part.stop - part.start, whole.shape[1])
        return sparse.csr_array((data, whole.indices[first:last], pointers), shape=shape)

    @cached_property
    def price_unit(self) -> np.ndarray:
        """Change of each price that is as likely as any other's, up to a common factor.

        The error of a price shrinks with the square root of the mass behind it, while
        its column of the basis grows with the inverse of that mass: the inverse of the
        column's root mean square is what is left. Some thousand rows tell it.
        """
        basis = self.basis[:: max(1, len(self) // 20_000)]
        if sparse.issparse(basis):
            square = np.asarray(basis.multiply(basis).mean(axis=0)).ravel()
        else:
            square = np.einsum("ij,ij->j", basis, basis, dtype=np.float64) / len(basis)
        root = np.sqrt(square)
        return 1 / np.where(root > 0, root, 1.0)

    @cached_property
    def reach(self) -> np.ndarray:
        """How far a row's margin moves at most when no price moves by over a unit."""
        reach = np.empty(len(self), dtype=np.float32)
        for part, basis in self.blocks():
            reach[part] = abs(basis) @ self.price_unit
        floor = 1e-3 * reach.max(initial=0.0)
        return np.maximum(reach, floor, out=reach) if floor > 0 else np.ones_like(reach)

    def sweep(self, prices: np.ndarray) -> Sweep:
        """Return margins, accepted moments and accepted score in one pass."""
        margins = np.empty(len(self))
        moments = np.zeros(self.n_basis) + self.base_moments
        value = self.base_value
        for part, basis in self.blocks():
            margins[part] = self.scores[part] - basis @ prices
            accepted = np.where(margins[part] > 0, self.weights[part], 0.0)
            moments += basis.T @ accepted
            value += float(accepted @ self.scores[part])
        return Sweep(margins, moments, value, prices)

    def take(self, index: np.ndarray) -> tuple[np.ndarray, np.ndarray | sparse.csr_array]:
        """Return scores and float64 basis of some rows, dense if it is small."""
        basis = self.basis[index]
        if sparse.issparse(basis) and basis.shape[0] * basis.shape[1] <= _FEW_ENTRIES:
            basis = basis.toarray()
        return self.scores[index], basis.astype(np.float64, copy=False)

    def sample(self, size: int, rng: np.random.Generator) -> Rows:
        """Return about ``size`` random rows, reweighted to the total weight."""
        n = len(self)
        index = np.sort(rng.choice(n, size=size, replace=False, shuffle=False))
        index = index[~np.isin(index, self.pinned)]
        weights = self.weights[index] * ((n - len(self.pinned)) / max(1, len(index)))
        index = np.concatenate([index, self.pinned])
        weights = np.concatenate([weights, self.weights[self.pinned]])
        scores, basis = self.take(index)
        return Rows(scores, basis, weights, np.arange(len(index) - len(self.pinned), len(index)))

    def band(self, sweep: Sweep, size: int) -> Band:
        """Return the ``size`` rows nearest the boundary as a reduced problem."""
        index, cut = self._nearest(sweep.margins, size)
        scores, basis = self.take(index)
        weights = self.weights[index]
        accepted = np.where(sweep.margins[index] > 0, weights, 0.0)
        moments = sweep.moments - basis.T @ accepted
        value = sweep.value - float(accepted @ scores)
        first, atom = group_identical(scores, basis)
        if len(first) < len(index):
            weights = np.bincount(atom, weights=weights, minlength=len(first))
            scores, basis = scores[first], basis[first]
        start = sweep.margins[index[first]]
        radius = None
        if len(index) < len(self):
            reach = self.reach[index[first]]
            # Twice as far as the band reaches: most of its own rows have changed side.
            radius = 2 * reach * float((np.abs(start) / reach).max())
        # The rounding of the margins and of the reach in float32 is far below 1e-5.
        room = self.price_unit * (cut * (1 - 1e-5))
        return Band(
            scores, basis, weights, index, atom, moments, value, start, radius, sweep.prices, room
        )

    def within(self, margins: np.ndarray, distance: float) -> np.ndarray:
        """Return which rows a change of all prices by so many units may reach."""
        return np.abs(margins) <= distance * self.reach

    def _nearest(self, margins: np.ndarray, size: int) -> tuple[np.ndarray, float]:
        """Return the rows which a change of the prices reaches first, and how large it is."""
        if size >= len(self):
            return np.arange(len(self)), np.inf
        distance = np.abs(margins)
        distance /= self.reach
        distance[self.pinned] = 0.0
        # Every k-th row is enough to find a distance that about ``size`` rows are within.
        stride = max(1, min(len(self) // 200_000, size // 2_000))
        cut = np.partition(distance[::stride], size // stride)[size // stride]
        # Identical rows have equal margins up to rounding: none may be left behind.
        return np.flatnonzero(distance <= cut * (1 + 1e-9) + 1e-13), float(cut)
