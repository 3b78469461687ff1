"""A penalty beside the task loss: of the batch's own rows, or of rows drawn for it.

Imports torch, so it is loaded when a network is trained and not before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from fairsk.neural._penalties import (
    FairnessPenalty,
    Families,
    GroupMeanPenalty,
    PenaltyBatch,
    RunningMeans,
)
from fairsk.neural._penalty_pools import LOOK_UP, PenaltyStream
from fairsk.neural._streams import Streams, StreamTerm
from fairsk.neural._training import Term


@dataclass(frozen=True)
class LabelledRows:
    """Targets, groups and weights of all rows, of which batches are made.

    Attributes
    ----------
    y, groups, families, target, loss
        As in `PenaltyBatch`.
    weight : tensor of shape (n_samples,)
    """

    y: torch.Tensor
    groups: torch.Tensor
    families: Families
    weight: torch.Tensor
    target: str
    loss: Callable[[Any, Any], Any]

    def batch(
        self,
        outputs: torch.Tensor,
        rows: torch.Tensor,
        *,
        groups: torch.Tensor | None = None,
        families: Families | None = None,
        factor: torch.Tensor | None = None,
        share: torch.Tensor | None = None,
    ) -> PenaltyBatch:
        """What the penalty sees of some rows, of which these are the outputs.

        Their own groups, families and weights, unless others are given; `factor` multiplies the
        weights.
        """
        weight = self.weight[rows].to(outputs.dtype)
        return PenaltyBatch(
            outputs,
            self.y[rows],
            self.groups[rows] if groups is None else groups,
            families or self.families,
            weight if factor is None else weight * factor,
            self.target,
            self.loss,
            share,
        )

    def all_rows(self) -> torch.Tensor:
        return torch.arange(len(self.groups), device=self.groups.device)

    def against_the_others(self, pair: tuple[int, int], rows: torch.Tensor) -> torch.Tensor:
        """0 in the group, 1 in another of its family, -1 unknown; shape (n_rows, 1)."""
        family, group = pair
        codes = self.groups[rows][:, family]
        other = (codes != self.families[family].start + group).long()
        return other.masked_fill(codes < 0, -1)[:, None]


class Penalised:
    """What both terms share: the penalty, of one batch or of running means."""

    def __init__(
        self,
        penalty: FairnessPenalty,
        rows: LabelledRows,
        held_out: LabelledRows | None,
        running_average: float,
        pairs: Sequence[tuple[tuple[int, int], float]] = (),
    ) -> None:
        self.penalty, self.rows, self.held_out = penalty, rows, held_out
        self.running_average, self.pairs = running_average, pairs
        self.restart()

    def restart(self) -> None:
        self._running: dict[int, RunningMeans] = {}

    def of(self, batch: PenaltyBatch, stream: int = 0) -> torch.Tensor:
        """Penalty of a batch of training rows."""
        penalty = self.penalty
        if not self.running_average or not isinstance(penalty, GroupMeanPenalty):
            return penalty(batch)
        if stream not in self._running:
            self._running[stream] = RunningMeans(self.running_average)
        totals = batch.totals(*penalty.rows(batch))
        means = self._running[stream].update(*totals, batch.families, batch.known_share)
        return penalty.compare(means)

    def on_held_out(self, outputs: torch.Tensor) -> float:
        """Penalty of all validation rows, of the same comparisons."""
        if self.held_out is None:
            return 0.0
        rows = self.held_out.all_rows()
        with torch.no_grad():
            if not self.pairs:
                return float(self.penalty(self.held_out.batch(outputs, rows)))
            total = 0.0
            for pair, weight in self.pairs:
                groups = self.held_out.against_the_others(pair, rows)
                batch = self.held_out.batch(outputs, rows, groups=groups, families=(slice(0, 2),))
                total += weight * float(self.penalty(batch))
            return total


class OwnRowsTerm(Term):
    """The penalty of the very rows that the task loss sees."""

    task_weight = 1.0

    def __init__(self, alpha: float, penalised: Penalised) -> None:
        self.weight, self.penalised = alpha, penalised

    def start(self, n_outputs: int, attempt: int, rate_factor: float) -> None:
        self.penalised.restart()

    def start_epoch(self, order: torch.Tensor, predict: Callable[[], torch.Tensor]) -> None:
        self._order = order

    def penalty(self, outputs: torch.Tensor, part: slice) -> torch.Tensor:
        return self.penalised.of(self.penalised.rows.batch(outputs, self._order[part]))

    def held_out_penalty(self, outputs: torch.Tensor) -> float:
        return self.penalised.on_held_out(outputs)


class DrawnRowsTerm(StreamTerm):
    """The penalty of rows that are drawn for it, by group or from a holdout.

    Parameters
    ----------
    alpha : float
    penalised : Penalised
    streams : sequence of PenaltyStream
        All with as many pools.
    n_rows : int
        Rows of each pool in a batch.
    interleaved : bool
        One stream a batch, in turn, or all of them.
    share : tensor of shape (n_families,)
        Of the training rows, as in `PenaltyBatch`.
    seed : int
    """

    def __init__(
        self,
        alpha: float,
        penalised: Penalised,
        streams: Sequence[PenaltyStream],
        n_rows: int,
        *,
        interleaved: bool,
        share: torch.Tensor,
        seed: int,
    ) -> None:
        device = share.device
        pools = [
            tuple(torch.as_tensor(pool).to(device) for pool in stream.pools) for stream in streams
        ]
        weights = torch.tensor([[stream.weight] for stream in streams], device=device)
        super().__init__(
            Streams(pools, n_rows, draw="uniform" if interleaved else "all"),
            [stream.name for stream in streams],
            weights,
            seed,
        )
        self.weight, self.penalised, self.comparisons = alpha, penalised, streams
        self.share, self.interleaved = share, interleaved

        def by_row(values: Sequence[Any]) -> torch.Tensor:
            return torch.tensor(values, device=device).repeat_interleave(n_rows)

        self._groups = [by_row(stream.groups) for stream in streams]
        # Relative to all that is drawn: weights keep a mean of about one.
        self._factors = [
            by_row(stream.masses) / (sum(stream.masses) / len(stream.masses)) for stream in streams
        ]

    def start(self, n_outputs: int, attempt: int, rate_factor: float) -> None:
        super().start(n_outputs, attempt, rate_factor)
        self.penalised.restart()

    def compare(
        self, outputs: torch.Tensor, streams: torch.Tensor, rows: torch.Tensor
    ) -> torch.Tensor:
        values = [
            self.penalised.of(self._batch(of_stream, k, drawn), k)
            for of_stream, k, drawn in zip(outputs, streams.tolist(), rows, strict=True)
        ]
        return torch.stack(values)[:, None]

    def _batch(self, outputs: torch.Tensor, k: int, rows: torch.Tensor) -> PenaltyBatch:
        stream = self.comparisons[k]
        return self.penalised.rows.batch(
            outputs,
            rows,
            groups=None if stream.groups[0] == LOOK_UP else self._groups[k][:, None],
            families=stream.families,
            factor=self._factors[k],
            share=self.share if stream.pair is None else self.share[[stream.pair[0]]],
        )

    def held_out_penalty(self, outputs: torch.Tensor) -> float:
        return self.penalised.on_held_out(outputs)

    def report(self) -> dict[str, float]:
        """The mean penalty of each comparison, where there are several."""
        return super().report() if self.interleaved else {}
