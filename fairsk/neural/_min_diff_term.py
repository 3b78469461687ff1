"""MinDiff: the squared maximum mean discrepancy of each task between a group and the others.

Imports torch, so it is loaded when a network is trained and not before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from fairsk.neural._mmd import Kernel, logit_form, signed_form
from fairsk.neural._streams import Streams, StreamTerm, signed_weights


@dataclass(frozen=True)
class HeldOut:
    """Validation rows: both pools of each stream, and the rest as in `MinDiffTerm`."""

    streams: Sequence[tuple[torch.Tensor, ...]]
    counts: torch.Tensor | None
    row_weight: torch.Tensor | None


class MinDiffTerm(StreamTerm):
    """Sum over tasks of the discrepancy between the rows inside and outside of a group.

    Parameters
    ----------
    streams : Streams
        With two sides, inside and outside.
    names, weights, seed
        As in `StreamTerm`; ``weights`` has a column a task, or one for streams with a task.
    kernel : Kernel
    counts : tensor of bool of shape (n_samples, n_tasks), optional
        Rows that count for each task, where the pools do not say it: the task's label is then
        looked up row by row, and one stream serves all tasks.
    tasks : tensor of int of shape (n_streams,), optional
        The one task of each stream, for streams of their own for each task.
    row_weight : tensor of shape (n_samples,), optional
    held_out : HeldOut, optional
    """

    def __init__(
        self,
        streams: Streams,
        names: Sequence[str],
        weights: torch.Tensor,
        seed: int,
        *,
        kernel: Kernel,
        counts: torch.Tensor | None = None,
        tasks: torch.Tensor | None = None,
        row_weight: torch.Tensor | None = None,
        held_out: HeldOut | None = None,
    ) -> None:
        super().__init__(streams, names, weights, seed)
        self.kernel, self.counts, self.tasks = kernel, counts, tasks
        self.row_weight, self.held_out = row_weight, held_out
        self._side = torch.zeros(2 * streams.n_rows, 1, device=weights.device)
        self._side[: streams.n_rows] = 1.0
        # The usual case: no masks, no weights, the same signs in every batch.
        self._signs = signed_weights(self._side, 1 - self._side).t().contiguous()

    def compare(
        self, outputs: torch.Tensor, streams: torch.Tensor, rows: torch.Tensor
    ) -> torch.Tensor:
        if self.tasks is not None:
            own = self.tasks[streams][:, None, None].expand(-1, outputs.shape[1], 1)
            outputs = outputs.gather(2, own)
        n_active, n, n_tasks = outputs.shape
        if self.counts is None and self.row_weight is None:
            w = self._signs.expand(n_active * n_tasks, n)
        else:
            w = _looked_up(rows, self._side, n_tasks, self.counts, self.row_weight)
            w = w.transpose(1, 2).reshape(n_active * n_tasks, n)
        return logit_form(outputs, w, self.kernel)

    def held_out_penalty(self, outputs: torch.Tensor) -> float:
        """The whole regulariser on all validation rows, with its weights."""
        held_out = self.held_out
        if held_out is None:
            return 0.0
        total = 0.0
        for k, (inside, outside) in enumerate(held_out.streams):
            rows = torch.cat([inside, outside])
            side = torch.zeros(len(rows), 1, device=rows.device)
            side[: len(inside)] = 1.0
            p = torch.sigmoid(outputs[rows])
            if self.tasks is not None:
                p = p[:, self.tasks[k]][:, None]
            w = _looked_up(rows, side, p.shape[1], held_out.counts, held_out.row_weight)
            forms = signed_form(p.t().contiguous(), w.t().contiguous(), self.kernel)
            total += float((forms * self.weights[k]).sum())
        return total


def _looked_up(
    rows: torch.Tensor,
    side: torch.Tensor,
    n_tasks: int,
    counts: torch.Tensor | None,
    row_weight: torch.Tensor | None,
) -> torch.Tensor:
    """Signed weights by labels and sample weights of rows (..., n): shape (..., n, n_tasks)."""
    each = torch.ones((*rows.shape, n_tasks), device=rows.device)
    if counts is not None:
        each = each * counts[rows]
    if row_weight is not None:
        each = each * row_weight[rows][..., None]
    return signed_weights(each * side, each * (1 - side))
