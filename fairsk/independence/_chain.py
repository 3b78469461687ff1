"""The parallelised pairwise sampler: a Markov chain over permutations.

Berrett et al. (2020), as in Lai and Guan, FairICP, appendix C, algorithm 3. A step pairs the given
rows at random, independently of the state, and exchanges the targets of a pair with the
probability that the conditional distribution of that exchange gives it. Every such step leaves the
target distribution, proportional to the product of ``q(target[permutation[i]] | given[i])``,
unchanged and is reversible.

Drawing a fresh pairing a step would cost more than the exchanges. Here the rows are brought into a
random storage order, once every few steps, and a step pairs the first half of the
storage with the second at a random cyclic offset. The pairs depend on nothing but random numbers
drawn for them, so that the stationary distribution is the same; they are contiguous slices, so
that a step gathers nothing.
"""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator

import numpy as np

from fairsk.independence._density import (
    Conditional,
    ExponentialFamilyConditional,
    TableConditional,
)

# A storage order costs about as much as three steps of a large sample; ten offsets within it mix as
# well as fresh pairings do (benchmarks/icp_sampler.py prints both). A few rows, where a half may
# hold no row that another can exchange with, get a fresh order each step, which costs them nothing.
STEPS_PER_ORDER = 10
FEW_ROWS = 500
# Pairs handled at a time: their temporaries stay in the first cache levels at any n.
PIECE = 8192
# A density's own log-odds save calls; with more rows than this, keeping the present log-densities,
# which leaves two of four to compute, saves more.
MANY_ROWS = 10_000


class PairwiseChain:
    """The chain for one set of rows.

    Parameters
    ----------
    conditional : Conditional
        The density given each of n rows.
    target : ndarray of shape (n,) or (n, n_outputs)
    steps_per_order : int, optional
        Steps between two storage orders; by default 1 up to 500 rows, otherwise 10.

    Raises
    ------
    ValueError
        If the density of an observed row is NaN, infinite or zero.
    """

    def __init__(
        self,
        conditional: Conditional,
        target: np.ndarray,
        *,
        steps_per_order: int | None = None,
    ) -> None:
        self.n_rows = conditional.n_rows
        few = self.n_rows <= FEW_ROWS
        self.steps_per_order = steps_per_order or (1 if few else STEPS_PER_ORDER)
        self._storage = _storage_for(conditional, target)

    def run(
        self,
        permutation: np.ndarray,
        n_steps: int,
        rng: np.random.Generator,
        *,
        backward: bool = False,
    ) -> np.ndarray:
        """Run the chain from a state.

        Parameters
        ----------
        permutation : ndarray of int of shape (n,)
            ``permutation[i]`` is the target that is with given row i.
        n_steps : int
        rng : Generator
        backward : bool, default=False
            Run the time-reversed chain: its steps are the same, and the shorter series of steps
            that is left over comes first instead of last. A hub found backward from the data makes
            data and copies exchangeable (Besag and Clifford, 1989).

        Returns
        -------
        ndarray of int of shape (n,)
        """
        permutation = np.array(permutation, dtype=np.int64)
        for length in _series(n_steps, self.steps_per_order, backward):
            order = rng.permutation(self.n_rows)
            self._storage.load(order, permutation[order])
            for _ in range(length):
                self._step(rng)
            permutation[order] = self._storage.index
        self._storage.warn_of_nan()
        return permutation

    def _step(self, rng: np.random.Generator) -> None:
        storage = self._storage
        half = self.n_rows // 2
        offset = int(rng.integers(self.n_rows - half))
        for low, high in _paired_slices(self.n_rows, offset):
            uniform = rng.random(low.stop - low.start)
            # A uniform of exactly zero has the logit -inf: the exchange that it should accept.
            with np.errstate(divide="ignore"):
                threshold = np.log(uniform / (1.0 - uniform))
            # Comparing logits cannot overflow, and NaN compares false, which rejects.
            storage.exchange(low, high, storage.log_odds(low, high) > threshold)


def _series(n_steps: int, length: int, backward: bool) -> list[int]:
    """Lengths of the series of steps that share a storage order."""
    whole, rest = divmod(n_steps, length)
    series = [length] * whole + ([rest] if rest else [])
    return series[::-1] if backward else series


def _paired_slices(n_rows: int, offset: int) -> Iterator[tuple[slice, slice]]:
    """Disjoint pairs: row k of the first half with row k + offset of the second, cyclically.

    Of an odd number of rows the second half has one more, which the offset leaves out in turn.
    """
    half = n_rows // 2
    first = min(half, n_rows - half - offset)
    for start, stop, shift in ((0, first, half + offset), (first, half, half - first)):
        for low in range(start, stop, PIECE):
            high = min(low + PIECE, stop)
            yield slice(low, high), slice(low + shift, high + shift)


def _exchange(values: np.ndarray, low: slice, high: slice, mask: np.ndarray) -> None:
    """Exchange 8-byte values where the mask is all ones: without branches, and exact."""
    bits = values.view(np.int64)
    difference = bits[low] ^ bits[high]
    difference &= mask
    bits[low] ^= difference
    bits[high] ^= difference


class _Storage(ABC):
    """The state of the chain in storage order; `index` says which target is with which row."""

    index: np.ndarray
    n_nan = 0

    @abstractmethod
    def load(self, order: np.ndarray, index: np.ndarray) -> None:
        """Bring given rows into an order, with the targets that are with them."""

    @abstractmethod
    def log_odds(self, low: slice, high: slice) -> np.ndarray:
        """Log-odds of exchanging the targets of pairs of storage positions."""

    def exchange(self, low: slice, high: slice, accepted: np.ndarray) -> None:
        """Exchange the targets of the accepted pairs."""
        mask = -accepted.astype(np.int64)
        for values in self._carried():
            _exchange(values, low, high, mask)

    def _carried(self) -> list[np.ndarray]:
        """What moves with the targets."""
        return [self.index]

    def warn_of_nan(self) -> None:
        if self.n_nan:
            warnings.warn(
                f"The density was NaN for {self.n_nan} of the exchanges that the chain tried; "
                f"these were rejected, so that the copies mix less than they should. Check the "
                f"density far from the data.",
                RuntimeWarning,
                stacklevel=2,
            )
            self.n_nan = 0


class _FamilyStorage(_Storage):
    """Statistics move with the targets, natural parameters stay."""

    def __init__(self, conditional: ExponentialFamilyConditional, target: np.ndarray) -> None:
        statistics = np.asarray(conditional.statistics(target), dtype=float)
        natural = conditional.natural
        check_observed(statistics.sum(axis=1) + natural.sum(axis=1))
        # Statistics whose natural parameter is the same everywhere cancel.
        varies = np.flatnonzero(np.ptp(natural, axis=0) > 0)
        self._statistics = [np.ascontiguousarray(statistics[:, k]) for k in varies]
        self._natural = [np.ascontiguousarray(natural[:, k]) for k in varies]

    def load(self, order: np.ndarray, index: np.ndarray) -> None:
        self.index = index
        self.moving = [column[index] for column in self._statistics]
        self.fixed = [column[order] for column in self._natural]

    def log_odds(self, low: slice, high: slice) -> np.ndarray:
        total = np.zeros(low.stop - low.start)
        for moving, fixed in zip(self.moving, self.fixed, strict=True):
            total += (moving[high] - moving[low]) * (fixed[low] - fixed[high])
        return total

    def _carried(self) -> list[np.ndarray]:
        return [self.index, *self.moving]


class _TableStorage(_Storage):
    """Class codes move with the targets, the table stays."""

    def __init__(self, conditional: TableConditional, target: np.ndarray) -> None:
        self._table = np.ascontiguousarray(conditional.log_probabilities)
        self._codes = conditional.codes(target).astype(np.int64)
        check_observed(self._table[np.arange(len(self._codes)), self._codes])
        if np.isnan(self._table).any():
            raise ValueError(_NAN.format(count=int(np.isnan(self._table).any(axis=1).sum())))

    def load(self, order: np.ndarray, index: np.ndarray) -> None:
        self.index = index
        self.codes = self._codes[index]
        self.start = order * self._table.shape[1]
        self.flat = self._table.ravel()

    def log_odds(self, low: slice, high: slice) -> np.ndarray:
        start_low, start_high = self.start[low], self.start[high]
        code_low, code_high = self.codes[low], self.codes[high]
        take = self.flat.take
        crossed = take(start_low + code_high) + take(start_high + code_low)
        return crossed - (take(start_low + code_low) + take(start_high + code_high))

    def _carried(self) -> list[np.ndarray]:
        return [self.index, self.codes]


class _GeneralStorage(_Storage):
    """Any density; its log-probability of each row's own target is kept between steps."""

    def __init__(self, conditional: Conditional, target: np.ndarray) -> None:
        self._conditional = conditional
        self._target = target
        own_log_odds = type(conditional).log_odds is not Conditional.log_odds
        self._has_log_odds = own_log_odds and conditional.n_rows <= MANY_ROWS
        rows = np.arange(conditional.n_rows)
        check_observed(conditional.log_prob(target, rows))

    def load(self, order: np.ndarray, index: np.ndarray) -> None:
        self.order, self.index = order, index
        if not self._has_log_odds:
            # Given rows in storage order: a step then reads them one after the other.
            self._ordered, self._rows = self._conditional.take(order), np.arange(len(order))
            self.own = self._ordered.log_prob(self._target[index], self._rows)

    def log_odds(self, low: slice, high: slice) -> np.ndarray:
        index_low, index_high = self.index[low], self.index[high]
        if self._has_log_odds:
            positions = self.order[low], self.order[high]
            odds = self._conditional.log_odds(self._target, *positions, index_low, index_high)
        else:
            self._new_low = self._ordered.log_prob(self._target[index_high], self._rows[low])
            self._new_high = self._ordered.log_prob(self._target[index_low], self._rows[high])
            odds = self._new_low + self._new_high - (self.own[low] + self.own[high])
        self.n_nan += int(np.isnan(odds).sum())
        return odds

    def exchange(self, low: slice, high: slice, accepted: np.ndarray) -> None:
        super().exchange(low, high, accepted)
        if not self._has_log_odds:
            np.copyto(self.own[low], self._new_low, where=accepted)
            np.copyto(self.own[high], self._new_high, where=accepted)


_NAN = (
    "The density is NaN for {count} of the rows. Look at how it was fitted: too few rows, a "
    "constant column, or a training that diverged."
)


def check_observed(log_prob: np.ndarray) -> None:
    """Refuse a density under which the data cannot have been drawn."""
    nan, zero = int(np.isnan(log_prob).sum()), int(np.isneginf(log_prob).sum())
    if nan:
        raise ValueError(_NAN.format(count=nan))
    if zero:
        raise ValueError(
            f"The density is zero for {zero} of the observed rows, so that no permutation has a "
            f"positive probability. Smooth it: every target that occurs must be possible."
        )


def _storage_for(conditional: Conditional, target: np.ndarray) -> _Storage:
    if isinstance(conditional, ExponentialFamilyConditional):
        return _FamilyStorage(conditional, target)
    if isinstance(conditional, TableConditional):
        return _TableStorage(conditional, target)
    return _GeneralStorage(conditional, target)
