"""Streams of group-labelled rows: what interleaving and overconditioning are made of.

A stream is a tuple of pools, such as the rows inside and outside of a group, that a fairness term
compares. Every batch that is remediated gets a fixed number of rows from each pool of one stream
(interleaving) or of all, however rare those rows are. Pools are index arrays on the device; rows
are never copied, but gathered together with the batch and passed through the network once.

To interleave another regulariser, derive from `StreamTerm` and write `compare`.

Imports torch, so it is loaded when a network is trained and not before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from fairsk.neural._training import Term

DRAWS = ("all", "uniform", "gap")
# Share of the draws that stays uniform when groups are drawn by their gap: none is forgotten.
UNIFORM_SHARE = 0.2
# How much an epoch's gaps count in their running mean.
NEW_SHARE = 0.5


def condition_mask(Y: np.ndarray, condition: str, overcondition: bool) -> np.ndarray:
    """Which rows each task's rates are conditioned on.

    With ``overcondition`` the condition is on the system's label max_t Y_t for every task at once,
    so that one stream serves all tasks: rows negative on every task, or positive on some. Under
    the paper's assumption that no two tasks fire together, equal rates of each task given the
    system's label imply equal rates of the system, for positives as for negatives.

    Parameters
    ----------
    Y : ndarray of shape (n_samples, n_tasks)
        Labels 0 or 1.
    condition : {"negatives", "positives"}
        For false positive or false negative rates.
    overcondition : bool

    Returns
    -------
    ndarray of bool of shape (n_samples, 1) or (n_samples, n_tasks)

    Examples
    --------
    >>> condition_mask(np.array([[0, 0], [0, 1]]), "negatives", True)[:, 0].tolist()
    [True, False]
    """
    labels = Y.max(axis=1, keepdims=True) if overcondition else Y
    return np.asarray(labels == (1 if condition == "positives" else 0))


class Pool:
    """Row numbers to draw from: all come once, in random order, before any comes again."""

    def __init__(self, rows: torch.Tensor) -> None:
        self.rows = rows
        self.restart()

    def restart(self) -> None:
        """Forget what was drawn."""
        self._order, self._place = self.rows[:0], 0

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, n: int, generator: torch.Generator) -> torch.Tensor:
        """The next ``n`` rows; the pool is shuffled again each time it is used up."""
        pieces = []
        while n > 0:
            if self._place == len(self._order):
                shuffled = torch.randperm(
                    len(self.rows), generator=generator, device=self.rows.device
                )
                self._order, self._place = self.rows[shuffled], 0
            piece = self._order[self._place : self._place + n]
            self._place += len(piece)
            n -= len(piece)
            pieces.append(piece)
        return pieces[0] if len(pieces) == 1 else torch.cat(pieces)


@dataclass(frozen=True)
class Plan:
    """Which streams' rows go with which batch of an epoch.

    Attributes
    ----------
    step_of_batch : list of int or None
        For each batch, its place in the arrays below; None where it is not remediated.
    streams : tensor of int of shape (n_steps, n_active)
    rows : tensor of int of shape (n_steps, n_active, n_sides * n_rows)
        Side by side: first all rows of the first pool.
    scale : tensor of shape (n_steps, n_active)
        What makes the sum over the epoch that of all streams in every batch, in expectation.
    """

    step_of_batch: list[int | None]
    streams: torch.Tensor
    rows: torch.Tensor
    scale: torch.Tensor


class Streams:
    """Draws rows for the batches of an epoch, from one stream a batch or from all.

    Parameters
    ----------
    streams : sequence of tuple of tensor of int
        For each stream, its pools of row numbers, all on one device, none empty.
    n_rows : int
        Rows of each pool in a batch.
    draw : {"all", "uniform", "gap"}, default="uniform"
        "uniform" interleaves: one stream a batch, each once in random order before any comes
        again. "gap" draws streams in proportion to their current gap (a fifth of the draws stays
        uniform) and divides by the probability: the objective is the same, and its estimate varies
        less where gaps differ. "all" takes every stream in every batch.
    every : int, default=1
        Only each ``every``-th batch is remediated, and counts that many times.

    Examples
    --------
    >>> pools = [(torch.arange(3), torch.arange(3, 9)), (torch.arange(4), torch.arange(4, 9))]
    >>> streams = Streams(pools, 2)
    >>> streams.start(0)
    >>> plan = streams.plan(4)
    >>> plan.rows.shape, plan.scale[0].tolist()  # two groups, drawn one at a time
    (torch.Size([4, 1, 4]), [2.0])
    """

    def __init__(
        self,
        streams: Sequence[tuple[torch.Tensor, ...]],
        n_rows: int,
        *,
        draw: str = "uniform",
        every: int = 1,
    ) -> None:
        self.pools = [tuple(Pool(rows) for rows in sides) for sides in streams]
        self.n_rows, self.draw, self.every = n_rows, draw, every
        self.n_sides = len(self.pools[0])
        self.device = self.pools[0][0].rows.device
        self._order = Pool(torch.arange(len(self.pools), device=self.device))

    def __len__(self) -> int:
        return len(self.pools)

    def start(self, seed: int) -> None:
        """Begin anew."""
        self._generator = torch.Generator(self.device).manual_seed(seed)
        for pool in (self._order, *(pool for sides in self.pools for pool in sides)):
            pool.restart()
        self._gaps: torch.Tensor | None = None
        self._n_batches = 0

    def probabilities(self) -> torch.Tensor:
        """The chance of each stream to be drawn, shape (n_streams,)."""
        uniform = torch.full((len(self),), 1 / len(self), device=self.device)
        if self.draw != "gap" or self._gaps is None or not bool(self._gaps.sum() > 0):
            return uniform
        shares = self._gaps / self._gaps.sum()
        return (1 - UNIFORM_SHARE) * shares + UNIFORM_SHARE * uniform

    def observe(self, gaps: torch.Tensor) -> None:
        """Take the gaps seen in an epoch, of shape (n_streams,), NaN where a stream had none."""
        seen = ~torch.isnan(gaps)
        if not bool(seen.any()):
            return
        if self._gaps is None:
            # What was not seen yet is taken for usual.
            self._gaps = torch.where(seen, gaps, gaps[seen].mean())
        else:
            self._gaps = torch.where(
                seen, (1 - NEW_SHARE) * self._gaps + NEW_SHARE * gaps, self._gaps
            )

    def plan(self, n_batches: int) -> Plan:
        """Draw for the next ``n_batches``."""
        step_of_batch: list[int | None] = []
        n_steps = 0
        for batch in range(self._n_batches, self._n_batches + n_batches):
            is_remediated = batch % self.every == 0
            step_of_batch.append(n_steps if is_remediated else None)
            n_steps += is_remediated
        self._n_batches += n_batches
        streams, scale = self._draw_streams(n_steps)
        rows = torch.empty(
            (*streams.shape, self.n_sides * self.n_rows), dtype=torch.long, device=self.device
        )
        for k, sides in enumerate(self.pools):
            places = torch.nonzero(streams.reshape(-1) == k)[:, 0]
            drawn = [
                pool.take(len(places) * self.n_rows, self._generator).view(-1, self.n_rows)
                for pool in sides
                if len(places)
            ]
            if drawn:
                rows.view(-1, rows.shape[2])[places] = torch.cat(drawn, dim=1)
        return Plan(step_of_batch, streams, rows, scale * self.every)

    def _draw_streams(self, n_steps: int) -> tuple[torch.Tensor, torch.Tensor]:
        if self.draw == "all":
            streams = torch.arange(len(self), device=self.device).expand(n_steps, -1)
            return streams, torch.ones(streams.shape, device=self.device)
        if self.draw == "uniform":
            streams = (
                self._order.take(n_steps, self._generator) if n_steps else self._order.rows[:0]
            )
            return streams[:, None], torch.full((n_steps, 1), float(len(self)), device=self.device)
        chances = self.probabilities()
        streams = (
            torch.multinomial(chances, n_steps, replacement=True, generator=self._generator)
            if n_steps
            else self._order.rows[:0]
        )
        return streams[:, None], 1 / chances[streams][:, None]


class StreamTerm(Term):
    """A fairness term on the rows of streams; a subclass writes `compare`.

    It is added to the task loss with its own weights, and sees the task loss's rows never.

    Parameters
    ----------
    streams : Streams
    names : sequence of str
        Of each stream, for the history; streams may share one.
    weights : tensor of shape (n_streams, n_values)
        What each value of `compare` is multiplied by.
    seed : int
    """

    weight = 1.0
    task_weight = 1.0

    def __init__(
        self, streams: Streams, names: Sequence[str], weights: torch.Tensor, seed: int
    ) -> None:
        self.streams, self.names, self.weights, self.seed = streams, list(names), weights, seed

    def compare(
        self, outputs: torch.Tensor, streams: torch.Tensor, rows: torch.Tensor
    ) -> torch.Tensor:
        """How far the sides of some streams are apart.

        Parameters
        ----------
        outputs : tensor of shape (n_active, n_sides * n_rows, n_outputs)
            Of the network; the sides one after the other.
        streams : tensor of int of shape (n_active,)
        rows : tensor of int of shape (n_active, n_sides * n_rows)
            Which training rows they are.

        Returns
        -------
        tensor of shape (n_active, n_values)
            Zero for parity.
        """
        raise NotImplementedError

    def start(self, n_outputs: int, attempt: int, rate_factor: float) -> None:
        self.streams.start(self.seed + attempt)

    def extra_rows(self, parts: list[slice]) -> list[torch.Tensor | None] | None:
        self._plan, self._step = self.streams.plan(len(parts)), 0
        self._values: list[torch.Tensor] = []
        rows = self._plan.rows
        return [None if k is None else rows[k].reshape(-1) for k in self._plan.step_of_batch]

    def penalty(self, outputs: torch.Tensor, part: slice) -> torch.Tensor:
        # Only batches with rows of streams come here, in their order.
        streams, rows = self._plan.streams[self._step], self._plan.rows[self._step]
        values = self.compare(outputs.view(*rows.shape, -1), streams, rows)
        self._values.append(values.detach())
        scaled = values * self.weights[streams] * self._plan.scale[self._step][:, None]
        self._step += 1
        return scaled.sum()

    def report(self) -> dict[str, float]:
        """The mean value of each name, summed over values; feeds the draw by gap."""
        n_streams = len(self.streams)
        sums = torch.zeros(n_streams, device=self.weights.device)
        counts = torch.zeros_like(sums)
        if self._values:
            values = torch.stack(self._values).sum(2).reshape(-1)
            streams = self._plan.streams[: len(self._values)].reshape(-1)
            sums.index_add_(0, streams, values)
            counts.index_add_(0, streams, torch.ones_like(values))
        means = sums / torch.where(counts > 0, counts, torch.nan)
        self.streams.observe(means.clamp(min=0).sqrt())
        found: dict[str, list[float]] = {}
        for name, value in zip(self.names, means.tolist(), strict=True):
            if value == value:
                found.setdefault(name, []).append(value)
        return {f"gap_{name}": float(np.sum(values)) for name, values in found.items()}


def signed_weights(inside: torch.Tensor, outside: torch.Tensor) -> torch.Tensor:
    """Weights of a comparison of two sides: each side's sum to one, the outside's negative.

    Parameters
    ----------
    inside, outside : tensor of shape (..., n, n_tasks)
        Nonnegative weights of the rows on either side; zero for rows that do not count.

    Returns
    -------
    tensor of shape (..., n, n_tasks)
        Zero for a task of which one side is missing: there is nothing to compare, and what is left
        of the other side would still have a gradient.

    Examples
    --------
    >>> inside, outside = torch.tensor([[1.0], [1.0], [0.0]]), torch.tensor([[0.0], [0.0], [1.0]])
    >>> signed_weights(inside, outside)[:, 0].tolist(), signed_weights(inside, 0 * outside).sum()
    ([0.5, 0.5, -1.0], tensor(0.))
    """
    n_inside, n_outside = inside.sum(-2, keepdim=True), outside.sum(-2, keepdim=True)
    both = (n_inside > 0) & (n_outside > 0)
    one = torch.ones_like(n_inside)
    weights = inside / torch.where(both, n_inside, one)
    weights = weights - outside / torch.where(both, n_outside, one)
    return weights * both
